"""`mesozoic export`: a policy for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesozoic.cli.options import PolicyArgument, PolicySpecies, PolicyStage, StageOverride, StageWords, path_option


def export(
    policy: PolicyArgument,
    words: StageWords = None,
    stage: PolicyStage = None,
    species: PolicySpecies = None,
    to: Annotated[str, typer.Option("--format", help="onnx (extra [export]), npz (NumPy alone) or c (C99).")] = "onnx",
    output: Annotated[Path | None, path_option("File; default: beside the policy. A .json goes beside it.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Run it on its 16 test vectors first.")] = False,
    override: StageOverride = None,
) -> None:
    """Export a policy as ONNX, NumPy arrays or C: raw observation in, action and servo targets in radians out."""
    from mesozoic.export.policy_export import export_policy

    overrides = [*(override or []), *(words or [])]
    done = export_policy(policy, stage, species, to=to, output=output, check=check, overrides=overrides)
    if done.error is not None:
        verdict = "agrees" if done.sound else "does NOT agree, so nothing was written"
        limit = done.contract["tolerance"]
        typer.echo(f"check: {verdict}; largest difference {done.error:.1e}, at most {limit:.0e} is allowed")
    if not done.sound:
        raise typer.Exit(1)
    for path in done.files:
        typer.echo(f"wrote {path}")
