"""Zips that were made to fill the memory, the time or the screen are refused before anything is unpacked."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from mesozoic.files import NotPlain, read_members


def zipped(members: Mapping[str, bytes] | list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in dict(members).items() if isinstance(members, Mapping) else members:
            archive.writestr(name, content)
    return buffer.getvalue()


def refused(tmp_path: Path, content: bytes, phrase: str | None) -> None:
    path = tmp_path / "some.zip"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=phrase):
            read_members(path, lambda name: name.endswith(".npy"))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_only_what_is_wanted_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    path.write_bytes(zipped({"a.npy": b"1", "b/c.npy": b"", "bomb": bytes(100 << 20)}))
    assert read_members(path, lambda name: name != "bomb") == {"a.npy": b"1", "b/c.npy": b""}


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    refused(tmp_path, zipped({"a.npy": bytes(100 << 20)}), "would unpack to 104,857,600 bytes")
    refused(tmp_path, zipped([(f"{i}.npy", bytes(1 << 20)) for i in range(100)]), "would unpack to")


def test_a_member_that_is_longer_than_the_directory_says_is_refused(tmp_path: Path) -> None:
    content = zipped({"a.npy": bytes(40 << 20)})
    refused(tmp_path, content.replace(struct.pack("<I", 40 << 20), struct.pack("<I", 100)), None)


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, zipped([(f"{i}.npy", b"") for i in range(1001)]), "1,001 members")
    refused(tmp_path, zipped([(f"{i}.npy", b"") for i in range(30_000)]), "list of members is too long")


@pytest.mark.parametrize("name", ["\x1b[2J.npy", "a\nerror: b.npy", "n" * 201 + ".npy", "a b", "/a.npy", "a//b.npy"])
def test_names_that_would_reach_the_screen_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "some.zip"
    path.write_bytes(zipped({name: b""}))
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        read_members(path, lambda _: True)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 200


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_and_links_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, zipped([("a.npy", b"1"), ("a.npy", b"2")]), "one name")
    link = zipfile.ZipInfo("a.npy")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(tmp_path, buffer.getvalue(), "no plain file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(NotPlain):
        read_members(tmp_path / "pipe.zip", lambda _: True)
    with pytest.raises(NotPlain):
        read_members(Path("/dev/zero"), lambda _: True)
