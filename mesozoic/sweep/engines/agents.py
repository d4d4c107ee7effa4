"""Agents of a W&B sweep on this machine, side by side: one for each GPU, or as many as asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mesozoic.job.processes import code_of, die_with_parent
from mesozoic.job.stopping import GRACE, Stopping
from mesozoic.sweep.engines.shares import VISIBLE, shares


def run_agents(
    sweep: str,
    parallel: int | None,
    max_hours: float | None,
    max_failures: int,
    results: Path | None,
    say: Callable[[str], object],
    flat: bool = False,
) -> int:
    """Run agents until the sweep has nothing left for them; the worst of their exit codes (see `agent.py`).

    Args:
        parallel: how many; None: one for each GPU, else one for every two cores.
        max_failures: in a row, after which an agent ends.
        results: where run folders go; None: `~/mesozoic-runs`. In a folder of the sweep there, unless they are `flat`.
    """
    each = shares(parallel)
    say(f"{len(each)} agents of {sweep}")
    environment = {**os.environ, "SLOTS": str(len(each)), "MAX_HOURS": "" if max_hours is None else f"{max_hours:g}"}
    environment["MAX_FAILURES"] = str(max_failures)
    environment["FLAT"] = "1" if flat else ""
    environment |= {} if results is None else {"RESULTS": str(results.absolute())}
    with Stopping(grace=GRACE) as stopping:
        agents = [
            subprocess.Popen(
                [sys.executable, "-m", "mesozoic.sweep.agent", sweep],
                env={**environment, **({VISIBLE: one.gpu} if one.gpu else {})},
                start_new_session=True,  # Ctrl-C is for this process, which passes it on once
                preexec_fn=die_with_parent,
            )
            for one in each
        ]
        asked = killed = False
        while any(agent.poll() is None for agent in agents):
            if stopping.begun and not asked:
                asked = True
                for agent in agents:
                    if agent.poll() is None:
                        agent.send_signal(signal.SIGTERM)
            if stopping.overdue and not killed:
                killed = True
                left = [agent for agent in agents if agent.poll() is None]
                say(f"{len(left)} of {len(agents)} agents did not end within {GRACE:g} s; killing them")
                for agent in left:
                    agent.kill()
            time.sleep(0.2)
    return max(code_of(agent.returncode) for agent in agents)
