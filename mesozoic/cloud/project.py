"""What belongs to this project: its checkout, the names of its clusters, and the ledger of what was rented.

The ledger, `~/.mesozoic/cloud/ledger.jsonl`, has one JSON object a line: what was launched, when, at which price,
and when it was given back. It never holds a secret. `MESOZOIC_CLOUD_HOME` moves it.
"""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError

PREFIX = "mesozoic-"
IDLE_MINUTES = 5
"""Idle minutes after which a cluster terminates itself."""
REMOTE_RUNS = "~/mesozoic-runs"
"""Where a machine keeps its run folders (`cloud/node-train.sh`)."""
NAME = re.compile(r"[A-Za-z](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?")
LONGEST_NAME = 60


def find_checkout(start: Path | None = None) -> Path:
    """The checkout that `start` (default: the working directory) lies in.

    Raises:
        UserError: it lies in none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "cloud" / "train.yaml").is_file():
            return folder
    raise UserError(f"no cloud/train.yaml in {here} or above; cd into a checkout of mesozoic and type it again")


def unique_name(stem: str) -> str:
    """A cluster name that is not in use: `mesozoic-<stem>-<4 hexadecimal digits>`."""
    return f"{PREFIX}{stem}-{uuid.uuid4().hex[:4]}"


def check_name(name: str, what: str) -> str:
    """`name`, if clouds and folders accept it.

    Raises:
        UserError: they do not.
    """
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UserError(
            f"{what} '{name}' is not usable; begin with a letter, then letters, digits, '-', '_' or '.',"
            f" at most {LONGEST_NAME} in all"
        )
    return name


def _ledger_file() -> Path:
    home = os.environ.get("MESOZOIC_CLOUD_HOME")
    return (Path(home) if home else Path.home() / ".mesozoic" / "cloud") / "ledger.jsonl"


def write_ledger(event: str, cluster: str, **details: Any) -> None:
    """Append one line. A ledger that cannot be written is no reason to stop: the cluster exists anyway."""
    line = {"event": event, "cluster": cluster, "time": round(time.time()), **details}
    file = _ledger_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
    except OSError:
        return


def read_ledger() -> list[dict[str, Any]]:
    """All lines that can be read, oldest first."""
    try:
        text = _ledger_file().read_text(encoding="utf-8")
    except OSError:
        return []
    lines = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # half a line, from a disk that was full
        if isinstance(entry, dict) and isinstance(entry.get("cluster"), str):
            lines.append(entry)
    return lines


def launched(cluster: str) -> dict[str, Any]:
    """The newest `launch` line of a cluster, or of a managed job; empty if there is none."""
    found = [line for line in read_ledger() if line["cluster"] == cluster and line.get("event") == "launch"]
    return found[-1] if found else {}


def is_ours(name: str, ledger: Iterable[dict[str, Any]]) -> bool:
    """Whether a cluster is of this project: by its prefix, or because it is in the ledger."""
    return name.startswith(PREFIX) or any(line["cluster"] == name for line in ledger)
