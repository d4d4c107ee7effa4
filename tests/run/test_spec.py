"""What is asked for survives being written, read and typed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesozoic.cli.app import app
from mesozoic.config import Override, parse_override
from mesozoic.config.override import SECTIONS, section_keys
from mesozoic.errors import UserError
from mesozoic.run.problems import problems
from mesozoic.run.spec import RunSpec
from mesozoic.run.words import OPTIONS, spec_of_words, whole_number

TEXT = st.text(max_size=20)
SPECS = st.builds(
    RunSpec,
    species=TEXT,
    stage=st.none() | st.integers(),
    target=st.none() | st.integers(),
    seed=st.integers(),
    backend=TEXT,
    algorithm=TEXT,
    physics=TEXT,
    gpu_ids=TEXT,
    overrides=st.lists(TEXT, max_size=4).map(tuple),
    load=st.none() | st.text(min_size=1, max_size=20).map(Path),
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**15), 10**15),
    st.floats(allow_nan=False),
    TEXT,
    st.lists(st.integers() | st.floats(allow_nan=False) | st.booleans() | TEXT, max_size=4),
)
PATHS = [(section, key) for section in SECTIONS for key in section_keys(section)]


@given(SPECS)
def test_a_training_survives_json(spec: RunSpec) -> None:
    assert RunSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@given(SPECS, st.sets(st.sampled_from(list(RunSpec().to_json()))))
def test_what_is_missing_in_json_has_its_default(spec: RunSpec, missing: set[str]) -> None:
    raw = {name: value for name, value in spec.to_json().items() if name not in missing}
    read = RunSpec.from_json(raw)
    for name in spec.to_json():
        assert getattr(read, name) == getattr(RunSpec() if name in missing else spec, name)


@given(SPECS)
def test_any_training_is_judged(spec: RunSpec) -> None:
    """Whatever it is, it gets sentences and no traceback."""
    assert all(len(sentence) < 1000 and "\n" not in sentence for sentence in problems(spec))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"sede": 1}, "no 'sede'; did you mean 'seed'?"),
        ({"seed": "1"}, "seed of a training is '1'; give a value of type int"),
        ({"seed": True}, "seed of a training is True"),
        ({"stage": 1.0}, "stage of a training is 1.0"),
        ({"overrides": "ppo.gamma=1"}, "give a value of type list"),
        ({"overrides": [1]}, "override 1 is no text"),
        ({"species": None}, "species of a training is None"),
    ],
)
def test_json_that_is_no_training(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        RunSpec.from_json(raw)
    assert words in str(caught.value)


@given(st.sampled_from(PATHS), VALUES, st.none() | st.integers(1, 99))
def test_an_override_survives_being_written(path: tuple[str, str], value: Any, stage: int | None) -> None:
    override = Override(*path, value, stage)
    read = parse_override(str(override))
    assert read == override and type(read.value) is type(override.value)


@pytest.mark.parametrize(
    ("text", "number"), [("256", 256), ("1e6", 10**6), ("1000000.0", 10**6), ("-1", -1), ("+3", 3), ("1e3 ", 1000)]
)
def test_whole_numbers(text: str, number: int) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["", "x", "1.5", "nan", "inf", "1e400", "²", "0x10"])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        whole_number(text)


def test_words_become_a_training() -> None:
    words = ["trex", "--stage=2", "--timesteps", "1e6", "--ppo_gamma", "0.9", "--wandb", "--override", "ppo.n_epochs=3"]
    words += ["2.ppo.n_steps=8", "--output-dir", "runs/x", "--load=p.zip", "--seed", "5", "--algorithm", "sac"]
    assert spec_of_words(words) == RunSpec(
        species="trex",
        stage=2,
        seed=5,
        algorithm="sac",
        overrides=("ppo.n_epochs=3", "ppo.gamma=0.9", "2.ppo.n_steps=8", "curriculum.timesteps=1000000"),
        load=Path("p.zip"),
    )
    assert spec_of_words([]) == RunSpec(stage=1)
    assert spec_of_words(["--target", "2"], "curriculum") == RunSpec(target=2)


@pytest.mark.parametrize("words", [["--seed"], ["--seed", "x"], ["--sede", "1"], ["a", "b"], ["-x"], ["--foo_bar=1"]])
def test_words_that_are_none(words: list[str]) -> None:
    with pytest.raises(UserError):
        spec_of_words(words)


def test_the_options_are_those_of_the_commands() -> None:
    """Words of a sweep's command are read without the command line, which must not know other options."""
    import typer

    command = typer.main.get_command(app)
    found: set[str] = set()
    for name in ("train", "curriculum"):
        for parameter in command.commands[name].params:  # type: ignore[attr-defined]
            found |= {option[2:] for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("--")}
    assert found - {"help"} == set(OPTIONS)
