"""Makes a training of words: what stands after `mesozoic train` and `mesozoic curriculum`, however it came there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mesozoic.config.override import IGNORED, SECTIONS, flag_text
from mesozoic.errors import UserError, did_you_mean, shown
from mesozoic.run.spec import DEFAULT_SPECIES, RunSpec

STAGE_KEYS = {
    "timesteps": "curriculum.timesteps",
    "n-envs": "stage.n_envs",
    "eval-freq": "curriculum.eval_freq",
    "save-freq": "curriculum.save_freq",
}
"""Options that set a key of the stage."""
NUMBERS = ("stage", "target", "seed", *STAGE_KEYS)
TEXTS = ("backend", "algorithm", "physics", "gpu-ids", "load", "override", "output-dir", "log-dir")
SWITCHES = ("wandb", "subproc", "json", "resume", "no-resume", "strict")
OPTIONS = (*NUMBERS, *TEXTS, *SWITCHES)
"""All options of `train` and `curriculum`; a test holds them against the commands."""


LONGEST_NAME = 255
"""Bytes of a file's name on every common file system."""


def whole_number(text: str) -> int:
    """Read `1000000`, `1e6` or `1000000.0`.

    Raises:
        ValueError: it is no whole number.
    """
    if re.fullmatch(r"[+-]?[0-9]{1,30}", text.strip()):
        return int(text)
    number = float(text)
    if not number.is_integer():
        raise ValueError(text)
    return int(number)


def stage_flags(values: Mapping[str, int | None]) -> list[str]:
    """Overrides for the options, by name, that set a key of the stage."""
    return [f"{STAGE_KEYS[name]}={value}" for name, value in values.items() if value is not None]


def sort_arguments(
    tokens: Sequence[str], overrides: Sequence[str], options: Sequence[str], command: str = "train"
) -> tuple[str | None, list[str]]:
    """Species, if there is one, and the texts of overrides, later ones winning.

    Args:
        tokens: what is neither a known option nor its value: `trex`, `ppo.gamma=0.9`,
            `--ppo.gamma=0.9`, `--ppo_gamma`, `0.9`.
        overrides: values of `--override`.
        options: names of the command's own options, to suggest from.

    Raises:
        UserError: a token is none of these, or there are two species.
    """
    found = list(overrides)
    species: list[str] = []
    left = list(tokens)
    while left:
        token = left.pop(0)
        if token.startswith("--"):
            name, equals, value = token[2:].partition("=")
            if not _is_override(name):
                near = did_you_mean(f"--{name}", options) or ";"
                raise UserError(f"unknown option '--{shown(name)}'{near} see 'mesozoic {command} --help'")
            if not equals:
                if not left:
                    raise UserError(f"option '{shown(token)}' needs a value, for example {shown(token)}=1e-4")
                value = left.pop(0)
            text = flag_text(name, value)
            found += [] if text is None else [text]
        elif "=" in token:
            found.append(token)
        elif token.startswith("-"):
            raise UserError(f"unknown option '{shown(token)}'; see 'mesozoic {command} --help'")
        else:
            species.append(token)
    if len(species) > 1:
        first, second = map(shown, species[:2])
        raise UserError(f"two species, '{first}' and '{second}'; train one, and write overrides as key=value")
    return (species[0] if species else None), found


def _is_override(name: str) -> bool:
    return name.startswith(IGNORED) or "." in name or any(name.startswith(f"{section}_") for section in SECTIONS)


def spec_of_words(words: Sequence[str], command: str = "train") -> RunSpec:
    """The training that `mesozoic COMMAND WORDS...` would begin; its values are not checked yet.

    Raises:
        UserError: a word is no option, override or species, or an option lacks its value.
    """
    given: dict[str, str] = {}
    overrides: list[str] = []
    free: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word[2:].partition("=")
        if not word.startswith("--") or name not in OPTIONS:
            free.append(word)
            continue
        if name in SWITCHES:
            continue
        if not equals:
            if not left:
                raise UserError(f"option '--{name}' needs a value")
            value = left.pop(0)
        if name == "override":
            overrides.append(value)
        else:
            given[name] = value
    species, texts = sort_arguments(free, overrides, [f"--{name}" for name in OPTIONS], command)
    numbers = {name: _number(name, given[name]) for name in NUMBERS if name in given}
    flags = stage_flags({name: numbers[name] for name in STAGE_KEYS if name in numbers})
    return RunSpec(
        species=species or DEFAULT_SPECIES,
        stage=numbers.get("stage", 1) if command == "train" else None,
        target=numbers.get("target"),
        seed=numbers.get("seed", 0),
        backend=given.get("backend", "auto"),
        algorithm=given.get("algorithm", "ppo"),
        physics=given.get("physics", "native"),
        gpu_ids=given.get("gpu-ids", ""),
        overrides=(*texts, *flags),
        load=Path(given["load"]) if "load" in given else None,
    )


def _number(name: str, text: str) -> int:
    try:
        return whole_number(text)
    except (ValueError, OverflowError):
        raise UserError(
            f"--{name} '{shown(text)}' is not a whole number; give for example --{name} {_EXAMPLES.get(name, 1)}"
        ) from None


_EXAMPLES = {"timesteps": 2000000, "n-envs": 256, "eval-freq": 200000, "save-freq": 200000, "seed": 0}


def read_path(value: str | Path) -> Path:
    """Read a path as a shell would.

    Raises:
        UserError: it is empty, or no system has so long a name.
    """
    from mesozoic.errors import UserError, shown, written

    text = str(value)
    if not text.strip() or "\0" in text:
        raise UserError(f"a path is {shown(written(text))}; give the name of a file or folder, or leave the option out")
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in Path(text).parts):
        raise UserError(f"'{shown(text)}' is too long for a name; give a shorter one")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no such user
        raise UserError(f"'{shown(text)}' names the home folder of nobody; give the whole path") from None
