"""One sweep agent on a machine: its share of the cores, `wandb agent`, its end in time, and the truth about its runs.

`python -m mesozoic.sweep.agent ENTITY/PROJECT/SWEEP`; from the environment: SLOTS (agents on this machine),
MAX_HOURS, RESULTS (a mounted bucket). `wandb agent` exits with 0 after crashes, so the exit code is made here:
0 all runs finished, 1 a run failed, 2 bad input, 143 stopped by a signal or by MAX_HOURS (runs leave checkpoints).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mesozoic.errors import UserError, shown
from mesozoic.job.environment import read_hours
from mesozoic.job.processes import die_with_parent
from mesozoic.job.stopping import Stopping
from mesozoic.run.lock import Held, file_lock
from mesozoic.run.sinks.wandb_sink import without_empty
from mesozoic.run.unheard import quietly
from mesozoic.sweep.engines.shares import share_of
from mesozoic.sweep.trial import FOLDER, RECORD, STOPPED
from mesozoic.sweep.wandb_account import wandb_key
from mesozoic.sweep.wandb_sweep import Sweep, sweep_state

say = quietly(lambda line: print(line, flush=True))


@dataclass
class Outcomes:
    """How the runs of one agent ended: W&B run -> exit code, None while it runs or if nobody saw it end."""

    codes: dict[str, int | None] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    """Runs that trained to their end but of which W&B heard nothing: the sweep learned nothing from them."""

    def failed(self) -> list[str]:
        return [run for run, code in self.codes.items() if code != 0 and code not in STOPPED] + self.silent

    def sentence(self) -> str:
        """For the job's log."""
        if not self.codes:
            return "the sweep had no run left for this agent"
        stopped = [run for run, code in self.codes.items() if code in STOPPED]
        finished = [run for run, code in self.codes.items() if code == 0]
        parts = [f"{len(finished)} of {len(self.codes)} runs finished"]
        parts += [f"stopped early: {', '.join(stopped)}"] if stopped else []
        parts += [f"FAILED: {', '.join(f'{run} ({self._how(run)})' for run in self.failed())}"] if self.failed() else []
        return "; ".join(parts)

    def _how(self, run: str) -> str:
        code = self.codes[run]
        return "reported nothing to W&B" if code == 0 else "killed" if code is None else f"exit {code}"


def read_outcomes(record: Path) -> Outcomes:
    """What the runs of an agent wrote down (see `trial`)."""
    found = Outcomes()
    for line in record.read_text(encoding="utf-8").splitlines() if record.exists() else []:
        facts = json.loads(line)
        run = str(facts["run"])
        found.codes[run] = facts.get("code")
        if "pid" in facts:
            found.pids[run] = int(facts["pid"])
    return found


def silent_runs(sweep: str, outcomes: Outcomes) -> list[str]:
    """Of the runs that finished here, those that W&B knows nothing good of; none if it does not answer.

    A training never stops because W&B does not take its metrics, so its exit code says nothing about that.
    """
    finished = [run for run, code in outcomes.codes.items() if code == 0]
    if not finished:
        return []
    entity, project, number = sweep.split("/")
    try:
        states = sweep_state(Sweep(number, entity, project, ""), wandb_key() or "")[1]
    except UserError as error:
        say(f"whether the runs arrived at W&B is not known: {error}")
        return []
    return [run for run in finished if states.get(run) not in ("finished", "running")]


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


def read_slots(text: str) -> int:
    """How many agents work on this machine; one if the text is empty.

    Raises:
        UserError: it is no whole number above 0.
    """
    if text and not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise UserError(f"SLOTS={shown(text)} is not a whole number above 0; correct it, or leave it empty")
    return int(text or 1)


