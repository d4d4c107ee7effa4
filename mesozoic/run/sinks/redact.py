"""Takes secrets out of what strangers' servers and libraries say and write, in every form a request shows them."""

from __future__ import annotations

import base64
import netrc
import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

MARK = "[secret]"
MAX_BYTES = 64 << 20
"""Larger files are no logs."""
SHORTEST = 6
"""Shorter words are no secrets, and stand in texts by chance."""


def secrets() -> set[str]:
    """What must never be shown: the W&B key, a password in its server's address, passwords in `~/.netrc`."""
    found = {os.environ.get("WANDB_API_KEY", "").strip()}
    for name in ("WANDB_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        try:
            found.add(unquote(urlsplit(os.environ.get(name, "")).password or ""))
        except ValueError:
            continue
    try:
        entries = netrc.netrc(os.environ.get("NETRC") or Path.home() / ".netrc").hosts.values()
        found |= {entry[2] or "" for entry in entries}
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError, RuntimeError):
        pass
    return {secret for secret in found if len(secret) >= SHORTEST}


def forms(secret: str) -> set[str]:
    """The ways in which a secret stands in a request: plain, quoted, and in base64 alone or after a user's name."""
    shown = {secret, quote(secret, safe="")}
    for text in (secret, f"api:{secret}", f":{secret}", f"user:{secret}"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            shown.add(encode(text.encode()).decode().rstrip("="))
    for lead in range(3):  # inside of other base64, behind any number of bytes: what does not depend on them
        middle = base64.b64encode(b"\0" * lead + secret.encode()).decode().rstrip("=")
        shown.add(middle[4 if lead else 0 : -1])
    return {form for form in shown if len(form) >= SHORTEST}


def redact(text: str) -> str:
    """`text` without secrets and without control characters, which could forge lines on a screen."""
    for form in sorted((form for secret in secrets() for form in forms(secret)), key=len, reverse=True):
        text = text.replace(form, MARK)
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text)


def scrub(folder: Path) -> None:
    """Overwrite secrets in the files below `folder`, byte for byte; links are not followed."""
    needles = sorted((form.encode() for secret in secrets() for form in forms(secret)), key=len, reverse=True)
    for root, _, names in os.walk(folder) if needles else ():
        for path in (Path(root, name) for name in names):
            try:
                if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
                    continue
                old = new = path.read_bytes()
                for needle in needles:
                    new = new.replace(needle, b"*" * len(needle))
                if new != old:
                    path.write_bytes(new)
            except OSError:
                continue
