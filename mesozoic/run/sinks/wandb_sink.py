"""Metrics to Weights & Biases, through a process of its own that can be ended at any time."""

from __future__ import annotations

import json
import math
import os
import shlex
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from mesozoic.files import read_json, write_json
from mesozoic.redact import redact, scrub
from mesozoic.run.sinks import Outcome, Place, Sink
from mesozoic.run.sinks.wandb_media import MediaMaker, wanted
from mesozoic.run.sinks.wandb_process import descendants

RUN_FILE = "wandb.json"
PROGRAM = Path(__file__).with_name("wandb_process.py")
STAGE_OFFSET = 10**12
"""Between the steps of one stage and those of the next, where all log to the run of `WANDB_RUN_ID`."""
START_SECONDS = 60.0
"""Given to W&B for its start; until then rows wait."""


class Unavailable(Exception):
    """Nothing can be sent to W&B, and why."""


class WandbSink(Sink):
    """Logs to one W&B run; a resumed training continues the same one.

    W&B's own settings hold: its environment variables, and what `wandb offline`, `wandb init` and the like have
    written. `project` wins over them. A variable that is empty counts as missing.

    Raises:
        Unavailable: the package is missing.
    """

    def __init__(
        self, place: Place, seconds: float = START_SECONDS, program: Path = PROGRAM, project: str | None = None
    ) -> None:
        if find_spec("wandb") is None:
            raise Unavailable("the package wandb is not installed; run: pip install 'mesozoic[sweep]'")
        begin = {"stage": place.stage, "folder": str(place.folder), "name": place.title, "run_id": _run_id(place)}
        begin |= {"config": place.config, "pid": os.getpid(), "seconds": seconds, "project": project}
        begin["offset"] = STAGE_OFFSET * (place.stage - 1) if os.environ.get("WANDB_RUN_ID") else 0
        self._place, self._trouble, self._secrets = place, "", set[str]()
        self._lock, self._ended, self._closed = threading.Lock(), threading.Event(), threading.Event()
        self._media = MediaMaker(place.folder, place.stage, place.warn)
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(program)],
            env=without_empty(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is for the training, which ends this process
        )
        self._timer = threading.Timer(seconds, self._too_slow, (seconds,))
        self._timer.daemon = True
        self._timer.start()
        threading.Thread(target=self._listen, args=(self._process.stdout,), name="wandb", daemon=True).start()
        self._send({"begin": begin})

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Hand a row over.

        Raises:
            Unavailable: it stopped working.
        """
        finite = {name: float(value) for name, value in metrics.items() if math.isfinite(value)}
        self._send({"step": step, "metrics": finite})

    def close(self, outcome: Outcome) -> None:
        """Have W&B finish the run, with something to look at if the stage is over, and wait for it."""
        with TemporaryDirectory() as folder:
            if outcome == "finished" and wanted(os.environ) and (media := self._media.make(Path(folder))):
                self._send({"media": media})
            self._send({"close": outcome})
            self._ended.wait()
        self.abandon()
        if not self._closed.is_set():
            raise Unavailable(self._trouble or "it ended too early")

    def abandon(self) -> None:
        """End the process, and whatever it started, at once."""
        self._timer.cancel()
        self._media.end()
        with self._lock:
            _kill_family(self._process)
        scrub(self._place.folder / "wandb", self._secrets)

    def _send(self, message: dict[str, Any]) -> None:
        pipe: IO[bytes] | None = self._process.stdin
        assert pipe is not None
        try:
            if self._ended.is_set():
                raise BrokenPipeError
            pipe.write(json.dumps(message).encode() + b"\n")
            pipe.flush()
        except (BrokenPipeError, ValueError):
            self._ended.wait(5.0)  # what it said last may be under way
            self.abandon()
            raise Unavailable(self._trouble or "its process ended") from None

    def _too_slow(self, seconds: float) -> None:
        self._trouble = self._trouble or f"it did not start within {seconds:.0f} s"
        _kill_family(self._process)

    def _listen(self, replies: IO[bytes]) -> None:
        for line in replies:
            try:
                said = json.loads(line)
            except ValueError:
                self._trouble = "its process does not speak our language"
                _kill_family(self._process)
                break
            if "secrets" in said:
                self._secrets |= set(said["secrets"])
            if "started" in said:
                self._timer.cancel()
            if "closed" in said:
                self._closed.set()
            if "stop" in said:
                self._place.stop(str(said["stop"]))
            if "lost" in said:
                self._place.warn(
                    "W&B's server refuses the rows of this run; they are kept, and 'wandb sync"
                    f" {shlex.quote(str(said['lost']))}' sends them later; training goes on"
                )
            if "unseen" in said:
                self._place.warn(f"W&B gets no pictures of this stage: {redact(str(said['unseen']), self._secrets)}")
            if "failed" in said:
                self._trouble = redact(str(said["failed"]), self._secrets)
        self._ended.set()
        if self._trouble and not self._closed.is_set():
            self._timer.cancel()


def without_empty(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without W&B's empty variables, as task files leave them: to W&B they are not the same as none."""
    return {name: value for name, value in environment.items() if value or not name.startswith("WANDB_")}


def _run_id(place: Place) -> str:
    if os.environ.get("WANDB_RUN_ID"):
        return os.environ["WANDB_RUN_ID"]
    path = place.folder / RUN_FILE
    try:
        return str(read_json(path)["id"])
    except FileNotFoundError:
        run_id = uuid.uuid4().hex[:12]
        write_json(path, {"id": run_id})
        return run_id


def _kill_family(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its children. Elsewhere than on Linux W&B's own service ends by itself with its parent."""
    if process.poll() is not None:
        return
    for pid in [*reversed(descendants(process.pid)), process.pid]:
        with suppress(OSError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    with suppress(subprocess.TimeoutExpired):
        process.wait(5.0)
