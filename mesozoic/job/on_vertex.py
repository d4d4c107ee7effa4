"""What a container finds set on Vertex AI, in the words of a job: its identity, its output folder and its W&B key.

`CLOUD_ML_JOB_ID` names the job, and stays the same when a worker is restarted. `AIP_MODEL_DIR` lies in the job's output
folder, `gs://BUCKET/FOLDER/model/`, which the container has as `/gcs/BUCKET/FOLDER`. The value of the W&B key never
stands in a job's specification where `WANDB_KEY_SECRET` names a version of a secret: it is fetched here.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import PurePosixPath

from mesozoic.errors import UserError, shown
from mesozoic.job.environment import JOB_ID, SECRET

KEY_SECRET = "WANDB_KEY_SECRET"
"""Names what Secret Manager is asked for: `projects/P/secrets/NAME/versions/latest`."""
DEADLINE = 30.0
"""Seconds for one try to fetch a secret; there are three."""


def on_vertex(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with what Vertex AI says in it, in a job's own variables; the same elsewhere.

    Raises:
        UserError: the W&B key cannot be fetched.
    """
    found = dict(environment)
    if number := environment.get("CLOUD_ML_JOB_ID"):
        found.setdefault(JOB_ID, number)
    if not environment.get("RESULTS") and not environment.get("RUN_NAME"):
        place = run_folder(environment)
        if place is not None:
            found |= {"RESULTS": str(place.parent), "RUN_NAME": place.name}
    for name in ("RESULTS", "LOAD"):
        if found.get(name, "").startswith("gs://"):
            found[name] = mounted(found[name])
    name = environment.get(KEY_SECRET, "").strip()
    if name and not environment.get(SECRET):
        found[SECRET] = secret_value(name)
    return found


def run_folder(environment: Mapping[str, str]) -> PurePosixPath | None:
    """The job's output folder as the container has it; None without one."""
    folder = environment.get("AIP_MODEL_DIR", "").rstrip("/")
    return PurePosixPath(mounted(folder)).parent if folder.startswith("gs://") else None


def mounted(url: str) -> str:
    """`/gcs/BUCKET/...` for `gs://BUCKET/...`."""
    return "/gcs/" + url.removeprefix("gs://").rstrip("/")


def secret_value(name: str) -> str:
    """The value of a secret's version in Secret Manager, by the account that the container runs as.

    Raises:
        UserError: it cannot be read.
    """
    try:
        import google.auth
        from google.auth.credentials import AnonymousCredentials
        from google.auth.transport.requests import AuthorizedSession
    except ImportError:
        raise UserError(
            f"{KEY_SECRET} needs the package google-auth in this image; build it with the extra [vertex]"
        ) from None
    elsewhere = os.environ.get("MESOZOIC_VERTEX_ENDPOINT", "").rstrip("/")
    said = ""
    for _ in range(3):
        try:
            scope = "https://www.googleapis.com/auth/cloud-platform"
            who = AnonymousCredentials() if elsewhere else google.auth.default(scopes=[scope])[0]
            address = f"{elsewhere or 'https://secretmanager.googleapis.com'}/v1/{name}:access"
            answer = AuthorizedSession(who).get(address, timeout=DEADLINE)
            if answer.status_code == 200:
                return base64.b64decode(answer.json()["payload"]["data"]).decode().strip()
            said = f"HTTP {answer.status_code}"
            if answer.status_code < 500:
                break
        except Exception as error:  # google-auth and requests each have errors of their own
            said = type(error).__name__
    raise UserError(
        f"cannot read {shown(name)} ({said}); allow the account that the job runs as: gcloud secrets"
        " add-iam-policy-binding NAME --member=serviceAccount:ACCOUNT --role=roles/secretmanager.secretAccessor"
    )
