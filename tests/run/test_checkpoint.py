"""Checkpoints give back what was saved, bit for bit, or say that they are damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mesozoic.errors import UserError
from mesozoic.run.checkpoint import checkpoints, load_state, read_manifest, save_checkpoint

KEYS = st.text("abcXYZ012/._-", min_size=1, max_size=6)
DTYPES = st.one_of(
    hnp.boolean_dtypes(), hnp.integer_dtypes(endianness="<"), hnp.unsigned_integer_dtypes(endianness="<"),
    hnp.floating_dtypes(endianness="<", sizes=(16, 32, 64)),
)  # fmt: skip
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
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


def test_only_the_newest_stays(tmp_path: Path) -> None:
    for step in (64, 128, 1_000_000, 999_999_999_999):
        path = save_checkpoint(tmp_path, step, {"step": step}, {})
        assert list(tmp_path.iterdir()) == [path]
        assert load_state(path) == {"step": step}


def test_the_same_step_again_replaces_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 64, {"try": 1}, {})
    path = save_checkpoint(tmp_path, 64, {"try": 2}, {})
    assert list(tmp_path.iterdir()) == [path]
    assert load_state(path) == {"try": 2}


def test_checkpoints_are_listed_oldest_first_and_nothing_else_is(tmp_path: Path) -> None:
    for name in ("step-000000000128", "step-000000000064", ".step-000000000256.tmp", "step-000000000512.tmp", "step-9"):
        (tmp_path / name).mkdir()
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000000000064", "step-000000000128"]
    assert checkpoints(tmp_path / "none") == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.sampled_from(["arrays.npz", "state.json"]), st.integers(0), st.integers(1, 255), st.booleans())
def test_any_damage_to_the_contents_is_noticed(tmp_path: Path, name: str, place: int, change: int, cut: bool) -> None:
    path = save_checkpoint(tmp_path, 1, STATE, {})
    content = bytearray((path / name).read_bytes())
    place %= len(content)
    content[place] ^= change
    (path / name).write_bytes(content[:place] if cut else content)
    with pytest.raises(UserError, match=rf"is damaged \({name} differs.*--no-resume"):
        read_manifest(path)


@pytest.mark.parametrize("name", ["arrays.npz", "state.json", "manifest.json"])
def test_a_missing_file_is_noticed(tmp_path: Path, name: str) -> None:
    path = save_checkpoint(tmp_path, 1, STATE, {})
    (path / name).unlink()
    with pytest.raises(UserError, match="is damaged"):
        read_manifest(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b'{"format": 1, "sha256": 3}'])
def test_a_damaged_manifest_is_noticed(tmp_path: Path, content: bytes) -> None:
    path = save_checkpoint(tmp_path, 1, STATE, {})
    (path / "manifest.json").write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        read_manifest(path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, 1, STATE, {})
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(UserError, match="format 99, not 1; use --no-resume"):
        read_manifest(path)


@pytest.mark.parametrize("name", ["arrays.npz", "state.json"])
def test_unreadable_contents_are_a_user_error(tmp_path: Path, name: str) -> None:
    path = save_checkpoint(tmp_path, 1, STATE, {})
    (path / name).write_bytes((path / name).read_bytes()[:20])
    with pytest.raises(UserError, match="is damaged"):
        load_state(path)
