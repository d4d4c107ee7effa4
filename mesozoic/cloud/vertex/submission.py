"""Submitting a job so that nothing bills unseen: noted before it is asked for, and looked for where its answer is lost.

Errors that may pass (quota, a failing service, no answer) are tried again after pauses that grow; the others fail at
once. Whatever goes wrong, a job that is there all the same is found by its label and taken over, or cancelled.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mesozoic.cloud.ledger import begin, write_ledger
from mesozoic.cloud.undo import PATIENCE, undone_on_failure
from mesozoic.cloud.vertex.client import LABEL, LAUNCH, MESOZOIC, VertexClient
from mesozoic.cloud.vertex.jobs import Job, Kind
from mesozoic.cloud.vertex.provider import BETWEEN, VertexProvider
from mesozoic.cloud.vertex.vertex_errors import Transient
from mesozoic.errors import UserError, shown

Say = Callable[[str], None]
LOOKS = 3
"""Looks for a job whose answer was lost, before it is asked for again."""
DELAYS = (60.0, 180.0, 300.0)
"""Seconds before each further try."""


def read_delays(text: str) -> tuple[float, ...]:
    """`60,180,300`: seconds before each further try; empty: none.

    Raises:
        UserError: it is no list of numbers of seconds.
    """
    try:
        found = tuple(float(one) for one in text.split(",") if one.strip())
    except ValueError:
        found = (-1.0,)
    if not all(0 <= one <= 24 * 3600 for one in found):
        raise UserError(f"--retry-after '{shown(text)}' is no list of seconds; give for example --retry-after 60,180")
    return found


def our_labels(labels: Mapping[str, str] | None = None) -> dict[str, str]:
    """The labels of one launch: those of a user, ours, and one that no other launch has."""
    return {**(labels or {}), LABEL: MESOZOIC, LAUNCH: uuid.uuid4().hex[:12]}


def refuse_existing(client: VertexClient, name: str) -> None:
    """Two jobs of one name would write into one folder.

    Raises:
        UserError: a job of this name goes on.
    """
    for job in client.jobs(name):
        if not job.ended:
            raise UserError(
                f"a {job.kind} '{name}' is {job.state} already; give another --name, or end it with: mesozoic cloud"
                f" down {name}"
            )


def submit(
    client: VertexClient,
    kind: Kind,
    spec: Mapping[str, Any],
    say: Say,
    *,
    delays: Sequence[float] = DELAYS,
    patience: float = PATIENCE,
    **details: Any,
) -> Job:
    """Submit a job that is noted in the ledger first; on any failure or Ctrl-C nothing of it goes on.

    Args:
        spec: with the labels of `our_labels`.
        details: for the ledger: `offer` (which machine, in words), `price` (dollars an hour of one machine), ...

    Raises:
        UserError: it could not be submitted; the sentence says whether anything may be left. It exits with
            128 + signal if a signal ended it.
    """
    name, launch = str(spec["displayName"]), str(spec["labels"][LAUNCH])
    refuse_existing(client, name)
    begin(kind, name, project=client.place.project, region=client.place.region, launch=launch, **details)
    with undone_on_failure(VertexProvider(), name, say, patience):
        job = _until_taken(client, kind, spec, launch, say, delays)
        write_ledger("up", name, identity=job.resource)
    return job


def look_for(client: VertexClient, kind: Kind, launch: str) -> list[Job]:
    """The jobs of a launch; it looks several times where there is none, since lists may be late."""
    for look in range(LOOKS):
        if look:
            time.sleep(BETWEEN)
        found = client.jobs(kinds=[kind], launch=launch)
        if found:
            return found
    return []


def _until_taken(
    client: VertexClient, kind: Kind, spec: Mapping[str, Any], launch: str, say: Say, delays: Sequence[float]
) -> Job:
    """Ask until the service has the job; never twice while it is not known what became of the first time."""
    unsure = False
    left = list(delays)
    while True:
        try:
            if unsure:
                found = look_for(client, kind, launch)
                if found:
                    say(f"{found[-1].name} was taken; only the answer was lost")
                    return found[-1]
                unsure = False
            return client.create(kind, spec)
        except Transient as error:
            unsure = unsure or error.taken
            if not left:
                raise
            delay = left.pop(0)
            say(f"{error}; trying again in {delay:g} s")
            time.sleep(delay)
