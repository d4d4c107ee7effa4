"""Checkpoints give back what was saved, bit for bit, or say that they are damaged."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mesozoic.errors import UserError
from mesozoic.run import checkpoint_file
from mesozoic.run.checkpoint import Checkpoints, checkpoints, load_state, newest, read_manifest, save_checkpoint
from mesozoic.run.checkpoint_file import Damaged

KEYS = st.text("abcXYZ012/._-", min_size=1, max_size=6)
DTYPES = st.one_of(
    hnp.boolean_dtypes(), hnp.integer_dtypes(endianness="<"), hnp.unsigned_integer_dtypes(endianness="<"),
    hnp.floating_dtypes(endianness="<", sizes=(16, 32, 64)),
)  # fmt: skip
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
SCALARS = st.binary(max_size=9) | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
STATES = st.dictionaries(
    KEYS,
    st.recursive(ARRAYS | SCALARS, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6),
    max_size=4,
)
STATE: dict[str, Any] = {"learner": {"w": np.arange(500.0), "step": 64}, "progress": {"next_eval": 128}}


def bits(value: Any) -> Any:
    """The value in a form whose equality means: same types, same shapes, same bits."""
    if isinstance(value, dict):
        return {key: bits(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        return ("array", value.dtype.str, value.shape, value.tobytes())
    return (type(value).__name__, repr(value))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(STATES)
def test_state_comes_back_bit_for_bit(tmp_path: Path, state: dict[str, Any]) -> None:
    path = save_checkpoint(tmp_path, 7, state, {})
    read_manifest(path)
    assert bits(load_state(path)) == bits(state)


def test_numbers_that_are_easily_lost(tmp_path: Path) -> None:
    odd = np.array([0x7FF8_0000_DEAD_BEEF, 1, 0x8000_0000_0000_0000], np.uint64).view(np.float64)
    state = {"nan payload, denormal, -0": odd, "nan": float("nan"), "inf": float("-inf"), "big": 2**80, "third": 1 / 3}
    assert bits(load_state(save_checkpoint(tmp_path, 1, state, {}))) == bits(state)


def test_the_manifest_holds_what_it_was_given(tmp_path: Path) -> None:
    manifest = read_manifest(save_checkpoint(tmp_path, 64, STATE, {"cores": 2, "identity": {"seed": 1}}))
    assert (manifest["step"], manifest["cores"], manifest["identity"]) == (64, 2, {"seed": 1})


def test_the_last_two_stay(tmp_path: Path) -> None:
    kept: list[Path] = []
    for step in (64, 128, 1_000_000, 999_999_999_999):
        kept = [*kept[-1:], save_checkpoint(tmp_path, step, {"step": step}, {})]
        assert checkpoints(tmp_path) == kept == sorted(tmp_path.iterdir())
        assert load_state(kept[-1]) == {"step": step}


def test_the_same_step_again_replaces_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 64, {"try": 1}, {})
    path = save_checkpoint(tmp_path, 64, {"try": 2}, {})
    assert list(tmp_path.iterdir()) == [path]
    assert load_state(path) == {"try": 2}


def test_checkpoints_are_listed_oldest_first_and_nothing_else_is(tmp_path: Path) -> None:
    names = [f"step-{step:012d}.checkpoint" for step in (64, 128)]
    for name in (*reversed(names), ".step-000000000256.checkpoint.1.tmp", "step-000000000512", "step-9.checkpoint"):
        (tmp_path / name).touch()
    assert [path.name for path in checkpoints(tmp_path)] == names
    assert checkpoints(tmp_path / "none") == []
    assert newest(tmp_path / "none") is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.integers(0), st.integers(1, 255), st.sampled_from(["change", "cut", "add"]))
def test_any_damage_is_noticed(tmp_path: Path, place: int, change: int, how: str) -> None:
    path = save_checkpoint(tmp_path, 1, STATE, {})
    content = bytearray(path.read_bytes())
    place %= len(content)
    if how == "change":
        content[place] ^= change
    path.write_bytes(content[:place] if how == "cut" else content + bytes(change) * (how == "add"))
    with pytest.raises(UserError, match=r"is damaged|another format"):
        load_state(path)


@pytest.mark.parametrize("how", ["empty", "cut", "changed"])
def test_a_damaged_newest_one_falls_back_to_the_one_before(tmp_path: Path, how: str) -> None:
    for step in (64, 128):
        save_checkpoint(tmp_path, step, {"step": step, "w": np.arange(9.0)}, {"seed": 1})
    last = checkpoints(tmp_path)[-1]
    content = bytearray(last.read_bytes())
    content[-1] ^= 1
    last.write_bytes({"empty": b"", "cut": content[:-9], "changed": bytes(content)}[how])
    saved = newest(tmp_path)
    assert saved is not None
    assert (saved.state["step"], saved.manifest["seed"]) == (64, 1)
    (said,) = map(str, saved.damaged)
    assert last.name in said and "is damaged" in said


def test_after_falling_back_the_damaged_one_is_no_more(tmp_path: Path) -> None:
    for step in (64, 128):
        save_checkpoint(tmp_path, step, {"step": step}, {})
    checkpoints(tmp_path)[-1].write_bytes(b"torn")
    save_checkpoint(tmp_path, 96, {"step": 96}, {})
    assert [load_state(path)["step"] for path in checkpoints(tmp_path)] == [64, 96]


def test_if_none_is_whole_nothing_is_trained_on(tmp_path: Path) -> None:
    for step in (64, 128):
        save_checkpoint(tmp_path, step, {"step": step}, {}).write_bytes(b"")
    with pytest.raises(UserError, match=r"is damaged.*no other is whole.*--no-resume"):
        newest(tmp_path)


def test_checkpoints_of_an_earlier_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "step-000000000064").mkdir()
    with pytest.raises(UserError, match=r"are folders, of an earlier version.*--no-resume"):
        newest(tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, 1, STATE, {})
    content = bytearray(path.read_bytes())
    content[len(checkpoint_file.MAGIC) - 1] = 99
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"another format than 2.*--no-resume"):
        read_manifest(path)


def forged(path: Path, header: bytes, rest: bytes = b"") -> Path:
    """A file whose header has the right checksum, whatever it says."""
    length = len(header).to_bytes(8, "little")
    path.write_bytes(checkpoint_file.MAGIC + length + hashlib.sha256(header).digest() + header + rest)
    return path


def forged_arrays(*arrays: Any) -> bytes:
    digest = hashlib.sha256(b"").hexdigest()
    return json.dumps({"manifest": {}, "scalars": {"a": 1}, "arrays": arrays, "sha256": digest}).encode()


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"manifest": 3, "scalars": {}, "arrays": []}',
        b'{"manifest": {}, "scalars": {}, "arrays": 3}',
        forged_arrays([["x"], "<f8", [10**12]]),
        forged_arrays([["x"], "<f8", [2**62, 2**62]]),
        forged_arrays([["x"], "<f8", [-1]]),
        forged_arrays([["x"], "<f8", [0] * 99]),
        forged_arrays([["x"], "|O", [0]]),
        forged_arrays([["x"], "f8,f8", [0]]),
        forged_arrays([["x"], 3, [0]]),
        forged_arrays([["a", "b"], "<f8", [0]]),
        forged_arrays([["a"], "<f8", [0]]),
        forged_arrays([["x"], "<f8", [0]], [["x"], "<f8", [0]]),
        forged_arrays([["x"], "<f8", [0]], [["x", "y", "z"], "<f8", [0]]),
        forged_arrays([[], "<f8", [0]]),
        forged_arrays([[3], "<f8", [0]]),
        forged_arrays(["x"]),
    ],
)
def test_a_hostile_file_is_one_sentence(tmp_path: Path, header: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Damaged, match="is damaged") as caught:
            load_state(forged(tmp_path / "step-000000000001.checkpoint", header))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_huge_file_of_nothing_is_not_read(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, 1, STATE, {})
    os.truncate(path, 1 << 40)
    with pytest.raises(Damaged):
        read_manifest(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_or_a_device_is_not_read_for_ever(tmp_path: Path) -> None:
    pipe, device = tmp_path / "step-000000000001.checkpoint", tmp_path / "step-000000000002.checkpoint"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for path in (pipe, device):
        with pytest.raises(Damaged, match="not a plain file"):
            load_state(path)


class Counter:
    """A part of a run."""

    def __init__(self) -> None:
        self.count = 0

    def state(self) -> dict[str, Any]:
        return {"count": self.count}

    def set_state(self, state: dict[str, Any]) -> None:
        self.count = int(state["count"])


def test_parts_are_saved_together_and_brought_back(tmp_path: Path) -> None:
    first, second = Counter(), Counter()
    run = Checkpoints(tmp_path, {"seed": 3})
    run.add("one", first)
    run.add("two", second)
    first.count, second.count = 5, 7
    run.save(64)
    saved = newest(tmp_path)
    assert saved is not None and saved.manifest["seed"] == 3
    again, another = Checkpoints(tmp_path, {}, saved), Counter()
    again.add("two", another)
    assert another.count == 7
    with pytest.raises(UserError, match=r"does not fit this version \(three: KeyError.*--no-resume"):
        again.add("three", Counter())
