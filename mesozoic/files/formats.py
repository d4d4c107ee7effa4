"""Parses JSON, TOML and YAML that a stranger may have written: whatever the text, in bounded time and memory."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

DEEPEST = 32
"""Levels of nesting that a file may have."""
MOST_NODES = 100_000
"""Values of a YAML file, each alias counted as what it stands for."""

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_DOTTED = re.compile(rf"(?<![A-Za-z0-9_-]){_KEY}(?:[ \t]*\.[ \t]*{_KEY}){{{DEEPEST}}}")


def parse_json(data: bytes | str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: it is no JSON, nested too deeply, or holds a number of too many digits.
    """
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: it is no TOML, nested too deeply, or holds a number of too many digits.
    """
    if _DOTTED.search(text):  # Python's parser needs memory by the square of a key's length
        raise ValueError(f"a key has more than {DEEPEST} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_yaml(text: str) -> Any:
    """Parse YAML of plain values.

    Raises:
        ValueError: it is no such YAML, nested too deeply, or its aliases stand for too much.
    """
    import yaml

    class Shallow(yaml.SafeLoader):
        """Refuses depth while it reads, since its time grows by the square of it."""

        def fetch_more_tokens(self) -> Any:
            if self.flow_level + len(self.indents) > DEEPEST:
                raise ValueError("it is nested too deeply")
            return super().fetch_more_tokens()

    try:
        loader = Shallow(text)
    except yaml.YAMLError as error:  # signs that YAML does not have
        raise ValueError(f"{getattr(error, 'reason', error)}") from None
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _weigh(node, {}, 0)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" (line {mark.line + 1})"
        raise ValueError(f"{getattr(error, 'problem', None) or error}{where}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (OverflowError, TypeError, KeyError, IndexError, AttributeError) as error:  # a date or number that is none
        raise ValueError(f"it holds a value that is none ({error})") from None
    finally:
        loader.dispose()


def _weigh(node: Any, known: dict[int, int], depth: int) -> int:
    """Values that a node stands for, aliases written out."""
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError("an alias stands for something that it is part of")
        return known[id(node)]
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    known[id(node)] = 0  # until it is known
    parts: list[Any] = node.value if isinstance(node.value, list) else []
    weight = 1
    for part in parts:
        for one in part if isinstance(part, tuple) else (part,):
            weight += _weigh(one, known, depth + 1)
            if weight > MOST_NODES:
                raise ValueError(f"it holds more than {MOST_NODES:,} values, aliases written out")
    known[id(node)] = weight
    return weight
