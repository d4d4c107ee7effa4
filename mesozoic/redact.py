"""Takes secrets out of what is printed or written, in every form in which a request shows them."""

from __future__ import annotations

import base64
import netrc
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

MARK = "[secret]"
MAX_BYTES = 64 << 20
"""Larger files are no logs."""
SHORTEST = 6
"""Shorter words are no secrets, and stand in texts by chance."""
ADDRESSES = ("WANDB_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
"""Environment variables that hold an address, and with it perhaps a password."""


def secrets() -> set[str]:
    """What must never be shown: the W&B key, a password in its server's address, passwords in `~/.netrc`."""
    found = {os.environ.get("WANDB_API_KEY", "").strip()}
    found |= {password_in(os.environ.get(name, "")) for name in ADDRESSES}
    try:
        entries = netrc.netrc(os.environ.get("NETRC") or Path.home() / ".netrc").hosts.values()
        found |= {entry[2] or "" for entry in entries}
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError, RuntimeError):
        pass
    return {secret for secret in found if len(secret) >= SHORTEST}


def password_in(address: str) -> str:
    """The password in an address such as `https://user:password@host`; empty without one."""
    try:
        return unquote(urlsplit(address).password or "")
    except ValueError:
        return ""


def without_password(address: str) -> str:
    """An address as it may be shown: without the user and the password in it."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return MARK if "@" in address else address
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


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


def redact(text: str, also: Iterable[str] = ()) -> str:
    """`text` without secrets.

    Args:
        also: further secrets than those that this process knows.
    """
    for form in _longest_first(also):
        text = text.replace(form, MARK)
    return text


def scrub(folder: Path, also: Iterable[str] = ()) -> None:
    """Overwrite secrets in the files below `folder`, byte for byte; links are not followed."""
    needles = [form.encode() for form in _longest_first(also)]
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


def _longest_first(also: Iterable[str]) -> list[str]:
    known = secrets() | {secret for secret in also if len(secret) >= SHORTEST}
    return sorted((form for secret in known for form in forms(secret)), key=len, reverse=True)
