"""What a job would stumble over once it is submitted, looked at before: Vertex AI itself says little of it, and late.

The APIs, the image, the bucket and its region, the quota of the accelerator, the secret: one sentence each, with what
mends it. What may not be looked at is no reason to refuse: a note says so.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from urllib.parse import quote

from mesozoic.cloud.vertex.bucket import BucketFolder, Storage
from mesozoic.cloud.vertex.endpoint import Place
from mesozoic.cloud.vertex.google_rest import Google
from mesozoic.cloud.vertex.machines import Machine
from mesozoic.cloud.vertex.vertex_errors import Missing, Transient, VertexError
from mesozoic.errors import Problems, UserError

APIS = ("aiplatform.googleapis.com", "storage.googleapis.com")
REGISTRY = re.compile(r"([a-z0-9-]+)-docker\.pkg\.dev/([^/]+)/([^/]+)/([^:@]+)(?::([^@]+))?(?:@(sha256:[0-9a-f]{64}))?")
"""An image in Artifact Registry: location, project, repository, name, tag, digest."""
CONTINENTS = {"us": "us-", "eu": "europe-", "asia": "asia-"}
"""Buckets with copies in several regions: their location, and how those regions begin."""


@dataclass
class Findings:
    """`wrong`: a sentence for each thing that would fail; `notes`: what could not be looked at."""

    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refuse(self) -> None:
        """
        Raises:
            UserError: something would fail.
        """
        if self.wrong:
            raise Problems(self.wrong)


def look(
    place: Place,
    bucket: BucketFolder,
    image: str,
    machine: Machine,
    *,
    spot: bool = False,
    machines: int = 1,
    load: BucketFolder | None = None,
    secret: str = "",
) -> Findings:
    """Look at everything that a job needs.

    Args:
        machines: how many at once.
        load: the policy that it begins from.
        secret: the version of a secret that it reads, `projects/P/secrets/NAME/versions/latest`.

    Raises:
        UserError: Google does not answer, or knows nobody here.
    """
    found = Findings()
    google = Google()
    _look_at_apis(google, place, found)
    _look_at_bucket(Storage(place.project), place, bucket, load, found)
    _look_at_image(google, image, found)
    if machine.accelerator is not None:
        _look_at_quota(google, place, machine, spot, machines, found)
    if secret:
        _look_at_secret(google, secret, found)
    return found


def _look_at_apis(google: Google, place: Place, found: Findings) -> None:
    names = [("names", f"projects/{place.project}/services/{api}") for api in APIS]
    path = f"/v1/projects/{place.project}/services:batchGet?" + "&".join(f"{key}={quote(name)}" for key, name in names)
    try:
        services = google.get("serviceusage", path).get("services", [])
    except Missing:
        found.wrong.append(f"there is no project '{place.project}'; 'gcloud projects list' lists yours")
        return
    except VertexError as error:
        _note(found, "which APIs are on", error)
        return
    off = [str(one["name"]).rpartition("/")[2] for one in services if one.get("state") != "ENABLED"]
    if off:
        found.wrong.append(
            f"{' and '.join(off)} is off; type: gcloud services enable {' '.join(off)} --project={place.project}"
        )


def _look_at_bucket(
    storage: Storage, place: Place, bucket: BucketFolder, load: BucketFolder | None, found: Findings
) -> None:
    try:
        location = storage.location(bucket.bucket)
    except FileNotFoundError:
        found.wrong.append(
            f"there is no bucket gs://{bucket.bucket}; type: gcloud storage buckets create gs://{bucket.bucket}"
            f" --location={place.region} --project={place.project}"
        )
        return
    except UserError as error:
        found.wrong.append(str(error))
        return
    if location and not _reaches(location, place.region):
        found.wrong.append(
            f"bucket gs://{bucket.bucket} lies in {location} and the job would run in {place.region}: slow, and every"
            f" byte is paid for; give --region {location} or a bucket in {place.region}"
        )
    mark = bucket / f".mesozoic-{uuid.uuid4().hex}"
    try:
        storage.write(mark, b"can be written\n")
        storage.remove(mark)
    except (UserError, FileNotFoundError) as error:
        found.wrong.append(f"bucket gs://{bucket.bucket} cannot be written: {error}")
    if load is not None and not storage.exists(load):
        found.wrong.append(f"--load {load.url} is not there; copy your policy with: gcloud storage cp FILE {load.url}")


def _reaches(location: str, region: str) -> bool:
    """Whether a bucket's location is near a region; of a pair of regions it is not known."""
    if location in CONTINENTS:
        return region.startswith(CONTINENTS[location])
    return "-" not in location or location == region


def _look_at_image(google: Google, image: str, found: Findings) -> None:
    parts = REGISTRY.fullmatch(image)
    if parts is None:
        found.notes.append(f"whether image {image} exists is not checked: it is not in Artifact Registry")
        return
    location, project, repository, name, tag, digest = parts.groups()
    package = f"/v1/projects/{project}/locations/{location}/repositories/{repository}/packages/{quote(name, safe='')}"
    version = f"/versions/{digest}" if digest else f"/tags/{tag or 'latest'}"
    try:
        google.get("artifactregistry", package + version)
    except Missing:
        found.wrong.append(
            f"there is no image {image}; build and push it with: bash scripts/setup_vertex_ai.sh, or list what there"
            f" is: gcloud artifacts docker images list {location}-docker.pkg.dev/{project}/{repository}"
        )
    except VertexError as error:
        _note(found, f"whether image {image} exists", error)


def _look_at_quota(google: Google, place: Place, machine: Machine, spot: bool, machines: int, found: Findings) -> None:
    assert machine.accelerator is not None
    kind = "preemptible_" if spot else ""
    metric = f"custom_model_training_{kind}nvidia_{machine.accelerator.quota}_gpus"
    name = f"aiplatform.googleapis.com/{metric}"
    service = f"/v1beta1/projects/{place.project}/services/aiplatform.googleapis.com"
    try:
        limits = google.get("serviceusage", f"{service}/consumerQuotaMetrics/{quote(name, safe='')}")
    except VertexError as error:
        _note(found, f"the quota {metric}", error)
        return
    buckets = [one for limit in limits.get("consumerQuotaLimits", []) for one in limit.get("quotaBuckets", [])]
    here = [one for one in buckets if (one.get("dimensions") or {}).get("region") == place.region]
    allowed = [int(one.get("effectiveLimit") or 0) for one in here or buckets if not one.get("dimensions") or here]
    wanted = machine.count * machines
    if allowed and 0 <= min(allowed) < wanted:
        found.wrong.append(
            f"the quota of {machine.accelerator.name} in {place.region} is {min(allowed)}, and {wanted} are wanted; ask"
            f" for more of {metric} at https://console.cloud.google.com/iam-admin/quotas?project={place.project}, or"
            " take another --accelerator or --region"
        )


def _look_at_secret(google: Google, secret: str, found: Findings) -> None:
    name = secret.split("/")[3] if secret.count("/") >= 3 else secret
    try:
        google.get("secretmanager", f"/v1/{secret}")
    except Missing:
        found.wrong.append(
            f"there is no secret '{name}' with a value; type: echo -n YOUR_KEY | gcloud secrets create {name}"
            " --data-file=-"
        )
    except VertexError as error:
        _note(found, f"secret {name}", error)


def _note(found: Findings, what: str, error: VertexError) -> None:
    """What may not be looked at is noted; that nobody answers is no note."""
    if isinstance(error, Transient):
        raise error
    found.notes.append(f"{what} could not be checked: {error}")
