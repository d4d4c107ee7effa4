"""The format of a checkpoint file: arrays and JSON, checked and bounded on reading.

    magic, 24 bytes | length of the header, 8 bytes | SHA-256 of the header, 32 bytes | header (JSON) | arrays

The header holds the manifest, every value that is no array, and path, type, shape of each array and the SHA-256 of all
of them; the arrays follow one after the other. Nothing in a file is compressed, linked or executable.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mesozoic.errors import UserError
from mesozoic.files import open_plain, parse_json

FORMAT = 2
NAME = b"mesozoic checkpoint"
MAGIC = NAME + FORMAT.to_bytes(5, "big")
MAX_HEADER = 16 << 20
MAX_BYTES = 64 << 30
"""A replay buffer of ten million steps fits; what is larger was not written by this program."""
CHUNK = 1 << 20
NUMBERS = re.compile(r"[<>|=]?[biuf]\d{1,2}")
"""NumPy's names of types that a checkpoint may hold: booleans, integers, floats."""

State = dict[str, Any]
"""Nested dictionaries of numpy arrays, bytes and JSON scalars."""


class Damaged(UserError):
    """A checkpoint that was cut or changed: the one before it may be whole."""


def write_file(path: Path, state: State, manifest: dict[str, Any]) -> None:
    """Write a checkpoint and flush it to disk.

    Raises:
        OSError: it could not be written.
    """
    scalars, arrays = _split(state)
    digest = hashlib.sha256()
    for _, array, _ in arrays:
        digest.update(_bytes_of(array))
    places = [[names, kind, list(array.shape)] for names, array, kind in arrays]
    header = json.dumps(
        {"manifest": manifest, "scalars": scalars, "arrays": places, "sha256": digest.hexdigest()}
    ).encode()
    if len(header) > MAX_HEADER:
        raise ValueError(f"the state has {len(header):,} bytes of scalars; keep large things in arrays")
    with path.open("wb") as file:
        file.write(MAGIC + len(header).to_bytes(8, "little") + hashlib.sha256(header).digest() + header)
        for _, array, _ in arrays:
            file.write(_bytes_of(array))
        file.flush()
        os.fsync(file.fileno())


def read_file(path: Path, arrays: bool = True) -> tuple[dict[str, Any], State]:
    """The manifest and the state in a checkpoint; without `arrays`, only what is no array.

    Raises:
        Damaged: it cannot be read. UserError: it has another format.
    """
    try:
        with os.fdopen(open_plain(path), "rb") as file:
            header, sizes = _read_header(file, path)
            if arrays:
                _read_arrays(file, header, sizes)
        return header["manifest"], header["scalars"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, MemoryError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Damaged(f"checkpoint {path} is damaged ({reason})") from None


def _read_header(file: BinaryIO, path: Path) -> tuple[dict[str, Any], list[int]]:
    """The header and the size in bytes of each array; everything is checked against the size of the file."""
    total = os.fstat(file.fileno()).st_size
    start = file.read(len(MAGIC) + 40)
    if start[: len(NAME)] != NAME:
        raise ValueError("it does not begin like one")
    if start[: len(MAGIC)] != MAGIC:
        raise UserError(f"checkpoint {path} has another format than {FORMAT}; start over with --no-resume")
    length = int.from_bytes(start[len(MAGIC) : -32], "little")
    if length > MAX_HEADER or total > MAX_BYTES:
        raise ValueError("it is larger than any checkpoint")
    text = file.read(length)
    if hashlib.sha256(text).digest() != start[-32:]:
        raise ValueError("its header differs from its checksum")
    header: dict[str, Any] = parse_json(text)
    if not isinstance(header["manifest"], dict) or not isinstance(header["scalars"], dict):
        raise ValueError("its header is no table")
    sizes = []
    for names, kind, shape in header["arrays"]:
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError("an array has no name")
        if not all(isinstance(size, int) and 0 <= size <= MAX_BYTES for size in shape) or len(shape) > 32:
            raise ValueError("an array has an impossible shape")
        sizes.append(math.prod(shape) * _dtype(kind).itemsize)
    if len(start) + length + sum(sizes) != total:
        raise ValueError("its size is not what it should be")
    return header, sizes


def _read_arrays(file: BinaryIO, header: dict[str, Any], sizes: list[int]) -> None:
    """Put the arrays into the nesting of the header's scalars."""
    digest = hashlib.sha256()
    for (names, kind, shape), size in zip(header["arrays"], sizes, strict=True):
        array = np.empty(shape, _dtype(kind))
        view = array.reshape(-1).view(np.uint8).data
        for begin in range(0, size, CHUNK):
            piece = view[begin : begin + CHUNK]
            if file.readinto(piece) != len(piece):  # type: ignore[attr-defined]
                raise ValueError("it ends too early")
            digest.update(piece)
        place = header["scalars"]
        for name in names[:-1]:
            place = place[name] if isinstance(place, dict) else None
        if not isinstance(place, dict) or names[-1] in place:
            raise ValueError("an array has no place of its own")
        place[names[-1]] = array.tobytes() if kind == "bytes" else array
    if digest.hexdigest() != header["sha256"]:
        raise ValueError("its arrays differ from their checksum")


def _dtype(kind: str) -> np.dtype[Any]:
    if kind == "bytes":
        return np.dtype(np.uint8)
    if not NUMBERS.fullmatch(kind):
        raise ValueError("it holds an array that is none of numbers")
    return np.dtype(kind)


def _split(state: State) -> tuple[State, list[tuple[list[str], NDArray[Any], str]]]:
    """The nesting without its arrays, and the arrays: path, contents, type (`"bytes"` for bytes)."""
    arrays: list[tuple[list[str], NDArray[Any], str]] = []

    def scalars_of(inner: State, path: list[str]) -> State:
        scalars: State = {}
        for key, value in inner.items():
            if isinstance(value, dict):
                scalars[key] = scalars_of(value, [*path, key])
            elif isinstance(value, np.ndarray):
                arrays.append(([*path, key], np.asarray(value, order="C"), value.dtype.str))
            elif isinstance(value, bytes):
                arrays.append(([*path, key], np.frombuffer(value, np.uint8), "bytes"))
            else:
                scalars[key] = value
        return scalars

    return scalars_of(state, []), arrays


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data
