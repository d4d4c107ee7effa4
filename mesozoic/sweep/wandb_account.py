"""The server, the project and the key of this user on Weights & Biases; the key is never printed or stored here."""

from __future__ import annotations

import io
import netrc
import os
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PUBLIC_SERVER = "https://api.wandb.ai"


def server() -> str:
    """The W&B server of this user: `WANDB_BASE_URL`, else that of `wandb login`. It may have a password in it."""
    given = os.environ.get("WANDB_BASE_URL", "").strip() or str(_settings().get("base_url") or "")
    return given.rstrip("/") or PUBLIC_SERVER


def project_and_entity() -> tuple[str, str | None]:
    """Where runs go: `WANDB_PROJECT` and `WANDB_ENTITY`, else those of `wandb init`; else mesozoic, of nobody in
    particular."""
    found = _settings()
    project = os.environ.get("WANDB_PROJECT") or found.get("project") or "mesozoic"
    entity = os.environ.get("WANDB_ENTITY") or found.get("entity")
    return str(project), str(entity) if entity else None


def wandb_key(base_url: str = "") -> str | None:
    """The key for Weights & Biases: `WANDB_API_KEY`, else the entry of its host in `~/.netrc` (or `$NETRC`).

    Args:
        base_url: of the server; default: that of this user.
    """
    key = os.environ.get("WANDB_API_KEY", "").strip()
    if key:
        return key
    file = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        entry = netrc.netrc(file).authenticators(urlsplit(base_url or server()).hostname or "")
    except (OSError, ValueError, netrc.NetrcParseError):
        return None
    return entry[2] if entry and entry[2] else None


def _settings() -> dict[str, Any]:
    """What W&B reads of its own settings files; nothing where there are none, which spares importing it."""
    home = Path(os.environ.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb").expanduser()
    here = Path(os.environ.get("WANDB_DIR") or ".")
    if not any((folder / "settings").is_file() for folder in (home, here / "wandb", here / ".wandb")):
        return {}
    try:
        from wandb.apis import InternalApi
    except ImportError:
        return {}
    with redirect_stderr(io.StringIO()):  # it says which files it reads
        return dict(InternalApi().settings())
