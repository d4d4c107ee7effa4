"""Where the files of a run lie."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError
from mesozoic.files import clear_asides, write_bytes, write_json
from mesozoic.learn.policy import Policy
from mesozoic.run.agent_folder import agent_folder
from mesozoic.run.lock import Held, file_lock

POLICIES = (r"stage(\d+)_final\.zip", r"best_model\.zip")
"""Names of policies, the more wanted ones first."""
SIDECARS = ("vecnormalize.pkl",)
"""Ends of the names of files that learners put beside a policy."""


@dataclass(frozen=True)
class StageFolder:
    """The folder `<run>/stageN` of one stage."""

    run: Path
    stage: int

    @property
    def path(self) -> Path:
        return self.run / f"stage{self.stage}"

    @property
    def models(self) -> Path:
        return self.path / "models"

    @property
    def final_policy(self) -> Path:
        return self.models / f"stage{self.stage}_final.zip"

    @property
    def best_policy(self) -> Path:
        return self.models / "best_model.zip"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def newest_policy(self) -> Path:
        """The policy of the last checkpoint, for who watches the training."""
        return self.checkpoints / "policy.zip"

    @property
    def training(self) -> Path:
        return self.path / "training.csv"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.json"

    @property
    def config(self) -> Path:
        return self.path / "stage_config.json"

    def stands(self) -> bool:
        """Whether the folders that `create` makes are there."""
        return self.models.is_dir() and self.checkpoints.is_dir()

    def create(self) -> None:
        """Make the folders.

        Raises:
            UserError: they cannot be made or written to.
        """
        try:
            for folder in (self.models, self.checkpoints):
                folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied")
        except OSError as error:
            raise _cannot_write(self.path, error) from None

    def begin(self, record: dict[str, Any]) -> None:
        """Make the folders, sweep what a killed process left half written, and write down what is trained.

        Needs the lock.

        Raises:
            UserError: the file system cannot be written, or refuses to put one file in the place of another; or
                something else than a file is where a file will be written.
            OSError: the disk is full.
        """
        self.create()
        self._check_entries()
        self.sweep()
        try:
            write_json(self.config, record)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise UserError(
                f"{self.path} does not take files that are written aside and put in place ({error.strerror});"
                " give an --output-dir on another file system"
            ) from None

    def _check_entries(self) -> None:
        """Refuse a pipe, a device or a link to a file here, and a folder that has the name of a file.

        A pipe would be waited for; a link would have somebody else's file read.
        """
        files = {self.final_policy, self.best_policy, self.metrics, self.config, self.training, self.newest_policy}
        for folder in (self.path, self.models, self.checkpoints):
            for entry in os.scandir(folder):
                path = folder / entry.name
                if not entry.is_file(follow_symlinks=False) and (not entry.is_dir() or path in files):
                    raise UserError(f"{path} is no plain file; move it away, or give another --output-dir")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of this stage; the lock goes with the process. Makes the run folder.

        The lock lies beside the stage's folder, so that it holds also while that is moved aside.

        Raises:
            UserError: another process is training in it, or the run folder cannot be made.
        """
        try:
            self.run.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(self.path, error) from None
        try:
            with file_lock(self.run / f".stage{self.stage}.lock"):
                yield
        except Held:
            raise UserError(
                f"another process is training in {self.path}; wait for it, or give another --output-dir"
            ) from None

    def sweep(self) -> None:
        """Remove what a killed process left half written; needs the lock."""
        left = [path for folder in (self.path, self.models, self.checkpoints) for path in folder.glob(".*.tmp")]
        for path in [*left, *self.run.glob(".*.csv.*.tmp")]:
            path.unlink(missing_ok=True)
        clear_asides(self.models)  # pictures and films, which others may be drawing just now

    def set_aside(self) -> Path | None:
        """Rename an existing stage folder to a free name, so that a new run loses nothing of it; needs the lock."""
        if not self.path.exists():
            return None
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.old{number}")).exists():
            number += 1
        try:
            self.path.rename(aside)
        except OSError as error:
            raise UserError(f"cannot move {self.path} aside ({error.strerror}); give another --output-dir") from None
        return aside


