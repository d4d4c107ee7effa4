"""Where the files of a run lie."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mesozoic.errors import UserError
from mesozoic.files import write_bytes
from mesozoic.learn.policy import Policy


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
    def metrics(self) -> Path:
        return self.path / "metrics.json"

    @property
    def config(self) -> Path:
        return self.path / "stage_config.json"

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
            raise UserError(f"cannot write to {self.path} ({error.strerror}); give another --output-dir") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of an existing stage folder; the lock goes with the process.

        Raises:
            UserError: another process is training in it.
        """
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EACCES):
                    raise UserError(
                        f"another process is training in {self.path}; wait for it, or give another --output-dir"
                    ) from None
                # Network file systems may have no locks; then there is nothing to hold.
            yield

    def set_aside(self) -> Path | None:
        """Rename an existing stage folder to a free name, so that a new run loses nothing of it."""
        if not self.path.exists():
            return None
        with self.locked():
            pass  # nobody is at work in there
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.old{number}")).exists():
            number += 1
        try:
            self.path.rename(aside)
        except OSError as error:
            raise UserError(f"cannot move {self.path} aside ({error.strerror}); give another --output-dir") from None
        return aside


def save_policy(path: Path, policy: Policy) -> None:
    """Write a policy, and beside it the files that its learner adds: `stage1_final_vecnormalize.pkl`."""
    for name, content in policy.sidecars.items():
        write_bytes(path.with_name(f"{path.stem}_{name}"), content)
    write_bytes(path, policy.to_bytes())


def choose_run_folder(output_dir: Path | None, log_dir: Path | None, name: str) -> Path:
    """`--output-dir` wins; else `--log-dir`/<name>-<time>; else `runs`/<name>-<time>."""
    if output_dir is not None:
        return output_dir
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    return (log_dir or Path("runs")) / f"{name}-{stamp}"


def find_policy(path: Path) -> Path:
    """The policy file that a file, stage folder or run folder stands for: the last stage's final policy.

    Raises:
        UserError: there is none.
    """
    if not path.is_dir():
        return path
    for pattern in (
        "models/stage*_final.zip",
        "stage*/models/stage*_final.zip",
        "models/best_model.zip",
        "stage*/models/best_model.zip",
    ):
        found = list(path.glob(pattern))
        if found:
            return max(found, key=lambda file: _numbers(file.relative_to(path)))
    raise UserError(f"{path} holds no policy yet (no models/*.zip); train first, or give the policy file itself")


def _numbers(path: Path) -> list[int]:
    """Numbers in a path, so that stage 10 comes after stage 9."""
    return [int(number) for number in re.findall(r"[0-9]+", str(path))]
