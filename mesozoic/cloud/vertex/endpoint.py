"""Where Google's services are and who asks them: one setting, `MESOZOIC_VERTEX_ENDPOINT`, sends everything elsewhere.

It is an address such as http://127.0.0.1:8080, for a server that stands in for Google; no credentials go there. Cloud
Storage has a setting of its own, which its clients know: `STORAGE_EMULATOR_HOST`.
"""

from __future__ import annotations

import os
import re
import time
import warnings
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from mesozoic.errors import UserError, shown

ENDPOINT = "MESOZOIC_VERTEX_ENDPOINT"
DEADLINE = 60.0
"""Seconds after which a request counts as not answered."""
REGION = "us-central1"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
INSTALL = "Vertex AI needs the package google-cloud-aiplatform; type: pip install 'mesozoic[vertex]'"
PROJECT_NAME = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|[0-9]{6,20}")
REGION_NAME = re.compile(r"[a-z]+-[a-z]+[0-9]{1,2}")


@dataclass(frozen=True)
class Place:
    """A project and a region, which jobs belong to."""

    project: str
    region: str = REGION

    @property
    def parent(self) -> str:
        """What the service calls it."""
        return f"projects/{self.project}/locations/{self.region}"


def read_place(project: str | None, region: str | None) -> Place:
    """A place as a user gives it; the environment's project where none is given.

    Raises:
        UserError: there is none, or it cannot be the name of one.
    """
    chosen = (project or os.environ.get("GOOGLE_CLOUD_PROJECT") or "").strip()
    if not chosen:
        raise UserError(
            "which Google Cloud project? give --project NAME, or type: export GOOGLE_CLOUD_PROJECT=NAME"
            " ('gcloud projects list' lists yours)"
        )
    if not PROJECT_NAME.fullmatch(chosen):
        raise UserError(
            f"--project '{shown(chosen)}' is not the id of a project: lowercase letters, digits and '-', 6 to 30;"
            " 'gcloud projects list' lists yours"
        )
    where = (region or REGION).strip()
    if not REGION_NAME.fullmatch(where):
        raise UserError(f"--region '{shown(where)}' is not a region; give for example --region {REGION}")
    return Place(chosen, where)


def elsewhere() -> str:
    """The address that stands in for Google's; empty: Google's own.

    Raises:
        UserError: it is set, and no address.
    """
    address = os.environ.get(ENDPOINT, "").strip().rstrip("/")
    if address and not re.fullmatch(r"https?://[^/\s]+", address):
        raise UserError(f"{ENDPOINT} '{shown(address)}' is no address; set for example http://127.0.0.1:8080")
    return address


def address_of(service: str) -> str:
    """The address of one of Google's services, `us-central1-aiplatform` for example."""
    return elsewhere() or f"https://{service}.googleapis.com"


def credentials() -> Any:
    """Those of this machine; none for an address that stands in for Google's.

    Raises:
        UserError: google-cloud-aiplatform is not installed, or there are none.
    """
    try:
        import google.auth
        from google.auth.credentials import AnonymousCredentials
    except ImportError:
        raise UserError(INSTALL) from None
    if elsewhere():
        return AnonymousCredentials()
    from google.auth.exceptions import GoogleAuthError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about quota projects, on every call
            return google.auth.default(scopes=[SCOPE])[0]
    except GoogleAuthError as error:
        raise UserError(
            f"Google Cloud knows nobody here ({shown(str(error).partition(chr(10))[0], 120)}); type: gcloud auth"
            " application-default login"
        ) from None


def clock_difference() -> float | None:
    """Seconds by which this machine's clock is ahead of the service's; None where that cannot be told."""
    try:
        import requests

        began = time.time()
        answer = requests.head(address_of("www"), timeout=5.0, allow_redirects=False)
        there = parsedate_to_datetime(answer.headers["Date"]).timestamp()
        return (began + time.time()) / 2 - there
    except Exception:  # whatever fails here, it was to explain another failure
        return None