def _cannot_write(path: Path, error: OSError) -> UserError:
    return UserError(f"cannot write to {path} ({error.strerror}); give another --output-dir")


def save_policy(path: Path, policy: Policy) -> None:
    """Write a policy, and beside it the files that its learner adds: `stage1_final_vecnormalize.pkl`."""
    save_files(path.parent, policy_files(path.name, policy))


def policy_names(stem: str) -> list[str]:
    """The names that files of a policy `stem` may have."""
    return [f"{stem}.zip", *(f"{stem}_{end}" for end in SIDECARS)]


def policy_files(name: str, policy: Policy) -> dict[str, bytes]:
    """File name -> contents, of a policy named `name` and what goes beside it; the policy comes last."""
    stem = name.removesuffix(".zip")
    return {**{f"{stem}_{end}": content for end, content in policy.sidecars.items()}, name: policy.to_bytes()}


def save_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write files one after the other, each whole or not at all."""
    for name, content in files.items():
        write_bytes(folder / name, content)


def choose_run_folder(output_dir: Path | None, log_dir: Path | None, name: str) -> Path:
    """`--output-dir` wins; else a new folder `--log-dir`/<name>-<time>; else that of a sweep's agent; else
    `runs`/<name>-<time>.

    The new folder is made at once, so that two runs begun in the same second have two.

    Raises:
        UserError: it cannot be made.
    """
    if output_dir is None and log_dir is None:
        output_dir = agent_folder()
    if output_dir is not None:
        return output_dir
    parent, stamp = log_dir or Path("runs"), datetime.now().strftime("%Y%m%d-%H%M%S")
    for end in ("", *(f"-{number}" for number in range(2, 1000))):
        folder = parent / f"{name}-{stamp}{end}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not folder.is_dir():
                break
        except OSError as error:
            raise _cannot_write(folder, error) from None
        else:
            return folder
    raise UserError(f"cannot make a folder in {parent}; give --output-dir")


def find_policy(path: Path, before: int | None = None) -> Path:
    """The policy file that a file, stage folder or run folder stands for: the last stage's final policy.

    Args:
        before: of a run folder, consider only stages before this one.

    Raises:
        UserError: there is none.
    """
    if not path.is_dir():
        return path
    for name in POLICIES:
        found = _policies(path, name, before)
        if found:
            return found[max(found)]
    raise UserError(f"{path} holds no policy yet (no models/*.zip); train first, or give the policy file itself")


def begun_stages(run: Path) -> tuple[int, ...]:
    """Numbers of the stages of a run folder whose training has begun, in order."""
    numbers = (int(match[1]) for match in _matches(run, r"stage([1-9][0-9]?)"))
    return tuple(sorted(number for number in numbers if StageFolder(run, number).config.is_file()))


def start_of(load: Path | None, run: Path | None, stage: int) -> Path | None:
    """What `--load` means for a stage trained in `run`: itself, unless it is the run folder.

    That stands for the stages before, so that what the command writes does not change what it means. Where there are
    none, it stands for the earlier try of the same stage, which `--no-resume` sets aside.
    """
    if load is None or run is None or not (load.is_dir() and run.is_dir() and load.samefile(run)):
        return load
    before = any(_policies(load, name, stage) for name in POLICIES)
    return find_policy(load, stage if before else stage + 1)


def _policies(path: Path, name: str, before: int | None) -> dict[int, Path]:
    """Stage -> policy, of the files with this name in a stage folder or in the stages of a run folder."""
    folders = {int(match[1]): path / match[0] for match in _matches(path, r"stage(\d+)")}
    if (path / "models").is_dir():
        folders = {0: path}
    return {
        stage: folder / "models" / match[0]
        for stage, folder in folders.items()
        if before is None or stage < before
        for match in _matches(folder / "models", name)
    }


def _matches(folder: Path, pattern: str) -> list[re.Match[str]]:
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    return [match for match in (re.fullmatch(pattern, name) for name in names) if match]
