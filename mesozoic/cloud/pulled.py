"""A run folder that is brought home: it belongs to one run of one machine or job, and holds plain files only."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mesozoic.cloud.arrivals import keep_plain, removed_sentence
from mesozoic.cloud.signals import end_by_interrupt
from mesozoic.errors import UserError
from mesozoic.files import read_json, write_json

MARK = ".pulled-from.json"
"""In a folder that was pulled: where it is from, so that two runs are never mixed."""


@contextmanager
def claim(target: Path, source: str, run: str, say: Callable[[str], None]) -> Iterator[None]:
    """Make a folder that belongs to this run of this cluster or job; take it away again if nothing came into it.

    Whatever came, also before the copy broke off, only plain files and folders stay, and it is said what does not: a
    machine is not to be trusted with what the next training writes to.

    Raises:
        UserError: it holds something else, or cannot be written.
    """
    mark = {"from": source, "run": run}
    if target.is_dir() and any(target.iterdir()) and _mark_of(target) != mark:
        raise UserError(f"{target} holds another run already; give another folder with --output")
    try:
        target.mkdir(parents=True, exist_ok=True)
        write_json(target / MARK, mark)
    except OSError as error:
        raise UserError(f"cannot write to {target} ({error.strerror}); give another --output") from None
    try:
        with end_by_interrupt():
            yield
    finally:
        removed = keep_plain(target)
        if removed:
            say(removed_sentence(removed))
        if [path.name for path in target.iterdir()] == [MARK]:
            (target / MARK).unlink()
            target.rmdir()
        else:
            _mark_again(target / MARK, mark)


def source_of(run: Path) -> str:
    """The cluster or job that a run folder was pulled from; empty if it was not."""
    mark = _mark_of(run)
    source = mark.get("from") if isinstance(mark, dict) else None
    return source if isinstance(source, str) else ""


def _mark_of(target: Path) -> Any:
    try:
        mark = read_json(target / MARK, 1 << 16)
    except (OSError, ValueError):
        return None
    if isinstance(mark, dict) and "cluster" in mark:  # of a folder that came home before there were jobs
        mark["from"] = mark.pop("cluster")
    return mark


def _mark_again(file: Path, mark: dict[str, str]) -> None:
    """The machine may have sent a file or a folder of that name, and it says what is here, not the machine."""
    if file.is_dir():
        shutil.rmtree(file)
    write_json(file, mark)


def policies(run: Path) -> list[Path]:
    """What `mesozoic eval` can be given of a folder that was pulled: itself, or the run folders of a sweep in it."""
    folders = [run, *sorted(path for path in run.iterdir() if path.is_dir())]
    found = [one for one in folders if any(one.glob("models/*.zip")) or any(one.glob("stage*/models/*.zip"))]
    return found[:1] if found[:1] == [run] else found


def report_pulled(run: Path, say: Callable[[str], None]) -> None:
    """Say what to do with a run folder."""
    found = policies(run)
    if not found:
        say(f"{run} is here, but holds no policy yet; pull again later")
    elif found == [run]:
        say(f"results are in {run}; now: mesozoic eval {run}")
    else:
        say(f"{len(found)} runs with a policy are in {run}; for example: mesozoic eval {found[0]}")
