"""The key for Weights & Biases: found in the environment or in `~/.netrc`, never printed, logged or stored here."""

from __future__ import annotations

import netrc
import os
from pathlib import Path
from urllib.parse import urlsplit

WANDB_HOST = "api.wandb.ai"


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
