"""The agents of a rented sweep while they work: waiting for them, what came of them, and cancelling their sweep."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mesozoic.cloud.ledger import Kind, begin
from mesozoic.cloud.sky.client import Job, Unreachable
from mesozoic.cloud.sky.finish import SILENCE
from mesozoic.cloud.sky.sweep_plan import CLUSTER_FILE, RentedSweep
from mesozoic.errors import UserError
from mesozoic.sweep.wandb_account import wandb_key
from mesozoic.sweep.wandb_sweep import Sweep, cancel_sweep, sweep_state

Say = Callable[[str], None]
PAUSE = 15.0
"""Seconds between two looks at the agents."""


@dataclass(frozen=True)
class SweepResult:
    """What was made; all empty after a dry run. `failed` are agents (by job) that did not end well, if waited for."""

    cluster: str = ""
    sweep: Sweep | None = None
    jobs: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()


def begin_for(sweep: Sweep, kind: Kind, name: str, plan: RentedSweep) -> None:
    """Into the ledger, before anything is asked for.

    Raises:
        UserError: it cannot be written; the sweep is cancelled then.
    """
    first = plan.offers[0].placement
    try:
        begin(
            kind,
            name,
            file=str(CLUSTER_FILE),
            run_name=f"sweep-{sweep.id}",
            sweep=sweep.path,
            max_hours=plan.max_hours,
            offer=str(first),
            price=first.price,
        )
    except UserError as error:
        raise UserError(f"{error}; {cancelled(sweep)}") from None


def cancelled(sweep: Sweep) -> str:
    """Cancel a sweep that nothing works on; what to say about it."""
    try:
        cancel_sweep(sweep, wandb_key() or "")
    except (UserError, KeyboardInterrupt):
        return f"the sweep could not be cancelled, which costs nothing: see {sweep.url}"
    return "the sweep is cancelled"


def wait_for_agents(
    look: Callable[[], Sequence[Job]],
    numbers: Sequence[int],
    sweep: Sweep,
    say: Say,
    silence: float = SILENCE,
    sleep: Callable[[float], None] = time.sleep,
    until: float | None = None,
) -> dict[int, str]:
    """Look until every agent's job has ended; the states they ended in. Says what changed meanwhile.

    Args:
        until: when to look no more, in seconds since 1970; the states are those of that moment.

    Raises:
        Unreachable: no answer for as long as `silence`.
    """
    heard = time.monotonic()
    last = ""
    while True:
        try:
            found = {job.id: job for job in look()}
            heard = time.monotonic()
            states = [found[number].state if number in found else "unknown" for number in numbers]
            if all(number in found and found[number].ended for number in numbers):
                return dict(zip(numbers, states, strict=True))
            if until is not None and time.time() > until:
                say("the time is over; agents that have not ended by now are ended")
                return dict(zip(numbers, states, strict=True))
            line = f"agents: {_tally(states)}; runs: {_runs(sweep)}"
            if line != last:
                say(line)
            last = line
        except UserError as error:
            if time.monotonic() - heard > silence:
                raise Unreachable(
                    f"no word from the agents for {silence / 60:.0f} min ({error}); the machines end themselves when"
                    " idle; type 'mesozoic cloud status' when the network is back"
                ) from None
        sleep(PAUSE)


def _runs(sweep: Sweep) -> str:
    """How the sweep's runs are doing; nothing of importance if the server does not say."""
    try:
        return _tally(list(sweep_state(sweep, wandb_key() or "")[1].values())) or "none yet"
    except UserError:
        return "W&B does not answer"


def _tally(states: Sequence[str]) -> str:
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
