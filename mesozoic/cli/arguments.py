"""Makes a training of what was typed after `train` and `curriculum`: free words and the values of options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mesozoic.run.spec import RunSpec


def typed_spec(
    context: typer.Context,
    arguments: Sequence[str] | None,
    override: Sequence[str] | None,
    flags: Mapping[str, int | None],
    *,
    stage: int | None = None,
    target: int | None = None,
    seed: int,
    backend: str,
    algorithm: str,
    physics: str,
    gpu_ids: str,
    load: Path | None = None,
) -> RunSpec:
    """The training that was asked for, not checked yet.

    Args:
        flags: values of the options that set a key of the stage.

    Raises:
        UserError: an argument is neither a species, nor an override, nor an option.
    """
    from mesozoic.run.spec import DEFAULT_SPECIES, RunSpec
    from mesozoic.run.words import sort_arguments, stage_flags

    options = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    tokens = [*(arguments or []), *context.args]
    species, overrides = sort_arguments(tokens, override or [], options, context.info_name or "train")
    return RunSpec(
        species=species or DEFAULT_SPECIES,
        stage=stage,
        target=target,
        seed=seed,
        backend=backend,
        algorithm=algorithm,
        physics=physics,
        gpu_ids=gpu_ids,
        overrides=(*overrides, *stage_flags(flags)),
        load=load,
    )
