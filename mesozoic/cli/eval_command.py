"""`mesozoic eval`: figures of a trained policy beside the baselines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    policy: Annotated[Path, typer.Argument(help="Policy file or run folder.", metavar="POLICY_OR_RUN")],
    species: Annotated[str | None, typer.Option(help="Refuse a policy of any other species.")] = None,
    episodes: Annotated[int | None, typer.Option(help="Episodes, all at once.", min=1, max=65536)] = None,
    seed: Annotated[int, typer.Option(help="Which episodes; training never sees any of them.", min=0)] = 0,
    override: Annotated[list[str] | None, typer.Option(help="section.key=value of the stage.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 unless the gate passes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Evaluate a policy on unseen episodes, beside a statue and random actions."""
    from mesozoic.cli.policies import open_policy
    from mesozoic.curriculum.gate import Gate, check_gate
    from mesozoic.evaluate.episodes import baselines, run_episodes
    from mesozoic.sim.samples import Stream

    loaded, animal, config = open_policy(policy, species, override or [])
    if episodes is not None:
        plan = config.curriculum.model_copy(update={"eval_episodes": episodes})
        config = config.model_copy(update={"curriculum": plan})
    check_gate(config.curriculum)
    figures = {"policy": run_episodes(loaded.act, animal, config, seed, Stream.EVAL).summary()}
    figures |= baselines(animal, config, seed, Stream.EVAL)
    verdict = Gate(config.curriculum, figures["statue"]).judge(figures["policy"])
    if as_json:
        result = {"species": animal.name, "stage": loaded.stage, "seed": seed, "stage_passed": verdict.passed}
        typer.echo(json.dumps({**result, "gate": verdict.to_json(), **figures}, indent=2))
    else:
        _print_table(f"{animal.name} stage {loaded.stage}", figures, config.curriculum.eval_episodes)
        typer.echo("gate: " + ("passed" if verdict.passed else "not passed: " + "; ".join(verdict.failures())))
    if check and not verdict.passed:
        raise typer.Exit(1)


def _print_table(title: str, figures: dict[str, dict[str, float]], episodes: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "survival", "95 % bounds", "length", "reward", title=f"{title}, {episodes} unseen episodes")
    for name, row in figures.items():
        bounds = f"{row['survival_low']:.3f} to {row['survival_high']:.3f}"
        length, reward = f"{row['avg_episode_length']:.0f}", f"{row['avg_reward']:.1f}"
        table.add_row(name, f"{row['survival']:.3f}", bounds, length, reward)
    Console().print(table)
