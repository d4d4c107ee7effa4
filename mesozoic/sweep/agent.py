"""One sweep agent on a machine: its share of the cores, `wandb agent`, its end in time, and the truth about its runs.

`python -m mesozoic.sweep.agent ENTITY/PROJECT/SWEEP`; from the environment: SLOTS (agents on this machine),
MAX_HOURS, MAX_FAILURES (in a row, after which it ends), RESULTS (a mounted bucket), FLAT (run folders lie in RESULTS
itself, not in a folder of the sweep there). `wandb agent` exits with 0 after crashes, so the exit code is made here: 0
all runs finished, 1 a run failed or W&B fell silent, 2 cannot start, 143 stopped by a signal or by MAX_HOURS (runs leave
checkpoints).
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mesozoic.errors import UserError, shown
from mesozoic.job.environment import read_hours
from mesozoic.job.processes import die_with_parent
from mesozoic.job.stopping import GRACE, Stopping
from mesozoic.run.agent_folder import RUNS
from mesozoic.run.lock import Held, file_lock
from mesozoic.run.sinks.wandb_sink import without_empty
from mesozoic.run.unheard import quietly
from mesozoic.sweep.agent_runs import AgentRuns, Ending
from mesozoic.sweep.engines.shares import share_of
from mesozoic.sweep.wandb_account import wandb_key
from mesozoic.sweep.wandb_format import is_trial
from mesozoic.sweep.wandb_sweep import Sweep, SweepFacts, finish_sweep, sweep_facts, sweep_state

say = quietly(lambda line: print(line, flush=True))

MAX_FAILURES = 3
"""In a row, after which an agent ends, unless it is told another number."""
LOOK_SECONDS = 5.0
"""Between two looks at the runs."""
SILENCE = 120.0
"""Seconds without a run after which the server is asked; if it does not answer, the agent ends."""
LEAVE_SECONDS = 30.0
"""Given to `wandb agent` to end when no run holds it up."""
STOPPED = 128 + signal.SIGTERM
OVER = ("finished", "failed", "crashed", "killed")
"""States of runs that W&B hands out no more."""


def slots_folder() -> Path:
    """The folder of this user's slots on this machine.

    Raises:
        UserError: another user of the machine has prepared it.
    """
    folder = Path(tempfile.gettempdir()) / f"mesozoic-slots-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise UserError(
            f"{folder} is not a folder that only you can write to, so somebody else may have put it there; remove it,"
            " or set TMPDIR to a folder of your own"
        )
    return folder


def claim_slot(slots: int, folder: Path) -> tuple[int, contextlib.ExitStack] | None:
    """The first slot of this machine that no living agent holds, and what lets go of it; None if all are held.

    Raises:
        UserError: something else than a plain file lies in its place.
    """
    for slot in range(slots):
        held = contextlib.ExitStack()
        try:
            held.enter_context(file_lock(folder / f"slot{slot}"))
        except Held:
            continue
        return slot, held
    return None


def pin(slot: int, slots: int) -> str:
    """Keep this process and its children on their share of the cores; says what was done.

    Without this every agent's physics starts a thread for every core, and the agents slow one another down.
    """
    if not hasattr(os, "sched_setaffinity"):
        return "all cores"
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < (os.cpu_count() or 1):
        return f"the {len(cores)} cores that the scheduler gave"
    mine = share_of(cores, slot, slots)
    os.sched_setaffinity(0, mine)
    return f"{len(mine)} of {len(cores)} cores"


def read_count(name: str, text: str, default: int) -> int:
    """A whole number above 0 from the environment variable `name`; `default` if the text is empty.

    Raises:
        UserError: it is none.
    """
    if text and not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise UserError(f"{name}={shown(text)} is not a whole number above 0; correct it, or leave it empty")
    return int(text or default)


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
        self._leave_at: float | None = None
        self._interrupted = False
        self.why_stopped = self.broken = ""

    def run(self, runs: Path, hours: float | None, trials: bool) -> int:
        """Start the agent with `runs` as the place of run folders; its exit code."""
        deadline = None if hours is None else time.monotonic() + 3600.0 * hours
        count = [] if self._count is None else [f"--count={self._count}"]
        with Stopping() as stopping:
            agent = subprocess.Popen(
                [sys.executable, "-m", "wandb", "agent", "--forward-signals", *count, self.sweep.path],
                cwd=runs,
                env=self._environment(runs, trials),
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
                if not stopping.begun and not self.broken and time.monotonic() - self._looked > LOOK_SECONDS:
                    self._look(agent)
                if self._leave_at is not None and time.monotonic() > self._leave_at:
                    agent.kill()
                time.sleep(0.5)
        return agent.returncode

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

    def _environment(self, runs: Path, trials: bool) -> dict[str, str]:
        # W&B's own limits would count a run that early termination stopped; that of a trial ends with 0.
        own = {"WANDB_AGENT_DISABLE_FLAPPING": "true"}
        own["WANDB_AGENT_MAX_INITIAL_FAILURES"] = str(self._max_failures if trials else 10**6)
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


def program() -> Path:
    """The `mesozoic` of this Python, which sweeps run by that name.

    Raises:
        UserError: there is none.
    """
    found = Path(sys.executable).parent / "mesozoic"
    if not os.access(found, os.X_OK):
        raise UserError(f"there is no {found}, which runs of a sweep need; install mesozoic: pip install -e '.[sweep]'")
    return found


def check_access(sweep: str) -> str:
    """See that agents can ask for runs of a sweep; the key with which they do.

    Raises:
        UserError: that is no path of a sweep, or there is no key.
    """
    if not re.fullmatch(r"[^/\s]+/[^/\s]+/[^/\s]+", sweep):
        raise UserError(f"give the sweep as ENTITY/PROJECT/ID (a rented one in SWEEP_ID), not '{shown(sweep)}'")
    key = wandb_key()
    if key is None:
        raise UserError(
            "there is no key for W&B; type 'wandb login', or export WANDB_API_KEY (and rent with --secret"
            " WANDB_API_KEY)"
        )
    return key


def main(arguments: Sequence[str]) -> int:
    """Run one agent of the sweep that `arguments` names."""
    for empty in os.environ.keys() - without_empty(os.environ).keys():
        del os.environ[empty]
    given = " ".join(arguments)
    key = check_access(given)
    entity, project, number = given.split("/")
    sweep = Sweep(number, entity, project, "")
    slots = read_count("SLOTS", os.environ.get("SLOTS", "").strip(), 1)
    max_failures = read_count("MAX_FAILURES", os.environ.get("MAX_FAILURES", "").strip(), MAX_FAILURES)
    hours = read_hours(os.environ.get("MAX_HOURS", "").strip())
    program()
    facts = sweep_facts(sweep, key)
    count = runs_left(facts)
    if facts.state in ("FINISHED", "CANCELED") or count == 0:
        say(f"the sweep is {facts.state.lower()}, {len(facts.runs)} runs: nothing is left for this agent")
        return 0
    results = Path(os.environ.get("RESULTS") or Path.home() / "mesozoic-runs")
    runs = results if os.environ.get("FLAT") else results / f"sweep-{number}"
    claimed = claim_slot(slots, slots_folder())
    slot = claimed[0] if claimed else 0
    cores = pin(slot, slots) if claimed and slots > 1 else "all cores"
    folder = Path(tempfile.mkdtemp(prefix="mesozoic-agent-"))  # W&B's own files; on a bucket they would be slow
    say(f"agent {slot} of {slots} on {socket.gethostname()}, {cores}; run folders in {runs}")
    runs.mkdir(parents=True, exist_ok=True)
    trials = is_trial(facts.config.get("command"))
    mine = AgentRuns(number, folder, runs, trials)
    agent = Agent(sweep, key, folder, mine, count, max_failures)
    code = agent.run(runs, hours, trials)
    return _ended(agent, mine, slot, code, max_failures)


def _ended(agent: Agent, mine: AgentRuns, slot: int, code: int, max_failures: int) -> int:
    """Say how the runs of an agent ended; its exit code."""
    begun = mine.begun()
    try:
        facts = sweep_facts(agent.sweep, agent.key) if begun else None
    except UserError as error:
        say(f"whether the runs arrived at W&B is not known: {error}")
        facts = None
    endings = {run: mine.ending(run, None if facts is None else facts.runs, gone=True) for run in begun}
    if facts is not None and runs_left(facts) == 0:
        _finish(agent)
    cancelled = facts is not None and facts.state == "CANCELED"
    if begun and (cancelled or agent.why_stopped) and endings[begun[-1]].how == "failed":
        endings[begun[-1]] = Ending("stopped")
    say(f"agent {slot}: {mine.sentence(endings)}" + ("; the sweep was cancelled" if cancelled else ""))
    failed = [one.why for one in endings.values() if one.how == "failed"]
    if agent.why_stopped:
        return STOPPED
    if not agent.broken and len(failed) >= max_failures and facts is not None and facts.state == "RUNNING":
        agent.broken = f"{len(failed)} of {len(endings)} runs failed, the last one because: {failed[-1]}"
    if agent.broken:
        say(f"error: {agent.broken}; mend that, then start the agent again: the sweep goes on")
    if code != 0 and not begun and not agent.broken:
        say(f"error: wandb agent ended with exit code {code} before any run; see its message above")
    return 1 if code != 0 or failed or agent.broken else 0


def _finish(agent: Agent) -> None:
    """Mark a sweep whose last run is over: the server does so only when it is asked for another run, which no one does.

    Two agents may do it at once, so that the second one finds it done.
    """
    try:
        finish_sweep(agent.sweep, agent.key)
    except UserError as error:
        say(f"the sweep is not marked as finished: {error}")


def runs_left(facts: SweepFacts) -> int | None:
    """How many runs the sweep has left, as counted here; None if it has no limit. Pre-empted ones are left as well."""
    cap = facts.config.get("run_cap")
    if not isinstance(cap, int) or isinstance(cap, bool):
        return None
    return max(0, cap - sum(state in OVER for state in facts.runs.values()))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
