"""Which job of Vertex AI a NAME means: one that was submitted from here, or any of the project by name or number."""

from __future__ import annotations

import re

from mesozoic.cloud.ledger import VERTEX, Launch, every_launch, write_ledger
from mesozoic.cloud.names import PREFIX, plain_name
from mesozoic.cloud.vertex.bucket import BucketFolder, read_bucket
from mesozoic.cloud.vertex.client import VertexClient
from mesozoic.cloud.vertex.endpoint import Place, read_place
from mesozoic.cloud.vertex.jobs import COLLECTIONS, Job
from mesozoic.cloud.vertex.vertex_errors import Missing
from mesozoic.errors import UserError, did_you_mean


def find_place(project: str | None, region: str | None) -> Place:
    """The place that is named, else that of the newest job submitted from here.

    Raises:
        UserError: neither.
    """
    known = every_launch(VERTEX)
    if project is None and known:
        newest = known[-1].details
        return read_place(str(newest.get("project")), region or str(newest.get("region")))
    return read_place(project, region)


def find_job(name: str | None, project: str | None, region: str | None) -> tuple[VertexClient, Job, Launch | None]:
    """The job, with its launch if it was submitted from here; without a name the newest one of those.

    Args:
        name: with or without our prefix, or the number that the service gave it.

    Raises:
        UserError: there is none.
    """
    known = every_launch(VERTEX)
    if name is None:
        if not known:
            raise UserError("nothing was submitted to Vertex AI from here; 'mesozoic vertex submit' does")
        name = known[-1].name
    number = re.fullmatch(r"[0-9]+", name)
    names = () if number else (plain_name(name), PREFIX + name)
    for launch in reversed(known):
        if launch.name in names or (number and launch.identity.endswith(f"/{name}")):
            client = VertexClient(read_place(project or str(launch.details.get("project")), _region(launch, region)))
            return client, _job_of(client, launch), launch
    client = VertexClient(find_place(project, region))
    found = _numbered(client, name) if number else [job for one in names for job in client.jobs(one, ours=False)]
    if not found:
        near = did_you_mean(name, [one.name for one in known]) or ";"
        raise UserError(f"there is no job '{name}' in {client.place.project}{near} 'mesozoic vertex list' lists them")
    return client, found[0], None


def folder_of(job: Job, launch: Launch | None) -> BucketFolder:
    """Where a job's results are.

    Raises:
        UserError: it says of none.
    """
    if launch is not None and launch.details.get("folder"):
        return read_bucket(str(launch.details["folder"]))
    spec = job.spec.get("jobSpec") or job.spec.get("trialJobSpec") or {}
    url = str((spec.get("baseOutputDirectory") or {}).get("outputUriPrefix") or "")
    if not url:
        raise UserError(f"{job.kind} '{job.name}' has no output folder; copy with: gcloud storage cp -r gs://... .")
    return read_bucket(url)


def _region(launch: Launch, region: str | None) -> str:
    return region or str(launch.details.get("region"))


def _job_of(client: VertexClient, launch: Launch) -> Job:
    if launch.identity:
        return client.get(launch.identity)
    found = client.jobs(launch=str(launch.details.get("launch")))
    if not found:
        raise UserError(f"Vertex AI knows nothing of '{launch.name}'; type: mesozoic cloud down {launch.name}")
    write_ledger("seen", launch.name, identity=found[0].resource)
    return found[0]


def _numbered(client: VertexClient, number: str) -> list[Job]:
    for collection in COLLECTIONS.values():
        try:
            return [client.get(f"{client.place.parent}/{collection}/{number}")]
        except Missing:
            continue
    return []
