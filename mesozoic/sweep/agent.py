"""One sweep agent on a machine, as a program: what it is given, its slot, and the truth about how its runs ended.

`python -m mesozoic.sweep.agent ENTITY/PROJECT/SWEEP`; from the environment: SLOTS (agents on this machine),
MAX_HOURS, UNTIL (seconds since 1970), MAX_FAILURES (in a row, after which it ends), RESULTS (a mounted bucket), FLAT
(run folders lie in RESULTS itself, not in a folder of the sweep there). `wandb agent` exits with 0 after crashes, so
the exit code is made here: 0 all runs finished, 1 a run failed or W&B fell silent, 2 cannot start, 143 stopped by a
signal, MAX_HOURS or UNTIL (runs leave checkpoints).
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mesozoic.errors import UserError, shown
from mesozoic.job.environment import read_hours
from mesozoic.run.sinks.wandb_sink import without_empty
from mesozoic.sweep.agent_runs import AgentRuns, Ending
from mesozoic.sweep.slots import claim_slot, pin, slots_folder
from mesozoic.sweep.wandb_account import wandb_key
from mesozoic.sweep.wandb_agent import Agent, say
from mesozoic.sweep.wandb_format import is_trial
from mesozoic.sweep.wandb_sweep import Sweep, SweepFacts, finish_sweep, sweep_facts

MAX_FAILURES = 3
"""In a row, after which an agent ends, unless it is told another number."""
STOPPED = 128 + signal.SIGTERM
OVER = ("finished", "failed", "crashed", "killed")
"""States of runs that W&B hands out no more."""


def read_count(name: str, text: str, default: int) -> int:
    """A whole number above 0 from the environment variable `name`; `default` if the text is empty.

    Raises:
        UserError: it is none.
    """
    if text and not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise UserError(f"{name}={shown(text)} is not a whole number above 0; correct it, or leave it empty")
    return int(text or default)


def hours_left(hours: float | None, until: str) -> float | None:
    """How long this agent may work: `hours`, but not beyond `until`, whenever it was started; None without a limit.

    Args:
        until: seconds since 1970, as text; empty: no such limit.

    Raises:
        UserError: that is no time.
    """
    if not until:
        return hours
    if not re.fullmatch(r"[0-9]{1,11}", until):
        raise UserError(f"UNTIL={shown(until)} is no time in seconds since 1970; correct it, or leave it empty")
    left = (int(until) - time.time()) / 3600
    return left if hours is None else min(hours, left)


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
    hours = hours_left(read_hours(os.environ.get("MAX_HOURS", "").strip()), os.environ.get("UNTIL", "").strip())
    program()
    facts = sweep_facts(sweep, key)
    count = runs_left(facts)
    if facts.state in ("FINISHED", "CANCELED") or count == 0:
        say(f"the sweep is {facts.state.lower()}, {len(facts.runs)} runs: nothing is left for this agent")
        return 0
    if hours is not None and hours <= 0:
        say("the time of this sweep's agents is over (UNTIL); start an agent without it to go on")
        return STOPPED
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
    code = agent.run(runs, hours)
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
