"""Whatever a file holds, `load_policy` returns a policy that acts, or raises a `UserError`."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mesozoic.errors import UserError
from mesozoic.learn.policy import Policy, load_policy

ARRAYS: dict[str, np.ndarray] = {
    "norm/mean": np.zeros(3, np.float32),
    "norm/std": np.ones(3, np.float32),
    "actor/0/kernel": np.ones((3, 4), np.float32),
    "actor/0/bias": np.zeros(4, np.float32),
    "actor/1/kernel": np.ones((4, 2), np.float32),
    "actor/1/bias": np.zeros(2, np.float32),
}
VALID = Policy("velociraptor", 1, (("a", 1), ("b", 2)), "elu", ARRAYS, {"step": 1}).to_bytes()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
META = ("format", "version", "species", "stage", "layout", "activation", "info")
ANY_FILE = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None, print_blob=False
)


def acts_or_explains(path: Path, content: bytes) -> bool:
    """Whether it was taken; any error but a `UserError`, then or later in `act`, fails the test."""
    path.write_bytes(content)
    try:
        policy = load_policy(path)
    except UserError as error:
        return str(path) not in str(error)  # it has to say which file
    assert policy.act(np.zeros((1, policy.observation_size), np.float32)).shape == (1, policy.action_size)
    assert len(policy.hidden) == policy.layers - 1
    return True


def archive(meta: Any, arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr("policy.json", meta if isinstance(meta, str | bytes) else json.dumps(meta))
        for name, array in arrays.items():
            data = io.BytesIO()
            np.save(data, array, allow_pickle=True)
            out.writestr(f"{name}.npy", data.getvalue())
    return buffer.getvalue()


def valid_meta() -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(VALID)) as file:
        return json.loads(file.read("policy.json"))


def test_the_untouched_file_is_taken(tmp_path: Path) -> None:
    assert acts_or_explains(tmp_path / "p.zip", VALID)
    assert acts_or_explains(tmp_path / "p.zip", archive(valid_meta(), ARRAYS))


@ANY_FILE
@given(st.binary(max_size=200))
@example(b"")
@example(b"PK\x05\x06" + bytes(18))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    assert not acts_or_explains(tmp_path / "p.zip", content)


@ANY_FILE
@given(st.integers(0, len(VALID) - 1))
def test_a_truncated_file(tmp_path: Path, size: int) -> None:
    assert not acts_or_explains(tmp_path / "p.zip", VALID[:size])


@ANY_FILE
@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_overwritten_bytes(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    content = bytearray(VALID)
    for place, value in changes:
        content[place] = value
    acts_or_explains(tmp_path / "p.zip", bytes(content))


@ANY_FILE
@given(st.sampled_from(META), JSON)
@example("layout", None)
@example("layout", [["a", float("inf")]])
@example("stage", float("inf"))
@example("activation", ["elu"])
def test_any_json_value_in_the_metadata(tmp_path: Path, key: str, value: Any) -> None:
    acts_or_explains(tmp_path / "p.zip", archive(valid_meta() | {key: value}, ARRAYS))


@pytest.mark.parametrize("meta", ["", "[]", "3", "null", "{}", "{", "[" * 100_000, b"\xff\xfe", '{"format": "other"}'])
def test_metadata_that_is_no_metadata(tmp_path: Path, meta: str | bytes) -> None:
    assert not acts_or_explains(tmp_path / "p.zip", archive(meta, ARRAYS))


@pytest.mark.parametrize("key", META)
def test_missing_metadata(tmp_path: Path, key: str) -> None:
    meta = valid_meta()
    del meta[key]
    assert not acts_or_explains(tmp_path / "p.zip", archive(meta, ARRAYS))


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize(
    "value",
    [None, np.zeros(()), np.zeros((5, 5)), np.array(["x"] * 3), np.array([None, {}, 1], dtype=object)],
    ids=["missing", "scalar", "shape", "text", "pickle"],
)
def test_arrays_that_do_not_fit(tmp_path: Path, name: str, value: np.ndarray | None) -> None:
    arrays = {other: array for other, array in ARRAYS.items() if other != name}
    if value is not None:
        arrays[name] = value
    assert not acts_or_explains(tmp_path / "p.zip", archive(valid_meta(), arrays))


@pytest.mark.parametrize("name", ["unneeded.npy", "critic/0/kernel.npy", "data"])
def test_a_policy_that_would_fill_the_memory_is_refused_or_not_unpacked(tmp_path: Path, name: str) -> None:
    """A megabyte that unpacks to one gigabyte: refused if it would be read, left alone if nobody needs it."""
    path = tmp_path / "p.zip"
    path.write_bytes(VALID)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as out, out.open(name, "w") as member:
        for _ in range(1 << 10):
            member.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        if name == "data":
            assert load_policy(path).action_size == 2
        else:
            with pytest.raises(UserError, match=r"p\.zip is not a readable policy \(it would unpack to"):
                load_policy(path)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_an_array_that_says_it_is_larger_than_it_is_takes_no_memory(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**11, 4)})
    path = tmp_path / "p.zip"
    path.write_bytes(VALID)
    with zipfile.ZipFile(path, "a") as out:
        out.writestr("critic/0/kernel.npy", header.getvalue())
    with pytest.raises(UserError, match="an array is of no numbers, or cut"):
        load_policy(path)


@pytest.mark.parametrize(
    "header", [b"{'descr': '<f4', (", b"(" * 2000, b"{'descr': 'O', 'fortran_order': 0, 'shape': (1,)}"]
)
def test_an_array_with_a_header_that_is_none_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "p.zip"
    path.write_bytes(VALID)
    with zipfile.ZipFile(path, "a") as out:
        magic = np.lib.format.magic(1, 0) + len(header).to_bytes(2, "little")
        out.writestr("critic/0/kernel.npy", magic + header + b"1234")
    with pytest.raises(UserError, match="not a readable policy"):
        load_policy(path)


@pytest.mark.parametrize("key", ["species", "layout", "activation", "output", "format", "info"])
@pytest.mark.parametrize("text", ["\x1b[2J\nerror: forged", "x" * 1_000_000, "\u202eabc"])
def test_what_a_policy_says_of_itself_cannot_move_the_cursor_or_fill_the_screen(
    tmp_path: Path, key: str, text: str
) -> None:
    meta = valid_meta() | {key: [[text, 3]] if key == "layout" else text}
    path = tmp_path / "p.zip"
    path.write_bytes(archive(meta, ARRAYS))
    with pytest.raises(UserError) as caught:
        load_policy(path)
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) <= 300


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_or_a_device_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    for path in (tmp_path / "pipe.zip", Path("/dev/zero")):
        with pytest.raises(UserError, match="not a plain file"):
            load_policy(path)


def test_paths_that_hold_no_policy_say_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no policy file"):
        load_policy(tmp_path / "none.zip")
    with pytest.raises(UserError, match="is a folder"):
        load_policy(tmp_path)
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(UserError, match="no mesozoic policy"):
        load_policy(other)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", [*ARRAYS, "critic/0/kernel"])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, name: str, value: float) -> None:
    """Also those that acting does not use: a training that begins with them would be spoiled."""
    arrays = {**ARRAYS, "critic/0/kernel": np.ones((3, 1), np.float32)}
    arrays[name] = arrays[name].copy()
    arrays[name].flat[-1] = value
    path = tmp_path / "policy.zip"
    path.write_bytes(Policy("velociraptor", 1, (("a", 1), ("b", 2)), "elu", arrays, {"step": 1}).to_bytes())
    with pytest.raises(UserError, match=r"policy\.zip holds weights that are not finite"):
        load_policy(path)
