"""How the runs that one agent of a W&B sweep began have ended: by the records of the trials, else by what W&B says.

The exit code of `wandb agent` says nothing: it is 0 after crashes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mesozoic.errors import UserError
from mesozoic.sweep.trial_record import FILE, OVER, read_trial

How = Literal["finished", "stopped", "failed", "running"]
STARTED = "config-*.yaml"
"""What `wandb agent` writes for each run that it starts, into `wandb/sweep-ID` of its folder."""
START_SECONDS = 300.0
"""In which a trial has made its record, unless it refused its values."""


@dataclass(frozen=True)
class Ending:
    """How one run ended, if it has; `why` it failed."""

    how: How
    why: str = ""


class AgentRuns:
    """The runs of one agent.

    Args:
        sweep_id: of W&B; files: where W&B keeps its files (`WANDB_DIR`); runs: where run folders go.
        trials: its command is `mesozoic sweep trial`, so each run leaves a record.
    """

    def __init__(self, sweep_id: str, files: Path, runs: Path, trials: bool) -> None:
        self._started, self._runs, self._trials = files / "wandb" / f"sweep-{sweep_id}", runs, trials
        self._over: dict[str, Ending] = {}

    def begun(self) -> list[str]:
        """The runs that the agent began, in that order."""
        files = sorted(self._started.glob(STARTED), key=lambda file: file.stat().st_mtime_ns)
        return [file.stem.removeprefix("config-") for file in files]

    def ending(self, run: str, states: Mapping[str, str] | None, gone: bool) -> Ending:
        """How a run ended.

        Args:
            states: of the runs, on the server; None if it was not asked, or does not answer.
            gone: its process has ended.
        """
        try:
            record = read_trial(self._runs / run)
        except UserError as error:
            return Ending("failed", str(error))
        state = None if states is None else states.get(run, "unknown")
        if record is None:
            return self._without_record(state, gone)
        if record.state in OVER:
            # A training never stops because W&B does not take its metrics, so its record says nothing about that.
            silent = gone and state not in (None, "finished", "running")
            return Ending("failed", "reported nothing to W&B") if silent else Ending("finished")
        if record.state == "pre-empted":
            return Ending("stopped")
        if record.state == "failed":
            return Ending("failed", record.why)
        return Ending("failed", "killed") if gone else Ending("running")

    def _without_record(self, state: str | None, gone: bool) -> Ending:
        """Of a command that is no trial, or of a trial that refused its values."""
        if not gone:
            return Ending("running")
        if state in ("finished", None):
            return Ending("finished" if state else "failed", "" if state else "left no record")
        if state in ("preempting", "preempted"):
            return Ending("stopped")
        return Ending("failed", f"left no record, and W&B calls it {state}; see its message above")

    def failures_in_a_row(self, states: Callable[[], Mapping[str, str] | None]) -> tuple[int, str]:
        """How many of the last runs failed, and why the last one did.

        Args:
            states: asks the server; called only if a run left no record.
        """
        begun, why, count = self.begun(), "", 0
        for place, run in enumerate(reversed(begun)):
            found = self._over.get(run) or self.ending(run, None, gone=place > 0)
            if found.why == "left no record":
                known = states()
                found = Ending("stopped") if known is None else self.ending(run, known, gone=True)
            if place > 0:
                self._over[run] = found
            if found.how == "finished":
                break
            if found.how == "failed":
                why, count = why or found.why, count + 1
        return count, why

    def idle(self) -> bool:
        """Whether no run trains as far as one can see."""
        begun = self.begun()
        if not begun or self.ending(begun[-1], None, gone=False).how != "running":
            return True
        began = (self._started / f"config-{begun[-1]}.yaml").stat().st_mtime
        unrecorded = self._trials and not (self._runs / begun[-1] / FILE).exists()
        return unrecorded and time.time() - began > START_SECONDS

    def sentence(self, endings: Mapping[str, Ending]) -> str:
        """For the job's log."""
        if not endings:
            return "the sweep had no run left for this agent"
        named = {how: [run for run, one in endings.items() if one.how == how] for how in ("finished", "stopped")}
        failed = [f"{run} ({one.why})" for run, one in endings.items() if one.how == "failed"]
        parts = [f"{len(named['finished'])} of {len(endings)} runs finished"]
        parts += [f"stopped early: {', '.join(named['stopped'])}"] if named["stopped"] else []
        return "; ".join([*parts, *([f"FAILED: {', '.join(failed)}"] if failed else [])])
