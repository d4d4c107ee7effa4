"""The ledger of what was rented for this project: written before anything is started, so that nothing bills unseen.

It is `~/.mesozoic/cloud/ledger.jsonl`, one JSON object a line; `MESOZOIC_CLOUD_HOME` moves it. It never holds a secret.
Every line has `event`, `cluster` (the name of whatever was rented) and `time`. Events, in the life of one thing:

- `launch`: is about to be asked for; with `kind`, what it is for, at which price, and where (`project`, `region`).
- `asked`: the service has taken the request, which has this `request` as its number.
- `up`: is there; `exec`: a further job was sent to it.
- `seen`: a look found it, under this `identity`, by which the service tells two of the same name apart.
- `gone`: was seen before and is no longer there: ended by itself, or by somebody else.
- `down`: was ended from here, and looked for afterwards.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mesozoic.errors import UserError

Kind = Literal["cluster", "managed job", "pool", "custom job", "tuning job"]
SKY: tuple[Kind, ...] = ("cluster", "managed job", "pool")
"""Kinds of things that SkyPilot rents."""
VERTEX: tuple[Kind, ...] = ("custom job", "tuning job")
"""Kinds of jobs of Vertex AI."""


@dataclass(frozen=True)
class Launch:
    """Something that was asked for from here.

    Attributes:
        time: seconds since 1970 when it was asked for.
        request: number under which the service works on it; empty if its answer never came.
        identity: what the service calls this very one; empty if it was never seen.
        seen: it was there at some time.
        gone: it was there, and later it was not.
        down: it was ended from here, and looked for afterwards.
        details: the whole line.
    """

    name: str
    kind: Kind
    time: float
    request: str = ""
    identity: str = ""
    seen: bool = False
    gone: bool = False
    down: bool = False
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def is_this(self, identity: str) -> bool:
        """Whether something of this name and this identity is what was launched, and not a later one of the name."""
        if self.identity and identity:
            return self.identity == identity
        return not self.gone


def begin(kind: Kind, name: str, **details: Any) -> None:
    """Write down what is about to be rented.

    Raises:
        UserError: it cannot be written, so it must not be rented: nobody would find it again.
    """
    try:
        _append({"event": "launch", "cluster": name, "time": round(time.time()), "kind": kind, **details})
    except OSError as error:
        raise UserError(
            f"cannot write {_ledger_file()} ({error.strerror}), where everything that is rented is noted; nothing was"
            " rented: free the disk, or set MESOZOIC_CLOUD_HOME to another folder"
        ) from None


def write_ledger(event: str, name: str, **details: Any) -> None:
    """Append one line about something that `begin` has noted. A full disk is no reason to stop: it is there anyway."""
    try:
        _append({"event": event, "cluster": name, "time": round(time.time()), **details})
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


def launched(name: str) -> dict[str, Any]:
    """The newest `launch` or `exec` line of a cluster or managed job: what it was last told to do; {} without one."""
    found = [line for line in read_ledger() if line["cluster"] == name and line.get("event") in ("launch", "exec")]
    return found[-1] if found else {}


def open_launches(kinds: Collection[Kind] = (*SKY, *VERTEX)) -> dict[str, Launch]:
    """Everything of some kinds launched from here without a later `down`, by name, the newest of each name."""
    newest = {one.name: one for one in every_launch(kinds)}
    return {name: one for name, one in newest.items() if not one.down}


def every_launch(kinds: Collection[Kind] = (*SKY, *VERTEX)) -> list[Launch]:
    """Everything of some kinds that was ever launched from here, oldest first."""
    every: list[dict[str, Any]] = []
    newest: dict[str, dict[str, Any]] = {}
    for line in read_ledger():
        name, event = line["cluster"], line.get("event")
        if event == "launch":
            one = {"name": name, "kind": _kind(line), "time": float(line.get("time") or 0), "details": line}
            every.append(one)
            newest[name] = one
        elif name not in newest or newest[name].get("down"):
            continue
        elif event == "down":
            newest[name]["down"] = True
        elif event == "gone":
            newest[name]["gone"] = True
        elif event == "asked":
            newest[name]["request"] = str(line.get("request") or "")
        elif event in ("up", "seen"):
            newest[name].update(seen=True, gone=False)
            if line.get("identity"):
                newest[name]["identity"] = str(line["identity"])
    return [Launch(**parts) for parts in every if parts["kind"] in kinds]


def was_ours(name: str, began: float) -> bool:
    """Whether something of that name, which began at that time, was launched from here.

    Args:
        began: seconds since 1970, by the clock of whoever rented it.
    """
    ours = False
    for line in read_ledger():
        if line["cluster"] == name and line.get("event") in ("launch", "down"):
            if float(line.get("time") or 0) > began + CLOCKS_DIFFER:
                break
            ours = line["event"] == "launch"
    return ours


CLOCKS_DIFFER = 300.0
"""Seconds by which this machine's clock and the service's may differ."""


def _kind(line: Mapping[str, Any]) -> Kind:
    """What a `launch` line is about; lines of earlier versions say it with a flag."""
    for kind in (*SKY, *VERTEX):
        if line.get("kind") == kind:
            return kind
    return "pool" if line.get("pool") else "managed job" if line.get("managed") else "cluster"


def _ledger_file() -> Path:
    home = os.environ.get("MESOZOIC_CLOUD_HOME")
    return (Path(home) if home else Path.home() / ".mesozoic" / "cloud") / "ledger.jsonl"


def _append(line: Mapping[str, Any]) -> None:
    file = _ledger_file()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.open("ab+") as out:
        end = out.seek(0, os.SEEK_END)
        half = False
        if end:
            out.seek(end - 1)
            half = out.read(1) != b"\n"  # left by a disk that was full; it must not swallow this line
        out.write(b"\n" * half + json.dumps(line).encode() + b"\n")
        out.flush()
        os.fsync(out.fileno())
