"""Makes a training of what was typed after `train` and `curriculum`: a species, overrides, options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mesozoic.errors import UserError, did_you_mean, shown

if TYPE_CHECKING:
    from mesozoic.run.spec import RunSpec


def option_names(context: typer.Context) -> list[str]:
    """The options of the command being run, `--seed` and so on."""
    return [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]


def stage_flags(
    timesteps: int | None = None,
    n_envs: int | None = None,
    eval_freq: int | None = None,
    save_freq: int | None = None,
) -> list[str]:
    """Overrides for the options that set a key of the stage."""
    flags = {
        "curriculum.timesteps": timesteps,
        "stage.n_envs": n_envs,
        "curriculum.eval_freq": eval_freq,
        "curriculum.save_freq": save_freq,
    }
    return [f"{path}={value}" for path, value in flags.items() if value is not None]


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
    from mesozoic.config.override import flag_text

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
    from mesozoic.config.override import IGNORED, SECTIONS

    return name in IGNORED or "." in name or any(name.startswith(f"{section}_") for section in SECTIONS)


def typed_spec(
    context: typer.Context,
    arguments: Sequence[str] | None,
    override: Sequence[str] | None,
    flags: Sequence[str],
    *,
    stage: int | None = None,
    target: int | None = None,
    seed: int,
    backend: str,
    algorithm: str,
    load: Path | None = None,
) -> RunSpec:
    """The training that was asked for, not checked yet.

    Raises:
        UserError: an argument is neither a species, nor an override, nor an option.
    """
    from mesozoic.run.spec import DEFAULT_SPECIES, RunSpec

    tokens = [*(arguments or []), *context.args]
    species, overrides = sort_arguments(tokens, override or [], option_names(context), context.info_name or "train")
    return RunSpec(
        species=species or DEFAULT_SPECIES,
        stage=stage,
        target=target,
        seed=seed,
        backend=backend,
        algorithm=algorithm,
        overrides=(*overrides, *flags),
        load=load,
    )
