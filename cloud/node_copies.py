"""Keeps copies of checkpoints for a run folder in a mounted bucket, and puts one back where a checkpoint is incomplete.

The mount uploads a file seconds after it was written, yet removes a file at once. A machine that is taken away in
between leaves a new checkpoint without some of its files, and the one before it is gone. One file is uploaded whole
or not at all, so each checkpoint is kept as one archive as well, and the last two of them stay.

    python cloud/node_copies.py restore RUN        before training
    python cloud/node_copies.py watch RUN PID      beside it, until the process PID ends
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import time
from pathlib import Path

from mesozoic.errors import UserError
from mesozoic.run.checkpoint import checkpoints, read_manifest

COPIES = ".copies"
KEPT = 2
PERIOD = 20.0
"""Seconds between looks at the run folder; longer than an upload takes."""


def copies(run: Path, stage: str) -> list[Path]:
    """The copies of a stage's checkpoints, oldest first."""
    return sorted((run / COPIES).glob(f"{stage}-step-*.tar"))


def copy_new(run: Path) -> None:
    """Copy each stage's newest checkpoint, if there is no copy of it yet, and remove what is no longer needed."""
    for stage in sorted(run.glob("stage?")):
        over = (stage / "metrics.json").exists()
        for checkpoint in [] if over else checkpoints(stage / "checkpoints")[-1:]:
            target = run / COPIES / f"{stage.name}-{checkpoint.name}.tar"
            if not target.exists():
                _archive(checkpoint, target)
        for old in copies(run, stage.name)[: None if over else -KEPT]:
            old.unlink(missing_ok=True)


def _archive(checkpoint: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    aside = target.with_name(f".{target.name}.tmp")
    try:
        with tarfile.open(aside, "w") as archive:
            archive.add(checkpoint, checkpoint.name)
        read_manifest(checkpoint)  # it was there, whole, until now: training may have removed it meanwhile
        aside.rename(target)
    except (OSError, UserError):
        aside.unlink(missing_ok=True)


def restore(run: Path) -> None:
    """Rename each stage's incomplete checkpoints, and unpack the newest copy that is newer than the complete ones."""
    for stage in sorted(run.glob("stage?")):
        folder = stage / "checkpoints"
        folder.mkdir(exist_ok=True)
        for checkpoint in checkpoints(folder):
            try:
                read_manifest(checkpoint)
            except UserError:
                print(f"node-copies: {checkpoint} did not reach the bucket whole, or is damaged; set aside")
                aside = checkpoint.with_name(f"{checkpoint.name}.incomplete")
                shutil.rmtree(aside, ignore_errors=True)
                checkpoint.rename(aside)
        for copy in reversed(copies(run, stage.name)):
            name = copy.stem.removeprefix(f"{stage.name}-")
            if any(path.name >= name for path in checkpoints(folder)) or _unpack(copy, folder, name):
                break


def _unpack(copy: Path, folder: Path, name: str) -> bool:
    try:
        with tarfile.open(copy) as archive:  # not renamed afterwards: the mount cannot read renamed files for a moment
            if hasattr(tarfile, "data_filter"):  # Python 3.11.4 and later; Debian 12 has an earlier one
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(folder)
        read_manifest(folder / name)
    except (OSError, tarfile.TarError, UserError) as error:
        print(f"node-copies: {copy} is of no use ({error})")
        shutil.rmtree(folder / name, ignore_errors=True)
        return False
    print(f"node-copies: {folder / name} put back from its copy")
    return True


def watch(run: Path, pid: int) -> None:
    """Copy new checkpoints until a process ends."""
    while os.path.exists(f"/proc/{pid}"):
        try:
            copy_new(run)
        except OSError as error:
            print(f"node-copies: {error}", file=sys.stderr)
        time.sleep(PERIOD)


if __name__ == "__main__":
    if sys.argv[1] == "restore":
        restore(Path(sys.argv[2]))
    else:
        watch(Path(sys.argv[2]), int(sys.argv[3]))
