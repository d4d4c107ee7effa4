"""The training process of a job: checks everything, then trains the stages in the run folder until time is over.

Started by the supervisor as `python -m mesozoic.job.training RUN --events FD [--left SECONDS]`.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from mesozoic.errors import UserError, ending_of, shown
from mesozoic.job.environment import Job, in_job_words, read_job
from mesozoic.job.events import Events
from mesozoic.job.record import summary
from mesozoic.job.reporter import SAY, JobReporter
from mesozoic.job.wandb_names import named_wandb
from mesozoic.run.devices import prepare_jax
from mesozoic.run.machines.follower import follow
from mesozoic.run.machines.hosts import Hosts
from mesozoic.run.machines.leader import Leader
from mesozoic.run.machines.line import leave
from mesozoic.run.spec import RunSpec
from mesozoic.sim.physics import NATIVE, WARP, gpu_here


def train(job: Job, events: Events, left: float | None, leader: Leader | None) -> list[dict[str, Any]]:
    """Train the stages that the job asks for, and return what each `metrics.json` says.

    Args:
        leader: of the job's other machines.

    Raises:
        UserError: bad input; nothing was written.
        Stopped: a signal came, or `left` seconds are over; a checkpoint was written.
    """
    from mesozoic.run.results_table import RESULTS_FILE
    from mesozoic.run.sinks.table import FILES
    from mesozoic.run.start import start
    from mesozoic.run.stop import TimeLimit

    wanted = placed(job)
    refuse_without_gpu(wanted)
    limit = None if left is None else TimeLimit(left / 3600.0)
    sinks = {**FILES, **named_wandb(job)}
    results = start(wanted, job.run, sinks=sinks, reporter=JobReporter(events), limit=limit, leader=leader)
    if wanted.stage is None:
        SAY(f"results {job.run / RESULTS_FILE}")
    return results


def placed(job: Job) -> RunSpec:
    """The training, with the path of the policy that it begins from: in the folder of the run folders, else here.

    Raises:
        UserError: it is in neither.
    """
    load = job.spec.load
    if load is None:
        return job.spec
    for place in (job.run.parent, Path.cwd()):
        if (place / load).exists():
            return replace(job.spec, load=place / load)
    raise UserError(
        f"LOAD={shown(str(load))} is neither in {job.run.parent} nor in {Path.cwd()} on this machine; give a policy"
        " file or run folder that is there (what .gitignore names is not copied to a machine)"
    )


def refuse_without_gpu(spec: RunSpec) -> None:
    """Refuse Warp on a rented machine that has no GPU for it: on a processor it is slow beyond use.

    Raises:
        UserError: there is none, or it cannot be used.
    """
    if spec.physics != WARP or (gpu := gpu_here()):
        return
    why = f"{gpu.name} here cannot be used ({gpu.problem})" if gpu.name else "this machine has none"
    raise UserError(
        f"PHYSICS={WARP} simulates on an NVIDIA GPU, and {why}; give --env PHYSICS={NATIVE}, or another machine"
    )


def main(arguments: Sequence[str]) -> int:
    """Train what the environment asks for; the exit code of the training."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--left", type=float)
    options = parser.parse_args(arguments)
    events = Events(options.events)
    try:
        job = read_job(os.environ)
        if job.hosts is not None:
            with_machines(job, job.hosts, events, options.left)
        for result in train(job, events, options.left, None):
            events.send(result=summary(result))
    except (Exception, KeyboardInterrupt) as error:
        ending = ending_of(error)
        if ending is None:
            raise
        print(in_job_words(ending[0]), file=sys.stderr)
        return ending[1]
    return 0


def with_machines(job: Job, hosts: Hosts, events: Events, left: float | None) -> NoReturn:
    """Train together with the job's other machines, and end this process: as the first one, or as one that follows."""
    leader, code, why = None, 0, "the training is over"
    prepare_jax(job.spec.physics)
    try:
        if hosts.rank:
            leave(follow(hosts, JobReporter(events)))
        leader = Leader.meet(hosts, SAY)
        for result in train(job, events, left, leader):
            events.send(result=summary(result))
    except (Exception, KeyboardInterrupt) as error:
        why, code = ending_of(error) or (f"{type(error).__name__}: {error}", 1)
        why = in_job_words(why)
        if code == 1:
            traceback.print_exc()
        print(why, file=sys.stderr, flush=True)
    if leader is not None:
        leader.end(code, why)
    leave(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
