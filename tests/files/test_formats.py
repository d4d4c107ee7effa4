"""Whatever the text, parsing it ends soon, with a value or a `ValueError` of one short line."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesozoic.files import parse_json, parse_toml, parse_yaml
from mesozoic.files.formats import DEEPEST

pytest.importorskip("yaml", reason="needs the extra [sweep]")

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)
)
MERGED = "a: &a {x: 1}\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} {{<<: [{','.join(['*' + chr(97 + i)] * 9)}]}}\n" for i in range(12)
)


def refused_soon(parse: Callable[[Any], Any], text: str | bytes, phrase: str | None) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match=phrase):
        parse(text)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        (LAUGHS, "aliases written out"),
        (MERGED, "aliases written out"),
        ("a: &a [*a]", "part of"),
        ("[" * 100_000, "nested too deeply"),
        ("{" * 100_000, "nested too deeply"),
        ("- " * 100_000, "nested too deeply"),
        ("run_cap: " + "1" * 5000, "digits"),
        ("a: 2001-99-99", "month"),
        ("!!timestamp z", "a value that is none"),
        ("!!python/object/apply:os.system [true]", "constructor"),
        ("a: \x00", "special characters"),
        ("{[]: 1}", "unhashable"),
    ],
)
def test_yaml_that_was_made_to_harm_is_refused_soon(text: str, phrase: str | None) -> None:
    refused_soon(parse_yaml, text, phrase)


def test_yaml_with_a_few_aliases_is_read() -> None:
    assert parse_yaml("base: &b {min: 1, max: 2}\na: *b\nc: {<<: *b, max: 3}") == {
        "base": {"min": 1, "max": 2},
        "a": {"min": 1, "max": 2},
        "c": {"min": 1, "max": 3},
    }
    assert parse_yaml("") is None


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("a" + ".a" * 40_000 + " = 1", "more than 32 parts"),
        ("[" + '"x" . ' * 40 + "y]", "more than 32 parts"),
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("a = " + "{a=" * 100_000, "nested too deeply"),
        ("a = " + "1" * 5000, "digits"),
    ],
)
def test_toml_that_was_made_to_harm_is_refused_soon(text: str, phrase: str | None) -> None:
    """A key of 400,000 parts would take more memory than any machine has."""
    refused_soon(parse_toml, text, phrase)


def test_toml_may_hold_many_dots_that_separate_no_keys() -> None:
    numbers = ", ".join(["0.5"] * 100)
    assert parse_toml(f"# {'.' * 300}\na = [{numbers}]\nb.c = '{'. ' * 100}'")["a"] == [0.5] * 100
    assert parse_toml(".".join(["a"] * DEEPEST) + " = 1")


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b"{", b"1" * 5000, b""])
def test_json_that_is_none_or_too_deep_is_refused(text: bytes) -> None:
    refused_soon(parse_json, text, None)


@given(st.one_of(st.text(), st.text(alphabet="[]{}&*-:,! \n'\"<|>?#%@`a1=.")))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_json, parse_toml, parse_yaml):
        try:
            parse(text)
        except ValueError:
            continue
