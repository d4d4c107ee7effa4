"""How far a sweep of all stages is: winners, and the job that runs. In a local file, and in a bucket if one is given.

The bucket is asked first, so that another machine can go on. The local file counts where the bucket has none, or where
it is further on in the same chain, because the bucket could not be written.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError
from mesozoic.files import cause, parse_json, read_json, write_json
from mesozoic.files.remote import Remote

FILE = "sweep_state.json"
REMOTE_FILE = "_sweep_state.json"
LARGEST = 1 << 20
"""Bytes; ours has a few hundred a stage."""
Job = Mapping[str, Any]
"""What an engine needs to find the sweep of a stage again that it began."""


@dataclass(frozen=True)
class StageWinner:
    """What won in one stage.

    Attributes:
        policy: relative to the sweep's folder, here or in the bucket; net_arch: of its network, as an override's text.
        overrides: all that it was trained with, for its stage (see `settings_of`).
        identity: of the sweep that it won.
    """

    stage: int
    trial: str
    state: str
    value: float
    policy: str
    net_arch: str
    overrides: list[str]
    identity: str


@dataclass
class Known:
    """What a state file says.

    Attributes:
        chain: tells one chain from another that has the same file; saves: how often it was written.
        winners: by stage; job: of the stage that runs, with `identity` of its sweep; empty if none does.
    """

    chain: str
    saves: int
    winners: dict[int, StageWinner]
    job: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        stages = [asdict(self.winners[stage]) for stage in sorted(self.winners)]
        return {"chain": self.chain, "saves": self.saves, "stages": stages, "job": self.job}


class ChainState:
    """Reads and writes the state.

    Args:
        file: the local one; remote: the folder in a bucket that has the other one, None: there is none.
        say: hears what could not be written.

    Raises:
        UserError: a file is damaged, or the bucket does not answer.
    """

    def __init__(
        self, file: Path, remote: Remote | None = None, say: Callable[[str], object] = print, fresh: bool = False
    ) -> None:
        self._file, self._remote, self._say = file, remote, say
        found = None if fresh else self._read()
        self._known = found or Known(uuid.uuid4().hex[:8], 0, {}, {})

    @property
    def begun(self) -> bool:
        """Whether an earlier call has left something."""
        return self._known.saves > 0

    def winner(self, stage: int, identity: str) -> StageWinner | None:
        """What won the sweep of that identity, if it is over."""
        found = self._known.winners.get(stage)
        return found if found is not None and found.identity == identity else None

    @property
    def job(self) -> Job:
        """What runs, as an engine noted it; empty if nothing does."""
        return self._known.job

    def note(self, job: Job) -> None:
        """Write down what runs now."""
        self._known.job = dict(job)
        self._save()

    def won(self, winner: StageWinner) -> None:
        """Write down a winner; those of later stages began from another one."""
        kept = {stage: one for stage, one in self._known.winners.items() if stage < winner.stage}
        self._known.winners = {**kept, winner.stage: winner}
        self._known.job = {}
        self._save()

    def _save(self) -> None:
        self._known.saves += 1
        value = self._known.to_json()
        wrong = ""
        if self._remote is not None:
            try:
                self._remote.write(REMOTE_FILE, json.dumps(value, indent=2).encode())
            except UserError as error:
                wrong = str(error)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._file, value)
        except OSError as error:
            if self._remote is None or wrong:
                raise UserError(f"cannot write {self._file} ({error.strerror}); free the disk and run again") from None
            self._say(f"warning: cannot write {self._file} ({error.strerror}); {self._remote.at(REMOTE_FILE)} has it")
        if wrong:
            self._say(f"warning: {wrong}; how far this is stands in {self._file} only")

    def _read(self) -> Known | None:
        there = None if self._remote is None else self._remote.read(REMOTE_FILE, LARGEST)
        remote = None if there is None or self._remote is None else _parsed(there, self._remote.at(REMOTE_FILE))
        try:
            local = _known(read_json(self._file, LARGEST), str(self._file))
        except FileNotFoundError:
            return remote
        except UserError:
            if remote is None:
                raise
            return remote
        except (OSError, ValueError) as error:
            if remote is None:
                raise _damaged(str(self._file), error) from None
            return remote
        if remote is None:
            return local
        return local if local.chain == remote.chain and local.saves > remote.saves else remote


def _parsed(data: bytes, place: str) -> Known:
    try:
        return _known(parse_json(data), place)
    except ValueError as error:
        raise _damaged(place, error) from None


def _known(raw: Any, place: str) -> Known:
    try:
        winners = [StageWinner(**one) for one in raw["stages"]]
        job = dict(raw.get("job") or {})
        return Known(str(raw.get("chain", "")), int(raw.get("saves", 1)), {one.stage: one for one in winners}, job)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(place, error) from None


def _damaged(place: str, error: Exception) -> UserError:
    return UserError(f"{place} is damaged ({cause(error)}); remove it, and run again to go on")
