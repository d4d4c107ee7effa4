"""After the launch: follow a job to its end, bring its results home, give the machine back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mesozoic.cloud.pulled import report_pulled
from mesozoic.cloud.sky.client import CloudClient, Job, Unreachable
from mesozoic.cloud.sky.launch import Submitted
from mesozoic.cloud.sky.provider import SkyProvider
from mesozoic.cloud.sky.pull import pull
from mesozoic.cloud.sky.targets import find_cluster
from mesozoic.cloud.undo import hand_back
from mesozoic.errors import UserError

Say = Callable[[str], None]
GONE = "GONE"
"""The cluster vanished while its job was followed."""
SILENCE = 1800.0
"""Seconds without any answer after which following gives up; the machine goes on and ends itself when idle."""
PAUSE = 10.0
"""Seconds between two looks at a job."""


def follow(client: CloudClient, name: str, job: int, say: Say, show: bool = True, patience: float = SILENCE) -> str:
    """Wait until a job of a cluster ends; the state it ended in, or `GONE`.

    Args:
        show: print its output meanwhile.

    Raises:
        Unreachable: no answer for as long as `patience`.
    """

    def watch() -> None:
        if show:
            client.tail(name, job, follow=True, lines=0)

    def look() -> Job | None:
        if not client.clusters([name]):
            return None
        return _numbered(client.jobs(name), name, job)

    return _until_ended(name, watch, look, say, patience)


def follow_managed(client: CloudClient, name: str, job: int, say: Say, patience: float = SILENCE) -> str:
    """Wait until a managed job ends, over pre-emptions; the state it ended in.

    Raises:
        Unreachable: no answer for as long as `patience`.
    """

    def watch() -> None:
        client.tail_managed(job, follow=True, lines=0)

    return _until_ended(name, watch, lambda: _numbered(client.managed_jobs(), name, job), say, patience)


def _until_ended(
    name: str, watch: Callable[[], None], look: Callable[[], Job | None], say: Say, patience: float
) -> str:
    heard = time.monotonic()
    while True:
        try:
            watch()
            found = look()
            heard = time.monotonic()
            if found is None:
                return GONE
            if found.ended:
                return found.state
        except UserError as error:
            if time.monotonic() - heard > patience:
                raise Unreachable(
                    f"no word from {name} for {patience / 60:.0f} min ({error}); it ends itself when idle; type"
                    f" 'mesozoic cloud status' and 'mesozoic cloud pull {name}' when the network is back"
                ) from None
            say(f"no answer from {name} just now ({error}); looking again")
        time.sleep(PAUSE)


def _numbered(jobs: Sequence[Job], name: str, number: int) -> Job:
    for job in jobs:
        if job.id == number:
            return job
    raise UserError(f"'{name}' has no job {number}")


def finish(client: CloudClient, rented: Submitted, run_name: str, say: Say, pull_it: bool, down: bool) -> str:
    """Follow the job, then pull and give back as asked; the state it ended in.

    A run that failed is pulled as well: its checkpoints are worth having. A machine whose results could not be pulled
    is not terminated here; it ends itself when idle.
    """
    state = "SUCCEEDED" if rented.job is None else follow(client, rented.name, rented.job, say)
    say(f"job {rented.job} on {rented.name} ended: {state}")
    if state == GONE:
        say(f"{rented.name} is gone: pre-empted, terminated by somebody, or idle for too long")
        return state
    if pull_it:
        try:
            cluster = find_cluster(client, rented.name)
            report_pulled(pull(client, cluster, run_name, None, say), say)
        except UserError as error:
            if state == "SUCCEEDED":
                raise
            say(str(error))  # a job that failed early has nothing to bring home
    if down:
        hand_back(SkyProvider(client), rented.name, say)
    return state
