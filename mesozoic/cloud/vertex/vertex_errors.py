"""What Vertex AI's client raises, in one sentence for a person, and whether it is worth trying again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mesozoic.cloud.vertex.endpoint import clock_difference
from mesozoic.errors import UserError, shown

LONGEST = 200
"""Characters of what the service says that are shown."""
SKEW = 300.0
"""Seconds by which two clocks may differ before Google refuses what one of them has signed."""


class VertexError(UserError):
    """The service refuses, and would refuse again."""


class Missing(VertexError):
    """What was asked for is not there."""


class Transient(VertexError):
    """It may go away by itself.

    Attributes:
        taken: whether the request may have been carried out all the same: its answer is missing.
    """

    taken = False


class Quota(Transient):
    """More than the project may have just now."""


class Unanswered(Transient):
    """No answer, or one that says nothing about what was done."""

    taken = True


@contextmanager
def plain_errors(what: str) -> Iterator[None]:
    """Inside, the client is called; what it raises comes out as a `VertexError`.

    Args:
        what: was tried, as in "could not WHAT".

    Raises:
        VertexError: one of its kinds.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        found = explained(error, what)
        if found is None:
            raise
        raise found from None


def explained(error: Exception, what: str) -> VertexError | None:
    """The error in our words; None for one that is not about the service."""
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from requests import exceptions as http

    said = _said(error)
    if isinstance(error, api.TooManyRequests):
        return Quota(
            f"could not {what}: no quota just now ({said}); wait for another job to end, take another --accelerator or"
            " --region, or ask for more: https://console.cloud.google.com/iam-admin/quotas"
        )
    if isinstance(error, api.NotFound):
        return Missing(f"could not {what}: not found ({said})")
    if isinstance(error, auth.TransportError | http.ConnectionError | http.Timeout | api.RetryError):
        return Unanswered(f"could not {what}: no answer ({said}); look at the network, and try again")
    if isinstance(error, api.Unauthorized | auth.GoogleAuthError):
        return _unknown_person(what, said)
    if isinstance(error, api.Forbidden):
        return VertexError(_forbidden(what, said))
    if isinstance(error, api.ServerError | api.GatewayTimeout | api.DeadlineExceeded):
        return Unanswered(f"could not {what}: the service failed ({said}); try again later")
    if isinstance(error, api.GoogleAPICallError | http.RequestException):
        return VertexError(f"could not {what}: {said}")
    return None


def _forbidden(what: str, said: str) -> str:
    if "has not been used" in said or "is disabled" in said or "SERVICE_DISABLED" in said:
        return f"could not {what}: an API is off ({said}); type: gcloud services enable aiplatform.googleapis.com"
    return (
        f"could not {what}: not allowed ({said}); ask an owner of the project for the role Vertex AI User"
        " (roles/aiplatform.user)"
    )


def _unknown_person(what: str, said: str) -> VertexError:
    """Google does not believe who we are, which a wrong clock causes too."""
    ahead = clock_difference()
    if ahead is not None and abs(ahead) > SKEW:
        way = "ahead of" if ahead > 0 else "behind"
        return VertexError(
            f"could not {what}: this machine's clock is {abs(ahead) / 60:.0f} min {way} Google's, which therefore"
            " refuses it; set the clock, for example with: sudo timedatectl set-ntp true"
        )
    return VertexError(
        f"could not {what}: Google does not accept the credentials ({said}); type: gcloud auth"
        " application-default login"
    )


def _said(error: Exception) -> str:
    """What the service said, short, without the address that was asked."""
    text = str(getattr(error, "message", "") or error)
    text = re.sub(r"\b(?:GET|POST|DELETE|PATCH) https?://\S+: ", "", text)
    return shown(" ".join(text.split()).rstrip("."), LONGEST) or type(error).__name__
