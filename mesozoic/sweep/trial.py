"""One run of a sweep, as its agent starts it: `mesozoic` with a run folder of its own, and a record of how it ended.

`wandb agent` starts the command of the sweep and forgets its exit code. The agent of this package therefore puts this
module on the PATH under the name `mesozoic`; a sweep file needs to know nothing of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from mesozoic.job.processes import code_of, die_with_parent

RECORD = "MESOZOIC_TRIAL_RECORD"
"""Environment variable: the file that takes a line for every beginning and end of a run."""
FOLDER = "MESOZOIC_TRIAL_FOLDER"
"""Environment variable: where the run folders go, one for each W&B run."""
STOPPED = (128 + signal.SIGTERM, 128 + signal.SIGINT, 75)
"""Exit codes of a run that was asked to stop, by W&B's early termination or with its machine: no failures."""


def command(arguments: list[str], folder: Path | None, run: str | None) -> list[str]:
    """The real command: `mesozoic` of this Python; a training without a folder gets one named by its W&B run,
    so that W&B's second try of a pre-empted run goes on from the first one's checkpoint."""
    words = [sys.executable, "-m", "mesozoic", *arguments]
    placed = any(word.partition("=")[0] in ("--output-dir", "--log-dir") for word in arguments)
    if placed or folder is None or not run:
        return words
    if arguments[:1] in (["train"], ["curriculum"]):
        words += ["--output-dir", str(folder / run)]
    if arguments[:2] == ["sweep", "trial"]:  # it makes a folder of its own in there
        words += ["--output-dir", str(folder)]
    return words


def write_record(file: Path, **facts: Any) -> None:
    """Append one line; a line this short arrives whole."""
    with file.open("a", encoding="utf-8") as record:
        record.write(json.dumps(facts) + "\n")


def main(arguments: list[str]) -> int:
    """Run `mesozoic` with `arguments`, pass signals on, and record its exit code, 128 + signal if it died of one.

    Returns:
        That exit code, but 0 for a run that was asked to stop: `wandb agent` would count it as a crash, and give up
        after three of them, however well early termination works.
    """
    die_with_parent()
    record, folder, run = os.environ.get(RECORD), os.environ.get(FOLDER), os.environ.get("WANDB_RUN_ID")
    child: subprocess.Popen[bytes] | None = None
    waiting: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        if child is None:
            waiting.append(number)
        else:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    if record:
        write_record(Path(record), run=run, pid=os.getpid())
    child = subprocess.Popen(command(arguments, Path(folder) if folder else None, run), preexec_fn=die_with_parent)
    for early in waiting:
        child.send_signal(early)
    code = code_of(child.wait())
    if record:
        write_record(Path(record), run=run, code=code)
    return 0 if code in STOPPED else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
