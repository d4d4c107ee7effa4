"""The points of a local sweep, kept by Optuna: each is one *ticket*, which exactly one launcher at a time works on.

All tickets wait in the storage from the begin, so launchers on many machines can neither try too many nor lose one. A
ticket is tried again, with the same values, when the launcher that had it is gone or handed it back.
"""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesozoic.errors import UserError
from mesozoic.sweep.engines.optuna_space import first_values, point_of, pruner_of, sampler_of, suggested
from mesozoic.sweep.engines.storage import storage_errors
from mesozoic.sweep.plan import SweepPlan

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial, Trial

BEAT = 60.0
"""Seconds between two signs of life of a launcher."""
SILENT = 900.0
"""Seconds without one after which a launcher on another machine counts as gone."""
NEW = 60.0
"""Seconds within which a launcher says that a ticket is its."""


@dataclass
class Ticket:
    """A point that this launcher works on."""

    number: int
    generation: int
    point: dict[str, Any]
    trial: Trial
    beat: float

    @property
    def id(self) -> str:
        """What the trial's folder is called."""
        return str(self.number + 1)


@dataclass(frozen=True)
class Row:
    """What is known of one ticket: its state is waiting, running, passed, budget, pruned or failed."""

    id: str
    state: str
    point: Mapping[str, Any]
    value: float | None
    step: int | None
    why: str = ""

    @property
    def over(self) -> bool:
        """Whether it will not be tried again."""
        return self.state not in ("waiting", "running")