class Agent:
    """Runs `wandb agent` until it ends, a signal comes or the time is over.

    Attributes:
        record: the file in which its runs write down how they ended.
        why_stopped: the signal's name, or MAX_HOURS; empty if nobody stopped it.
    """

    def __init__(self, sweep: str, folder: Path, hours: float | None) -> None:
        self._sweep, self._folder = sweep, folder
        self._deadline = None if hours is None else time.monotonic() + 3600.0 * hours
        self._asked: set[int] = set()
        self.record = folder / "runs.jsonl"
        self.why_stopped = ""

    def run(self, runs: Path) -> int:
        """Start the agent with `runs` as the place of run folders; its exit code."""
        with Stopping() as stopping:
            agent = subprocess.Popen(
                [sys.executable, "-m", "wandb", "agent", self._sweep],
                cwd=self._folder,
                env=self._environment(runs),
                start_new_session=True,  # whoever signals the whole group means this process
                preexec_fn=die_with_parent,
            )
            while agent.poll() is None:
                if self._deadline is not None and time.monotonic() > self._deadline:
                    stopping.time_is_over()
                if stopping.begun:
                    self._stop(agent, stopping)
                    stopping.kill_if_due(agent, say)  # what it started dies with it
                time.sleep(0.5)
        return agent.returncode

    def _environment(self, runs: Path) -> dict[str, str]:
        programs = self._folder / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        program = programs / "mesozoic"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mesozoic.sweep.trial "$@"\n')
        program.chmod(0o755)
        return {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "WANDB_DIR": str(self._folder),
            RECORD: str(self.record),
            FOLDER: str(runs),
        }

    def _stop(self, agent: subprocess.Popen[bytes], stopping: Stopping) -> None:
        """Ask for the end once: interrupted, the agent takes no new run and waits for the one that it has."""
        if not self.why_stopped:
            self.why_stopped = "MAX_HOURS" if stopping.signal is None else signal.Signals(stopping.signal).name
            say(f"stopping ({self.why_stopped}): the run writes its checkpoint")
            agent.send_signal(signal.SIGINT)
        outcomes = read_outcomes(self.record)
        for run, pid in outcomes.pids.items():
            if outcomes.codes[run] is None and pid not in self._asked:
                self._asked.add(pid)
                _send(pid, signal.SIGTERM)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
        os.kill(pid, number)


def check_access(sweep: str) -> None:
    """See that agents can ask for runs of a sweep.

    Raises:
        UserError: that is no path of a sweep, or there is no key.
    """
    if not re.fullmatch(r"[^/\s]+/[^/\s]+/[^/\s]+", sweep):
        raise UserError(f"give the sweep as ENTITY/PROJECT/ID (a rented one in SWEEP_ID), not '{shown(sweep)}'")
    if wandb_key() is None:
        raise UserError(
            "there is no key for W&B; type 'wandb login', or export WANDB_API_KEY (and rent with --secret"
            " WANDB_API_KEY)"
        )


def main(arguments: Sequence[str]) -> int:
    """Run one agent of the sweep that `arguments` names."""
    for empty in os.environ.keys() - without_empty(os.environ).keys():
        del os.environ[empty]
    sweep = " ".join(arguments)
    check_access(sweep)
    slots = read_slots(os.environ.get("SLOTS", "").strip())
    hours = read_hours(os.environ.get("MAX_HOURS", "").strip())
    runs = Path(os.environ.get("RESULTS") or Path.home() / "mesozoic-runs") / f"sweep-{sweep.rpartition('/')[2]}"
    claimed = claim_slot(slots, slots_folder())
    slot = claimed[0] if claimed else 0
    cores = pin(slot, slots) if claimed and slots > 1 else "all cores"
    folder = Path(tempfile.mkdtemp(prefix="mesozoic-agent-"))  # W&B's own files; on a bucket they would be slow
    say(f"agent {slot} of {slots} on {socket.gethostname()}, {cores}; run folders in {runs}")
    runs.mkdir(parents=True, exist_ok=True)
    agent = Agent(sweep, folder, hours)
    code = agent.run(runs)
    outcomes = read_outcomes(agent.record)
    outcomes.silent = silent_runs(sweep, outcomes)
    say(f"agent {slot}: {outcomes.sentence()}")
    if agent.why_stopped:
        return STOPPED[0]
    if code != 0 and not outcomes.codes:
        say(f"error: wandb agent ended with exit code {code} before any run; see its message above")
    return 1 if code != 0 or outcomes.failed() else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
