"""The ledger of what was rented for this project.

The ledger, `~/.mesozoic/cloud/ledger.jsonl`, has one JSON object a line: what was launched, when, at which price,
and when it was given back. It never holds a secret. `MESOZOIC_CLOUD_HOME` moves it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mesozoic.cloud.names import PREFIX


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
