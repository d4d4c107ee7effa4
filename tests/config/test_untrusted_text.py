"""Whatever the text, configuration code either understands it or raises a `UserError`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mesozoic.config import load_file, parse_flag, parse_override
from mesozoic.config.override import SECTIONS, section_keys
from mesozoic.errors import UserError

PATHS = [f"{section}.{key}" for section in SECTIONS for key in section_keys(section)]
VALUES = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from(
        ["true", "false", "'x'", "'small'", "[]", "[1]", "[[1]]", "{}", "{a = 1}", "[1.5]", "2021-13-01", "1979-05-27"]
    ),
    st.text(max_size=5),
)
SECTION_NAMES = st.one_of(st.sampled_from([*SECTIONS, "ppo.net_arch", "[env]"]), st.text(max_size=4))


@st.composite
def nearly_toml(draw: st.DrawFn) -> str:
    """A stage file with some values, keys and sections that may not belong there."""
    lines = ["[stage]", "number = 1", "name = 'x'"]
    for _ in range(draw(st.integers(0, 6))):
        section, _, key = draw(st.sampled_from(PATHS)).partition(".")
        lines += draw(st.sampled_from([[], [f"[{section}]"], [f"[{draw(SECTION_NAMES)}]"]]))
        name = draw(st.one_of(st.just(key), st.text(max_size=4)))
        lines.append(f"{name} = {draw(VALUES)}")
    return "\n".join(lines)


def _returns_or_explains(function: Callable[..., object], *args: object) -> None:
    """Any exception but a `UserError` fails the test."""
    with contextlib.suppress(UserError):
        function(*args)


@given(st.text())
@example("².ppo.gamma=1")
@example("1" * 5000 + ".ppo.gamma=1")
@example("ppo.gamma=" + "1" * 5000)
@example("ppo.gamma=" + "[" * 5000)
def test_any_text_as_an_override(text: str) -> None:
    _returns_or_explains(parse_override, text)


@given(st.one_of(st.text(), st.sampled_from(PATHS)), st.text())
def test_any_text_as_a_flag(name: str, value: str) -> None:
    _returns_or_explains(parse_flag, name, value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(nearly_toml())
@example("a = " + "1" * 5000)
@example("a = " + "[" * 5000)
def test_any_nearly_valid_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stage1_x.toml"
    path.write_text(text, encoding="utf-8")
    _returns_or_explains(load_file, path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_bytes_as_a_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "stage1_x.toml"
    path.write_bytes(content)
    _returns_or_explains(load_file, path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        load_file(tmp_path / "none.toml")
