"""`python -m mesozoic.job`: train what the environment variables ask for (see `environment`, and `exit_codes`)."""

from __future__ import annotations

import os
import sys

from mesozoic.errors import UserError, ending_of
from mesozoic.job.environment import read_job
from mesozoic.job.on_vertex import on_vertex
from mesozoic.job.supervisor import Supervisor, training_command
from mesozoic.job.wandb_names import wandb_environment
from mesozoic.run.unheard import quietly


@quietly
def say(line: str) -> None:
    """Print a line of the job, at once."""
    print(f"job: {line}", flush=True)


def main() -> int:
    """Run the job to its end; its exit code."""
    environment = on_vertex(os.environ)
    job = read_job(environment)
    if job.leads:
        say(f"files go to {job.run}")
    if job.max_hours is not None:
        say(f"ends itself after {job.max_hours:g} h of training")
    return Supervisor(job, training_command(job), wandb_environment(job, environment), say).run()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        message, code = ending_of(error) or (f"error: {error}", error.exit_code)
        print(message, file=sys.stderr)
        sys.exit(code)
