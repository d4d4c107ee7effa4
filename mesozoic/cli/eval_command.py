"""`mesozoic eval`: figures of a trained policy beside the baselines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mesozoic.cli.options import (
    Ghosts,
    HtmlPage,
    PolicyArgument,
    PolicySpecies,
    PolicyStage,
    StageOverride,
    StageWords,
    path_option,
    refuse_ghosts,
)

if TYPE_CHECKING:
    from rich.table import Table

    from mesozoic.evaluation.episodes import Episodes, Summary
    from mesozoic.run.evaluation import Evaluation


def evaluate(
    policy: PolicyArgument,
    words: StageWords = None,
    stage: PolicyStage = None,
    species: PolicySpecies = None,
    episodes: Annotated[int | None, typer.Option(help="Episodes, all at once.", min=1, max=65536)] = None,
    seed: Annotated[int, typer.Option(help="Which episodes; training never sees any of them.", min=0)] = 0,
    override: StageOverride = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 unless the gate passes.")] = False,
    gait: Annotated[bool, typer.Option("--gait", help="Print gait figures and draw the footfalls.")] = False,
    footfalls: Annotated[
        Path | None, path_option("Footfall diagram (.png) of the first episode; default: beside the policy.")
    ] = None,
    html: HtmlPage = None,
    ghost: Ghosts = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Evaluate a policy on unseen episodes, beside a statue and random actions."""
    from mesozoic.errors import UserError

    if footfalls is not None and footfalls.suffix != ".png":
        raise UserError(f"'{footfalls}' does not end in .png; give a file name that does")

    if html is not None:
        from mesozoic.page.html import check_html

        check_html(html)
    refuse_ghosts(ghost, html)

    if ghost:
        from mesozoic.page.replays import check_ghosts

        check_ghosts(ghost, policy, stage, species)

    from mesozoic.rendering.recording import PoseRecorder
    from mesozoic.run.evaluation import evaluate_policy
    from mesozoic.run.policy_source import policy_file

    poses = None if html is None else PoseRecorder()
    gait = gait or footfalls is not None
    overrides = [*(override or []), *(words or [])]
    found = evaluate_policy(
        policy, stage, species, episodes, seed, overrides, must_judge=check, must_walk=gait, poses=poses
    )
    animal, number = found.species, found.stage
    title = f"{animal.name} stage {number}"
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, allow_nan=False))
    else:
        plan = found.config.curriculum
        _print_table(title, found.figures, plan.eval_episodes, found.config.env.task == "balance")
        typer.echo(f"gate: {_judged(found)}")
        if gait:
            _print_gait(title, found.episodes)
    if gait:
        diagram = footfalls or _beside(policy_file(policy, stage), f"footfalls-{animal.name}-stage{number}.png")
        _draw_footfalls(found.episodes, f"{animal.title}, stage {number} ({found.config.stage.name})", diagram)
        typer.echo(f"footfalls {diagram}", err=as_json)
    if html is not None and poses is not None:
        from mesozoic.page.replays import replay_evaluation

        page = replay_evaluation(found, poses, policy, html, ghost or ())
        some = "" if page.shown == page.of else f", which {page.shown} of {page.of} fill"
        typer.echo(f"page {html} ({page.size / 1e6:.2f} MB{some}): its episodes, failures first", err=as_json)
    if check and not found.passed:
        raise typer.Exit(1)


def _judged(found: Evaluation) -> str:
    if found.verdict is None:
        return f"not judged: {found.not_judged}"
    return "passed" if found.verdict.passed else "not passed: " + "; ".join(found.verdict.failures())


def _print_table(title: str, figures: dict[str, Summary], episodes: int, balance: bool) -> None:
    """One line for each actor. In balance, success is survival, so it has no columns of its own."""
    shares = ("survival",) if balance else ("success", "survival")
    columns = [f"{share}\n(95 % bounds)" for share in shares]
    table = _table(f"{title}, {episodes} unseen episodes", "", *columns, "length", "reward")
    for name, row in figures.items():
        cells = [f"{row[share]:.3f} ({row[f'{share}_low']:.3f}-{row[f'{share}_high']:.3f})" for share in shares]
        table.add_row(name, *cells, f"{row['avg_episode_length']:.0f}", f"{row['avg_reward']:.1f}")
    _print(table)


def _print_gait(title: str, run: Episodes) -> None:
    """Mean and spread of the policy's gait figures, and the footfall sequence of a quadruped."""
    from mesozoic.evaluation.gait_report import footfall_sequence, gait_table

    assert run.trace is not None and run.gait is not None
    count = len(run.length)
    table = _table(f"{title}, gait of the policy", "", "mean", "5 % to 95 %", "")
    for row in gait_table(run.trace, run.gait):
        mean, spread = (f"{row.mean:.3f}", f"{row.low:.3f} to {row.high:.3f}") if row.episodes else ("none", "")
        some = "" if row.episodes == count else f" ({row.episodes} of {count} episodes)"
        table.add_row(row.name, mean, spread, row.meaning + some)
    _print(table)
    sequence = footfall_sequence(run.trace, run.gait)
    if sequence is not None:
        typer.echo(f"footfalls: {sequence}")


def _table(title: str, *columns: str) -> Table:
    """An empty table without vertical lines, so that it fits in 80 columns."""
    from rich.box import SIMPLE
    from rich.table import Table

    return Table(*columns, title=title, box=SIMPLE, padding=(0, 1, 0, 0))


def _print(table: Table) -> None:
    from rich.console import Console

    Console().print(table)


def _draw_footfalls(run: Episodes, title: str, path: Path) -> None:
    from mesozoic.evaluation.gait import settle_steps
    from mesozoic.evaluation.gait_report import figures_line
    from mesozoic.rendering.footfall_diagram import draw_footfalls

    assert run.trace is not None and run.gait is not None
    figures = figures_line(run.trace, 0, run.gait)
    draw_footfalls(run.trace, 0, f"{title}, episode 0", path, figures, settle_steps(run.trace))


def _beside(policy: Path, name: str) -> Path:
    """Where a diagram goes: beside a policy that lies in a run folder one may write to, else right here."""
    in_run = policy.parent.name == "models" and (policy.parent.parent / "stage_config.json").is_file()
    if in_run and os.access(policy.parent, os.W_OK | os.X_OK):
        return policy.with_name(f"{policy.stem}-{name}")
    return Path(name)
