"""Sorts the arguments of `train` and `curriculum` into a species and overrides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from mesozoic.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from mesozoic.config import Override


def option_names(context: typer.Context) -> list[str]:
    """The options of the command being run, `--seed` and so on."""
    return [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]


def stage_flags(
    timesteps: int | None, n_envs: int | None, eval_freq: int | None, save_freq: int | None
) -> list[Override]:
    """Overrides for the options that set a key of the stage."""
    from mesozoic.config import Override

    flags = {
        ("curriculum", "timesteps"): timesteps,
        ("stage", "n_envs"): n_envs,
        ("curriculum", "eval_freq"): eval_freq,
        ("curriculum", "save_freq"): save_freq,
    }
    return [Override(section, key, value) for (section, key), value in flags.items() if value is not None]


def sort_arguments(
    tokens: Sequence[str], overrides: Sequence[str], options: Sequence[str], default: str, command: str = "train"
) -> tuple[str, list[Override]]:
    """Species and overrides from `--override` values and free tokens, later ones winning.

    Args:
        tokens: what is neither a known option nor its value: `trex`, `ppo.gamma=0.9`,
            `--ppo.gamma=0.9`, `--ppo_gamma`, `0.9`.
        overrides: values of `--override`.
        options: names of the command's own options, to suggest from.

    Raises:
        UserError: a token is none of these, or there are two species.
    """
    from mesozoic.config import parse_flag, parse_override

    found = [parse_override(text) for text in overrides]
    species: list[str] = []
    left = list(tokens)
    while left:
        token = left.pop(0)
        if token.startswith("--"):
            name, equals, value = token[2:].partition("=")
            if not _is_override(name):
                raise UserError(
                    f"unknown option '--{name}'{did_you_mean(f'--{name}', options)} see 'mesozoic {command} --help'"
                )
            if not equals:
                if not left:
                    raise UserError(f"option '{token}' needs a value, for example {token}=1e-4")
                value = left.pop(0)
            override = parse_flag(name, value)
            found += [] if override is None else [override]
        elif "=" in token:
            found.append(parse_override(token))
        elif token.startswith("-"):
            raise UserError(f"unknown option '{token}'; see 'mesozoic {command} --help'")
        else:
            species.append(token)
    if len(species) > 1:
        raise UserError(f"two species, '{species[0]}' and '{species[1]}'; train one, and write overrides as key=value")
    return (species[0] if species else default), found


def _is_override(name: str) -> bool:
    from mesozoic.config.override import IGNORED, SECTIONS

    return name in IGNORED or "." in name or any(name.startswith(f"{section}_") for section in SECTIONS)
