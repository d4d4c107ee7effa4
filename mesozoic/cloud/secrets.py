"""Secrets: found in the environment or in `~/.netrc`, handed to SkyPilot, and never printed, logged or stored here."""

from __future__ import annotations

import netrc
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from mesozoic.errors import UserError

WANDB_HOST = "api.wandb.ai"
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)", re.IGNORECASE)


def wandb_key(base_url: str = "") -> str | None:
    """The key for Weights & Biases: `WANDB_API_KEY`, else the entry of its host in `~/.netrc` (or `$NETRC`)."""
    key = os.environ.get("WANDB_API_KEY", "").strip()
    if key:
        return key
    host = urlsplit(base_url or os.environ.get("WANDB_BASE_URL", "")).hostname or WANDB_HOST
    file = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        entry = netrc.netrc(file).authenticators(host)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return None
    return entry[2] if entry and entry[2] else None


def refuse_secrets(envs: Mapping[str, str]) -> None:
    """Envs are written into logs and ledgers, so no secret may travel as one.

    Raises:
        UserError: the name of one says that it is a secret.
    """
    for name, value in envs.items():
        if value and _SECRET_NAME.search(name):
            raise UserError(
                f"--env {name} would be stored in plain text; export WANDB_API_KEY in this shell instead (it is handed"
                " over as a secret), and put other secrets into ~/.netrc of the machine"
            )
