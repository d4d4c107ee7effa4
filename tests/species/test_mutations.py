"""Whatever is done to a species folder, reading it succeeds or says one sentence.

MESOZOIC_FUZZ multiplies the number of examples, which is small so that the test is quick.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.animal_package import copy_animal

from mesozoic.errors import UserError
from mesozoic.species import load_species
from mesozoic.species.acceptance import CHECKS, Body
from mesozoic.species.acceptance.standing_checks import zero_action_stands_from_forty_noisy_starts

SLOW = (zero_action_stands_from_forty_noisy_starts,)
EXAMPLES = 60 * int(os.environ.get("MESOZOIC_FUZZ", "1"))
WORDS = [
    "",
    "0",
    "-1",
    "1e309",
    "nan",
    "inf",
    "true",
    "left",
    "\x1b[31m",
    '"',
    "[",
    "]",
    "<",
    "/>",
    "é",
    "floor",
    "a" * 5000,
]
PIECE = re.compile(r'[A-Za-z_][A-Za-z0-9_]*|-?[0-9.]+|[<>="/\[\]]|\s+')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_animal(tmp_path_factory.mktemp("mutated") / "raptor")


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in ("facts.toml", "model.xml")}


def mutate(text: str, draw: st.DrawFn) -> str:
    """One to three changes: a piece removed, doubled or replaced, a line removed, the text cut, a character put in."""
    for _ in range(draw(st.integers(1, 3))):
        pieces = list(PIECE.finditer(text)) or [re.match("", text)]
        piece = pieces[draw(st.integers(0, len(pieces) - 1))]
        assert piece is not None
        begin, end = piece.span()
        action = draw(st.sampled_from(["remove", "double", "word", "swap", "line", "cut", "byte"]))
        if action == "remove":
            text = text[:begin] + text[end:]
        elif action == "double":
            text = text[:end] + text[begin:]
        elif action == "word":
            text = text[:begin] + draw(st.sampled_from(WORDS)) + text[end:]
        elif action == "swap":
            other = pieces[draw(st.integers(0, len(pieces) - 1))]
            assert other is not None
            text = text[:begin] + other[0] + text[end:]
        elif action == "line":
            lines = text.splitlines(keepends=True) or [""]
            del lines[draw(st.integers(0, len(lines) - 1))]
            text = "".join(lines)
        elif action == "cut":
            text = text[:begin]
        else:
            text = text[:begin] + chr(draw(st.integers(0, 255))) + text[begin:]
    return text


@pytest.mark.parametrize("file", ["facts.toml", "model.xml"])
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_changed_file_is_read_or_refused_in_one_sentence(
    file: str, data: st.DataObject, folder: Path, whole: dict[str, str]
) -> None:
    for name, text in whole.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / file).write_text(data.draw(st.composite(lambda draw: mutate(whole[file], draw))()), encoding="utf-8")
    said = "nothing"
    try:
        body = Body(load_species(folder))
        verdicts = [check(body) for check in CHECKS if check not in SLOW]
        assert all(verdict.figures.isprintable() for verdict in verdicts)
    except UserError as error:
        said = str(error)
    assert len(said) <= 300 and said.isprintable(), said
