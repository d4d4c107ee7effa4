"""Sweeps all stages of an animal, each from the best trial's policy of the one before, with its network.

Which engine sweeps a stage, this does not know. After each stage the state says what won, and while a stage runs it
says what runs, so the same command goes on (see `chain_state`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from mesozoic.config.override import write_value
from mesozoic.errors import Problems, UserError, sentences_of
from mesozoic.learn.kinds import find_kind
from mesozoic.run.problems import resolve
from mesozoic.run.spec import RunSpec
from mesozoic.species.stages import stage_files
from mesozoic.sweep.best import curriculum_command, settings_of
from mesozoic.sweep.chain_state import ChainState, Job, StageWinner
from mesozoic.sweep.handed_on import policy_name
from mesozoic.sweep.plan import SweepPlan, SweepRequest, plan_sweep
from mesozoic.sweep.space import Point, with_point


@dataclass(frozen=True)
class Best:
    """The best trial of a stage."""

    trial: str
    state: str
    value: float
    point: Point


class StageEngine(Protocol):
    """Sweeps one stage after the other."""

    def sweep(self, plan: SweepPlan, job: Job, note: Callable[[Job], None]) -> Best:
        """Sweep a stage to its end; the best trial.

        Args:
            job: what an earlier call noted of this same sweep, which goes on then; empty at first.
            note: writes down what must be known to go on with it.

        Raises:
            UserError: it cannot be swept, or no trial of it ran to its end. Interrupted: the same command goes on.
        """

    def has(self, policy: str) -> bool:
        """Whether the policy of an earlier winner is there, or could be brought there."""

    def place(self, policy: str) -> Path:
        """Where a trial finds a policy that another one handed on."""


def plans_of(requests: Mapping[int, SweepRequest]) -> dict[int, SweepPlan]:
    """See that every stage could be swept, as far as that can be said before the one before it has a winner.

    Raises:
        UserError: a sentence for everything that is wrong, in any stage.
    """
    wrong: list[str] = []
    plans: dict[int, SweepPlan] = {}
    for stage, request in requests.items():
        try:
            plans[stage] = plan_sweep(replace(request, load=None if stage != min(requests) else request.load))
            wrong += [
                f"stage {stage}: {one.path} is searched, but later stages take the network of the one before; search it"
                f" in stage {min(requests)} only"
                for one in plans[stage].parameters
                if one.path.endswith(".net_arch") and stage != min(requests)
            ]
        except UserError as error:
            wrong += [f"stage {stage}: {sentence}" for sentence in sentences_of(error)]
    if wrong:
        raise Problems(wrong)
    return plans


def run_chain(
    requests: Mapping[int, SweepRequest], engine: StageEngine, state: ChainState, say: Callable[[str], None]
) -> list[StageWinner]:
    """Sweep stage after stage; the winner of each.

    Args:
        requests: stage -> what was asked for.

    Raises:
        UserError: a stage cannot be swept, or no trial of it ran to its end.
        Interrupted: a signal came; the same command goes on.
    """
    plans_of(requests)
    winners: list[StageWinner] = []
    for stage in sorted(requests):
        request, last = requests[stage], winners[-1] if winners else None
        if last is not None:
            overrides = (last.net_arch, *request.overrides)
            request = replace(request, load=engine.place(last.policy), overrides=overrides)
        plan = plan_sweep(request)
        identity = _identity(plan, last)
        found = state.winner(stage, identity)
        if found is not None and engine.has(found.policy):
            say(f"stage {stage} is over: trial {found.trial}, {plan.objective} {found.value:.4f}")
            winners.append(found)
            continue

        def note(job: Job, stage: int = stage, identity: str = identity) -> None:
            state.note({**job, "stage": stage, "identity": identity})

        job = state.job if state.job.get("identity") == identity else {}
        winners.append(_winner(plan, engine.sweep(plan, job, note), identity, request.here))
        state.won(winners[-1])
        say(f"stage {stage}: trial {winners[-1].trial} won, {plan.objective} {winners[-1].value:.4f}")
    return winners


def stages_of(species: str) -> list[int]:
    """The stages of an animal, in order.

    Raises:
        UserError: there is no such animal.
    """
    return sorted(stage_files(species))


def _identity(plan: SweepPlan, last: StageWinner | None) -> str:
    """What makes the sweep of a stage this one: what is searched, and which trial it begins from, wherever it lies."""
    if last is None:
        return plan.digest()
    own = replace(plan, spec=replace(plan.spec, load=None)).digest()
    return hashlib.sha256(f"{own} {last.identity} {last.trial}".encode()).hexdigest()[:8]


def _winner(plan: SweepPlan, best: Best, identity: str, here: bool) -> StageWinner:
    spec = with_point(plan.spec, best.point)
    (resolved,) = resolve(replace(spec, load=None), here)
    kind = find_kind(spec.backend, spec.algorithm)
    arch = f"{kind.section}.net_arch={write_value(list(kind.hidden(resolved.config)))}"
    policy = policy_name(plan.stage, best.trial)
    overrides = settings_of(plan.stage, spec.overrides)
    return StageWinner(plan.stage, best.trial, best.state, best.value, policy, arch, overrides, identity)


def final_command(spec: RunSpec, winners: Sequence[StageWinner]) -> str:
    """What to type to train a curriculum with all winners.

    Args:
        spec: the training of the first stage, for the learner.
    """
    found = [text for winner in winners for text in winner.overrides if ".net_arch=" not in text]
    raw: dict[str, Any] = spec.to_json()
    return curriculum_command(raw, [winners[0].net_arch, *found])


def set_aside(path: Path) -> Path | None:
    """Move an earlier chain away, for one that begins anew; where to.

    Raises:
        UserError: it cannot be moved.
    """
    if not path.exists():
        return None
    number = 1
    while (aside := path.with_name(f"{path.name}.old{number}")).exists():
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        raise UserError(f"cannot move {path} aside ({error.strerror}); give another --output-dir") from None
    return aside
