"""Several overrides in one text: how an environment variable or a file holds what `--override` takes one by one.

Overrides are separated by spaces, tabs and newlines. A value in brackets, braces or quotes may hold those as well::

    ppo.net_arch=[64, 64] 2.ppo.learning_rate=1e-4
    stage.name="a long walk"

A quote or bracket counts only where a value begins: `stage.name=it's` is a word like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mesozoic.config.override import Override
from mesozoic.errors import UserError

BEFORE_VALUE = re.compile(r"[^\s=]*=?")
WORD = re.compile(r"\S*")
STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}(?!")|\'\'\'.*?\'{3,5}(?!\')|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL)
"""A quoted value as TOML writes it: one line, or several between three quotes."""
BRACKETS = {"[": "]", "{": "}"}


def split_overrides(text: str) -> list[str]:
    """The overrides of `text`, each as `parse_override` takes it.

    Raises:
        UserError: a quote or bracket is opened and not closed.
    """
    found = []
    at = _skip_space(text, 0)
    while at < len(text):
        end = _end_of_value(text, _match(BEFORE_VALUE, text, at), at)
        found.append(text[at:end])
        at = _skip_space(text, end)
    return found


def as_overrides(given: str | Iterable[str]) -> tuple[str, ...]:
    """Overrides that a caller gave: one text, as `split_overrides` takes it, or several texts."""
    return tuple(split_overrides(given)) if isinstance(given, str) else tuple(given)


def join_overrides(overrides: Sequence[Override]) -> str:
    """The text that `split_overrides` and `parse_overrides` turn into the same overrides, on one line."""
    return " ".join(map(str, overrides))


def _end_of_value(text: str, at: int, start: int) -> int:
    if text[at : at + 1] in ('"', "'"):
        at = _end_of_string(text, at, start)
    elif text[at : at + 1] in BRACKETS:
        at = _end_of_brackets(text, at, start)
    return _match(WORD, text, at)


def _end_of_string(text: str, at: int, start: int) -> int:
    found = STRING.match(text, at)
    if found is None:
        raise _unclosed(text, start, text[at], "quote")
    return found.end()


def _end_of_brackets(text: str, at: int, start: int) -> int:
    waiting: list[str] = []
    while True:
        character = text[at : at + 1]
        if not character:
            opened = next(one for one, closes in BRACKETS.items() if closes == waiting[-1])
            raise _unclosed(text, start, opened, "bracket")
        if character in ('"', "'"):
            at = _end_of_string(text, at, start)
            continue
        if character in BRACKETS:
            waiting.append(BRACKETS[character])
        elif character == waiting[-1]:
            waiting.pop()
        at += 1
        if not waiting:
            return at


def _unclosed(text: str, start: int, sign: str, what: str) -> UserError:
    shown = " ".join(text[start : start + 40].split())
    return UserError(
        f"override '{shown}': the {what} {sign} is never closed; write for example ppo.net_arch=[64, 64]"
        ' or stage.name="two words"'
    )


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _match(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found is not None  # both patterns match the empty text
    return found.end()
