"""The training process of a job: checks everything, then trains the stages in the run folder until time is over.

Started by the supervisor as `python -m mesozoic.job.training RUN --events FD [--left SECONDS]`.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mesozoic.errors import Interrupted, UserError
from mesozoic.job.environment import Job, in_job_words, read_job
from mesozoic.job.events import Events
from mesozoic.job.exit_codes import BAD_INPUT
from mesozoic.job.record import summary
from mesozoic.job.wandb_names import keep_run_id

FULL_OR_CLOSED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def train(job: Job, events: Events, left: float | None) -> list[dict[str, Any]]:
    """Train the stages that the job asks for, and return what each `metrics.json` says.

    Raises:
        UserError: bad input; nothing was written.
        Interrupted: a signal came, or `left` seconds are over; a checkpoint was written.
    """
    from mesozoic.config import load_stage
    from mesozoic.learn.make import choose_backend
    from mesozoic.run.curriculum import CurriculumPlan, plan_curriculum, run_curriculum
    from mesozoic.run.folder import find_policy
    from mesozoic.run.spec import RunSpec
    from mesozoic.run.train_stage import train_stage
    from mesozoic.species import get_species

    if not 0 <= job.seed < 2**32:
        raise UserError(f"SEED={job.seed} is out of range; give a number from 0 to {2**32 - 1}")
    get_species(job.species)
    backend = choose_backend(job.backend, job.algorithm)
    plan: CurriculumPlan | None = None
    if job.stage is None:
        plan = plan_curriculum(job.species, job.seed, backend, job.algorithm, job.overrides)
        stages = [config.stage.number for config in plan.stages]
    else:
        config = load_stage(job.species, job.stage, job.overrides)
        load = None if job.load is None else find_policy(place_of(job.load, job.run.parent))
        spec = RunSpec(job.species, job.seed, backend, job.algorithm, config, load)
        stages = [job.stage]
    if left is not None:
        timer = threading.Timer(left, os.kill, (os.getpid(), signal.SIGTERM))
        timer.daemon = True
        timer.start()
    for number in stages:
        keep_run_id(job, number)
    events.send(title=job.species)
    if plan is not None:
        return run_curriculum(plan, job.run, wandb=job.wandb)
    return [train_stage(spec, job.run, wandb=job.wandb)]


def place_of(load: str, results: Path) -> Path:
    """Where the policy to start from lies: in the folder of the run folders, else in the working folder.

    Raises:
        UserError: in neither.
    """
    places = [place / Path(load).expanduser() for place in (results, Path.cwd())]
    for path in places:
        if path.exists():
            return path
    raise UserError(
        f"LOAD='{load[:60]}' is neither in {results} nor in {Path.cwd()} on this machine; give a policy file or run"
        " folder that is there (what .gitignore names is not copied to a machine)"
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
        for result in train(read_job(os.environ), events, options.left):
            events.send(result=summary(result))
    except UserError as error:
        return _fail(f"error: {in_job_words(str(error))}", error.exit_code)
    except Interrupted as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        if error.errno not in FULL_OR_CLOSED:
            raise
        where = f" at {error.filename}" if error.filename else ""
        return _fail(f"error: {error.strerror}{where}; make room, then run the same job to go on", BAD_INPUT)
    return 0


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
