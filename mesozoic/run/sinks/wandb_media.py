"""What W&B gets to look at when a stage is over: a replay page of unseen episodes, failures first, and a picture strip.

Both are made by commands in processes of their own, which are ended after a while: drawing can neither hang nor break a
training.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from mesozoic.errors import shown
from mesozoic.run.folder import StageFolder

SWITCH = "MESOZOIC_WANDB_MEDIA"
"""An environment variable; `0` sends no media."""
SECONDS = 18.0
"""Given to each of them; W&B needs some of what a sink has for its end (`guard.CLOSE_SECONDS`)."""
EPISODES = 16


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether media are sent: not if they are switched off, and not for the trials of a sweep, which are many."""
    return environment.get(SWITCH) != "0" and not environment.get("WANDB_SWEEP_ID")


class MediaMaker:
    """Makes the media of the stage in `folder`; `end()`, from any thread, stops it.

    Args:
        warn: takes one sentence about what could not be made.
    """

    def __init__(self, folder: Path, stage: int, warn: Callable[[str], None], seconds: float = SECONDS) -> None:
        self._policy = StageFolder(folder.parent, stage).final_policy
        self._warn, self._seconds = warn, seconds
        self._process: subprocess.Popen[str] | None = None
        self._ended = False

    def make(self, into: Path) -> dict[str, str]:
        """Files by what they show, in the folder `into`; empty without a final policy."""
        if not self._policy.is_file():
            return {}
        found: dict[str, str] = {}
        for name, path, words in (
            ("replay", into / "replay.html", ["eval", "POLICY", "--episodes", str(EPISODES), "--html", "FILE"]),
            ("strip", into / "strip.png", ["render", "POLICY", "--no-video", "--strip", "FILE"]),
        ):
            places = {"POLICY": str(self._policy), "FILE": str(path)}
            trouble = "" if self._ended else self._run([places.get(word, word) for word in words])
            if path.is_file() and not trouble:
                found[name] = str(path)
            elif trouble:
                self._warn(f"W&B gets no {name} of this stage: {shown(trouble, 160)}")
        return found

    def end(self) -> None:
        self._ended = True
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()

    def _run(self, words: list[str]) -> str:
        """Run a command of ours; what went wrong, empty if nothing did."""
        command = [sys.executable, "-P", "-m", "mesozoic", *words]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, text=True, start_new_session=True, env=dict(os.environ), **pipes) as process:  # type: ignore[call-overload]
            self._process = process
            try:
                _, said = process.communicate(timeout=self._seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                return f"it was not drawn within {self._seconds:.0f} s"
            finally:
                self._process = None
        if process.returncode == 0 or self._ended:
            return ""
        lines = [line for line in said.splitlines() if line.strip()]
        return lines[-1].removeprefix("error: ") if lines else f"exit code {process.returncode}"
