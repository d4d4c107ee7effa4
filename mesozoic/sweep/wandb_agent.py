"""Runs `wandb agent` to its end, and ends it in time: on a signal, at a deadline, or when it is no use to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mesozoic.errors import UserError
from mesozoic.job.processes import die_with_parent
from mesozoic.job.stopping import GRACE, Stopping
from mesozoic.run.agent_folder import RUNS
from mesozoic.run.unheard import quietly
from mesozoic.sweep.agent_runs import AgentRuns
from mesozoic.sweep.wandb_sweep import Sweep, sweep_state

say = quietly(lambda line: print(line, flush=True))

LOOK_SECONDS = 5.0
"""Between two looks at the runs, while the same run goes on."""
SILENCE = 120.0
"""Seconds without a run after which the server is asked; if it does not answer, the agent ends."""
LEAVE_SECONDS = 30.0
"""Given to `wandb agent` to end when no run holds it up."""


class Agent:
    """Runs `wandb agent` until it ends, a signal comes, the time is over, or it is no use to go on.

    Args:
        count: runs that it takes at most; None: as many as the sweep has.
        max_failures: in a row, after which it ends.

    Attributes:
        why_stopped: the signal's name, or MAX_HOURS; empty if nobody stopped it.
        broken: a sentence, if it is no use to go on.
    """

    def __init__(
        self, sweep: Sweep, key: str, folder: Path, runs: AgentRuns, count: int | None, max_failures: int
    ) -> None:
        self.sweep, self.key, self._folder, self._runs = sweep, key, folder, runs
        self._count, self._max_failures = count, max_failures
        self._idle_since = self._looked = time.monotonic()
        self._begun = 0
        self._leave_at: float | None = None
        self._interrupted = False
        self.why_stopped = self.broken = ""

    def run(self, runs: Path, hours: float | None) -> int:
        """Start the agent with `runs` as the place of run folders; its exit code."""
        deadline = None if hours is None else time.monotonic() + 3600.0 * hours
        count = [] if self._count is None else [f"--count={self._count}"]
        with Stopping() as stopping:
            agent = subprocess.Popen(
                [sys.executable, "-m", "wandb", "agent", "--forward-signals", *count, self.sweep.path],
                cwd=runs,
                env=self._environment(runs),
                start_new_session=True,  # whoever signals the whole group means this process
                preexec_fn=_interrupted_with_parent,
            )
            while agent.poll() is None:
                if deadline is not None and time.monotonic() > deadline:
                    stopping.time_is_over()
                if stopping.begun and not self.why_stopped:
                    by = "MAX_HOURS" if stopping.signal is None else signal.Signals(stopping.signal).name
                    self.why_stopped = by
                    say(f"stopping ({by}): the run writes its checkpoint")
                    self._interrupt(agent)
                stopping.kill_if_due(agent, say)  # what it started dies with it
                if not stopping.begun and not self.broken and self._due():
                    self._look(agent)
                if self._leave_at is not None and time.monotonic() > self._leave_at:
                    agent.kill()
                time.sleep(0.5)
        return agent.returncode

    def _due(self) -> bool:
        """Whether it is time to look: a run has begun, so that the one before has ended, or some time has gone by."""
        begun = len(self._runs.begun())
        another, self._begun = begun > self._begun, begun
        return another or time.monotonic() - self._looked > LOOK_SECONDS

    def _look(self, agent: subprocess.Popen[bytes]) -> None:
        """End it if one run after the other fails, or if the server is gone."""
        now = self._looked = time.monotonic()
        failures, why = self._runs.failures_in_a_row(self.states)
        idle = self._runs.idle()
        self._idle_since = self._idle_since if idle else now
        if failures >= self._max_failures:
            self.broken = f"{failures} runs failed in a row, the last one because: {why}"
        elif now - self._idle_since > SILENCE:
            if self.states() is None:
                self.broken = f"no run for {now - self._idle_since:.0f} s, and W&B does not answer"
            self._idle_since = self._looked = time.monotonic()
        if self.broken:
            self._interrupt(agent)
            self._leave_at = time.monotonic() + (LEAVE_SECONDS if idle else GRACE)

    def _interrupt(self, agent: subprocess.Popen[bytes]) -> None:
        """Once: it hands that on to the run that it has, waits for it, and takes no new one."""
        if not self._interrupted:
            self._interrupted = True
            agent.send_signal(signal.SIGINT)

    def states(self) -> dict[str, str] | None:
        """The states of the sweep's runs on the server; None if it does not answer."""
        try:
            return sweep_state(self.sweep, self.key)[1]
        except UserError as error:
            say(f"how the runs are is not known: {error}")
            return None

    def _environment(self, runs: Path) -> dict[str, str]:
        # W&B's own limits count a run that early termination stopped, and no others than the first ones: ours decide.
        own = {"WANDB_AGENT_DISABLE_FLAPPING": "true", "WANDB_AGENT_MAX_INITIAL_FAILURES": str(10**6)}
        return {
            **os.environ,
            **own,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "WANDB_DIR": str(self._folder),
            RUNS: str(runs.absolute()),
        }


def _interrupted_with_parent() -> None:
    """An agent that is killed interrupts `wandb agent`, which hands that on to its run and takes no other one."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # nohup and background shells have it ignored
    die_with_parent(signal.SIGINT)