class Study:
    """One sweep in a storage."""

    def __init__(self, plan: SweepPlan, storage: BaseStorage, name: str, place: str | None) -> None:
        import optuna

        self._plan, self._place, self._storage = plan, place, storage
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{_born(os.getpid())}"
        with storage_errors(place):
            self._study = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", pruner=pruner_of(plan), load_if_exists=True
            )
            known = self._study.user_attrs.get("sweep")
            if known is None:
                self._study.set_user_attr("sweep", plan.identity())
            elif known != _as_json(plan.identity()):
                raise UserError(f"study '{name}' is another sweep; give another --study-name or --output-dir")

    def refresh(self) -> None:
        """Take back what launchers had that are gone, and have every ticket wait that nobody works on or has ended."""
        import optuna
        from optuna.trial import TrialState

        with storage_errors(self._place):
            for trial in self._trials():
                if trial.state == TrialState.RUNNING and self._is_gone(trial):
                    try:
                        self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
                    except (optuna.exceptions.UpdateFinishedTrialError, KeyError):
                        continue  # another launcher was faster
            tries = self._tries()
            fixed = first_values(self._plan)
            for number in range(self._plan.trials):
                mine = tries.get(number, [])
                if any(_counts(one) for one in mine):
                    continue
                last = mine[-1] if mine else None
                values = dict(last.params) if last is not None and last.params else fixed[number]
                attrs = {"ticket": number, "generation": _generation(last)}
                self._study.enqueue_trial(values, user_attrs=attrs)

    def take(self) -> Ticket | None:
        """A ticket that waits; None if none does."""
        from optuna.trial import TrialState

        with storage_errors(self._place):
            while self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                trial = self._study.ask()
                trial.set_user_attr("owner", self._owner)
                trial.set_user_attr("beat", time.time())
                number = trial.user_attrs.get("ticket")
                tries = [] if number is None else self._tries().get(number, [])
                if number is None or any(one.number < trial.number and _counts(one) for one in tries):
                    trial.set_user_attr("surplus", True)  # two launchers had it wait at the same moment
                    self._study.tell(trial, state=TrialState.FAIL)
                    continue
                self._study.sampler = sampler_of(self._plan, number)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    point = {one.path: suggested(trial, one) for one in self._plan.parameters}
                earlier = next((one for one in reversed(tries) if one.number < trial.number), None)
                for step, value in sorted(earlier.intermediate_values.items()) if earlier else ():
                    trial.report(value, step)
                return Ticket(number, int(trial.user_attrs.get("generation", 0)), point, trial, time.monotonic())
        return None

    def report(self, ticket: Ticket, step: int, value: float) -> str | None:
        """Note what a trial is worth by now; the answer is a reason to end it, or None."""
        with storage_errors(self._place), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a step that is reported again
            if self._is_lost(ticket):
                return "another launcher has taken it over"
            ticket.trial.report(value, step)
            self.beat(ticket, at_once=True)
            if self._plan.pruner != "none" and ticket.trial.should_prune():
                return f"pruned by {self._plan.pruner} at {step:,} steps, worth {value:.4f}"
        return None

    def beat(self, ticket: Ticket, at_once: bool = False) -> None:
        """Give a sign of life, if one is due."""
        now = time.monotonic()
        if at_once or now - ticket.beat > BEAT:
            ticket.beat = now
            with storage_errors(self._place):
                if not self._is_lost(ticket):
                    ticket.trial.set_user_attr("beat", time.time())

    def end(self, ticket: Ticket, state: str, value: float | None, why: str, lower: float | None = None) -> None:
        """Note how a trial ended for good: passed, budget, pruned or failed."""
        from optuna.trial import TrialState

        with storage_errors(self._place):
            if self._is_lost(ticket):
                return
            for name, what in (("state", state), ("why", why), ("lower", lower)):
                ticket.trial.set_user_attr(name, what)
            if state in ("passed", "budget") and value is not None:
                self._study.tell(ticket.trial, value)
            else:
                self._study.tell(ticket.trial, state=TrialState.PRUNED if state == "pruned" else TrialState.FAIL)

    def hand_back(self, ticket: Ticket) -> None:
        """Have it tried again, here or elsewhere, with the same values."""
        from optuna.trial import TrialState

        with storage_errors(self._place):
            if self._is_lost(ticket):
                return
            self._study.tell(ticket.trial, state=TrialState.FAIL)
            attrs = {"ticket": ticket.number, "generation": ticket.generation}
            self._study.enqueue_trial(dict(ticket.trial.params), user_attrs=attrs)

    def once_more(self, ticket: Ticket) -> None:
        """Have a trial that failed tried again, because the place where it ran may be what failed."""
        attrs = {"ticket": ticket.number, "generation": ticket.generation + 1}
        with storage_errors(self._place):
            self._study.enqueue_trial(dict(ticket.trial.params), user_attrs=attrs)

    def _is_lost(self, ticket: Ticket) -> bool:
        """Whether another launcher took it, because this one was silent for long."""
        return self._storage.get_trial(ticket.trial._trial_id).state.is_finished()

    def rows(self) -> list[Row]:
        """All tickets, in order."""
        with storage_errors(self._place):
            tries = self._tries()
        return [_row(number, tries.get(number, [])) for number in range(self._plan.trials)]

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _tries(self) -> dict[int, list[FrozenTrial]]:
        """Ticket -> its trials of the newest generation, the older ones first; without those that were one too many."""
        found: dict[int, list[FrozenTrial]] = {}
        for trial in self._trials():
            number = trial.user_attrs.get("ticket")
            if number is not None and "surplus" not in trial.user_attrs:
                found.setdefault(number, []).append(trial)
        newest = {number: max(map(_generation, mine)) for number, mine in found.items()}
        return {n: [one for one in mine if _generation(one) == newest[n]] for n, mine in found.items()}

    def _is_gone(self, trial: FrozenTrial) -> bool:
        owner = trial.user_attrs.get("owner")
        if owner is None:
            begun = trial.datetime_start
            return begun is not None and time.time() - begun.timestamp() > NEW
        if owner == self._owner:
            return False
        host, _, process = str(owner).partition(":")
        if host == socket.gethostname():
            pid, _, born = process.partition(":")
            return not pid.isdecimal() or _born(int(pid)) != born
        return time.time() - float(trial.user_attrs.get("beat", 0.0)) > SILENT


def study_name(plan: SweepPlan) -> str:
    """What a sweep is called in a storage: the same command finds it again."""
    return f"{plan.spec.species}-stage{plan.stage}-{plan.digest()}"


def _row(number: int, tries: Sequence[FrozenTrial]) -> Row:
    from optuna.trial import TrialState

    one = next((trial for trial in tries if _counts(trial)), None)
    if one is None:
        return Row(str(number + 1), "waiting", {}, None, None)
    attrs = one.user_attrs
    running = "running" if one.state == TrialState.RUNNING else "waiting"
    state = str(attrs.get("state", running))
    step = one.last_step
    value = one.value if one.value is not None else None if step is None else one.intermediate_values[step]
    return Row(str(number + 1), state, point_of(one.params), value, step, str(attrs.get("why") or ""))


def _counts(trial: FrozenTrial) -> bool:
    """Whether it is the try of its ticket: it waits, runs, or is over for good."""
    from optuna.trial import TrialState

    return trial.state != TrialState.FAIL or trial.user_attrs.get("state") == "failed"


def _generation(trial: FrozenTrial | None) -> int:
    return 0 if trial is None else int(trial.user_attrs.get("generation", 0))


def _as_json(value: Any) -> Any:
    import json

    return json.loads(json.dumps(value))


def _born(pid: int) -> str:
    """When a process began, which tells it from a later one of the same number; empty if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "" if _gone(pid) else "alive"
    return text.rpartition(")")[2].split()[19]


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
