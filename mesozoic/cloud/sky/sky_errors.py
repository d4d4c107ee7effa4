"""SkyPilot's module, imported when it is needed, and its errors turned into sentences."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mesozoic.cloud.sky.client import SoldOut, Unreachable
from mesozoic.errors import UserError, plain
from mesozoic.redact import redact

INSTALL = 'pip install -c constraints.txt -e ".[cloud]"'
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LONGEST = 400


def import_sky() -> Any:
    """The module `sky`, with its telemetry off.

    Raises:
        UserError: it is not installed.
    """
    os.environ.setdefault("SKYPILOT_DISABLE_USAGE_COLLECTION", "1")
    try:
        import sky
    except ModuleNotFoundError as error:
        if error.name != "sky":
            raise
        raise UserError(f"SkyPilot is not installed; in the checkout, type: {INSTALL}") from None
    from sky.utils import annotations

    annotations.is_on_api_server = False  # else its price lists print what only its server should
    logging.getLogger("OpenGL").setLevel(logging.WARNING)  # it makes every library's remarks heard, also MuJoCo's
    return sky


def one_line(error: object) -> str:
    """An error as one line without colours and without secrets, cut to a readable length."""
    text = plain(redact(" ".join(_COLOUR.sub("", str(error)).split()))) or type(error).__name__
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def translate(error: BaseException) -> UserError:
    """What an error of SkyPilot means to the user."""
    from sky import exceptions

    text = one_line(error)
    if isinstance(error, UserError):
        return error
    if isinstance(error, exceptions.ResourcesUnavailableError):
        reasons = [one_line(one) for one in error.failover_history]
        return SoldOut(reasons[-1] if reasons else text, [str(one) for one in error.failover_history])
    if "skypilot-catalog" in text:
        return Unreachable("SkyPilot could not fetch its price lists; check the network, then try again")
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"ApiServerConnectionError", "ConnectionError", "RequestException", "HTTPError", "NetworkError"}:
        return Unreachable(f"SkyPilot does not answer ({text}); check the network and 'sky api status', then try again")
    if isinstance(error, exceptions.ClusterDoesNotExist):
        return UserError(f"{text.rstrip('.')}; 'mesozoic cloud status' lists what there is")
    if isinstance(error, exceptions.NoCloudAccessError):
        return UserError("no cloud is set up for SkyPilot; 'mesozoic cloud check' says what to type for each")
    return UserError(f"SkyPilot: {text}")


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn whatever SkyPilot raises inside into a `UserError` of one sentence."""
    try:
        yield
    except (UserError, KeyboardInterrupt, GeneratorExit):
        raise
    except SystemExit as error:
        raise UserError(f"SkyPilot gave up ({one_line(error)}); the lines above say why") from None
    except Exception as error:
        raise translate(error) from error
