"""What `sweep launch` and `sweep launch-all` make of their common options: the request for the sweep of one stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import typer

from mesozoic.cli.sweep_vertex import VertexOptions, mounted

if TYPE_CHECKING:
    from mesozoic.sweep.plan import SweepRequest

DefaultPruner = Literal["asha", "hyperband", "median"]
DEFAULT_PRUNERS: dict[str, DefaultPruner] = {"local": "asha", "wandb": "hyperband", "vertex": "median"}
AS_GIVEN = (
    *("trials", "timesteps", "n_envs", "eval_freq", "sampler", "pruner", "objective", "seed"),
    *("backend", "algorithm", "physics"),
)
"""Options that have the same name in the request."""


def known_engine(name: str) -> str:
    """That name.

    Raises:
        UserError: no engine has it.
    """
    from mesozoic.errors import UserError, shown

    if name not in DEFAULT_PRUNERS:
        raise UserError(f"unknown engine '{shown(name)}'; give one of {', '.join(DEFAULT_PRUNERS)}")
    return name


def sweep_request(
    options: Mapping[str, Any], species: str | None, stage: int | None, overrides: Sequence[str], **own: Any
) -> SweepRequest:
    """The request for the sweep of a stage.

    Args:
        options: of the command, by the names of its parameters.
        own: what was given for that stage alone, by the names of the request.

    Raises:
        UserError: --parallel is no number.
    """
    from mesozoic.sweep.plan import SweepRequest

    elsewhere = options["engine"] == "vertex"
    load = options["load"]
    common = {name: options[name] for name in AS_GIVEN} | {"parallel": read_parallel(options["parallel"])}
    return SweepRequest(
        species=species,
        stage=stage,
        file=options["search_space_file"],
        text=options["search_space"],
        seeds=options["seeds_per_trial"],
        load=mounted(load) if elsewhere else load,
        overrides=tuple(overrides),
        default_pruner=DEFAULT_PRUNERS[options["engine"]],
        here=not elsewhere,
        gpu=elsewhere and VertexOptions.of(options).gpu(),
        **{**common, **own},
    )


def need_optuna(dry_run: bool) -> None:
    """Refuse a local sweep where it cannot run, before anything is written; a dry run says so only.

    Raises:
        UserError: Optuna is missing, and the sweep is meant in earnest.
    """
    from mesozoic.errors import UserError
    from mesozoic.sweep.engines.storage import storage_problem

    problem = storage_problem()
    if problem and not dry_run:
        raise UserError(problem)
    if problem:
        typer.echo(f"warning: {problem}", err=True)


def read_parallel(text: str) -> int | None:
    """How many trials run side by side, which `plan_sweep` checks; None for `auto`.

    Raises:
        UserError: it is neither that nor a number.
    """
    from mesozoic.errors import UserError, shown

    if text == "auto":
        return None
    if not text.isdecimal() or len(text) > 9:
        raise UserError(f"--parallel '{shown(text)}' is no number of trials; give auto, or for example --parallel 4")
    return int(text)
