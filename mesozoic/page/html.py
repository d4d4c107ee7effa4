"""Makes one HTML file of the page that ships with the package and of what it is given."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError, shown
from mesozoic.files import replacing

ASSETS = Path(__file__).parent / "assets"
"""Made by scripts/build_page.sh from web/."""
PLAYER, MUJOCO = "player.html", "mujoco.wasm.gz"
NO_CONNECTION, OWN_SERVER = "connect-src 'none'", "connect-src 'self'"
"""What the page's own security policy lets it ask for: nothing, or the server that it came from."""


def player_html(parcel: dict[str, Any], follows: bool = False) -> str:
    """The page with everything in it: it works from a file, without a network.

    Args:
        parcel: what `parcel_of` made.
        follows: let it ask the server that it came from for news of a training.
    """
    page = (ASSETS / PLAYER).read_text(encoding="utf-8")
    if follows:
        page = page.replace(NO_CONNECTION, OWN_SERVER, 1)
    return filled(page, mujoco=base64_of((ASSETS / MUJOCO).read_bytes()), parcel=packed_json(parcel))


def check_html(path: Path) -> None:
    """Refuse a name that is none of a page, before any work is done.

    Raises:
        UserError: it does not end in .html.
    """
    if path.suffix != ".html":
        raise UserError(f"'{shown(str(path), 120)}' does not end in .html; give a file name that does")


def write_html(path: Path, page: str) -> int:
    """Write a page; returns its size in bytes.

    Raises:
        UserError: it has another ending, or nothing can be written there.
    """
    check_html(path)
    data = page.encode()
    with replacing(path) as aside:
        aside.write_bytes(data)
    return len(data)


def filled(page: str, **parts: str) -> str:
    """A page with its slots `{{name}}` filled in; what is filled in has no slots."""
    for name, text in parts.items():
        slot = f"{{{{{name}}}}}"
        before, found, after = page.partition(slot)
        if not found:
            raise ValueError(f"the page has no slot {slot}")
        page = before + text + after
    return page


def packed_json(value: Any) -> str:
    """JSON, gzip, base64: how a page carries what it is given. Equal values give equal texts."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64_of(gzip.compress(text.encode(), mtime=0))


def base64_of(data: bytes) -> str:
    """Bytes as a page carries them."""
    return base64.b64encode(data).decode()
