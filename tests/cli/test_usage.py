"""A command line that Typer itself refuses gets what every other mistake gets: one `error:` line and exit code 2."""

from __future__ import annotations

import sys

import pytest

from mesozoic.cli.app import main
from mesozoic.errors import LONGEST, brief, ending_of
from mesozoic.errors import UserError as Mistake


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["mesozoic", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "phrases"),
    [
        (["nope"], ["no such command 'nope'", "see 'mesozoic --help'"]),
        (["--nope"], ["--nope", "see 'mesozoic --help'"]),
        (["cloud", "nope"], ["no such command 'nope'", "see 'mesozoic cloud --help'"]),
        (["eval"], ["missing argument 'POLICY'", "see 'mesozoic eval --help'"]),
        (["eval", "trex", "--episodes", "0"], ["--episodes", "greater than or equal to 1"]),
        (["eval", "trex", "--nope"], ["--nope", "see 'mesozoic eval --help'"]),
        (["render", "trex", "--seed"], ["'--seed' requires an argument"]),
        (["train", "--stage", "one"], ["--stage", "integer"]),
        (["train", "--seed", "x" * 5000], ["--seed", "see 'mesozoic train --help'"]),
        (["eval", "trex", "--\x1b[2J\nerror: forged"], ["no such option"]),
    ],
    ids=lambda value: " ".join(value)[:30] if value and isinstance(value[0], str) else "",
)
def test_one_line(
    arguments: list[str], phrases: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("error: ") and error.count("\n") == 1 and error.strip().isprintable()
    assert len(error) < LONGEST + 20
    for phrase in phrases:
        assert phrase in error


@pytest.mark.parametrize("arguments", [[], ["cloud"]])
def test_no_command_prints_the_help(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, *arguments)
    out, error = capsys.readouterr()
    assert "Usage: mesozoic" in out + error and "error" not in out + error


def test_a_sentence_with_endless_paths_is_cut_where_they_are() -> None:
    long = "/".join(["folder"] * 300)
    said = ending_of(Mistake(f"{long} is no policy of {long}; give another one"))
    assert said is not None
    assert len(said[0]) < LONGEST + 20
    assert " is no policy of " in said[0] and said[0].endswith("; give another one")
    short = "a sentence " * 25
    assert brief(short) == short, "only what was typed is cut"
    assert len(brief("a b " * 1000)) <= 3 * LONGEST + 20
