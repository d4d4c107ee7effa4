"""Metrics to Weights & Biases. Never stops a run: without the package or a key there is one warning."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mesozoic.files import write_json

RUN_FILE = "wandb.json"


class WandbSink:
    """Logs to one W&B run; a resumed training continues the same one. After an error it logs no more."""

    def __init__(self, run: Any, warn: Callable[[str], None]) -> None:
        self._run, self._warn = run, warn

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        self._attempt(lambda run: run.log({**metrics, "env_step": step}, step=step))

    def close(self) -> None:
        self._attempt(lambda run: run.finish(quiet=True))

    def _attempt(self, action: Callable[[Any], None]) -> None:
        if self._run is None:
            return
        try:
            action(self._run)
        except Exception as error:  # its service died, its disk is full: training goes on
            self._run = None
            self._warn(f"--wandb: stopped working ({_reason(error)}), so nothing more is sent; training goes on")


def open_wandb(folder: Path, name: str, config: dict[str, Any], warn: Callable[[str], None]) -> WandbSink | None:
    """Start or continue a W&B run in `folder`; None, after one warning, when that cannot be done.

    `WANDB_MODE`, `WANDB_PROJECT`, `WANDB_ENTITY`, `WANDB_BASE_URL` and `WANDB_RUN_ID` hold as usual.
    """
    try:
        import wandb
    except ImportError:
        warn("--wandb: the package wandb is not installed, so nothing is sent; run: pip install 'mesozoic[sweep]'")
        return None
    mode = os.environ.get("WANDB_MODE", "online")
    if mode == "online" and not _has_key():
        warn("--wandb: no API key, so nothing is sent; run 'wandb login', or set WANDB_MODE=offline to log locally")
        return None
    try:
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "mesozoic"),
            name=name,
            id=_run_id(folder),
            resume="allow",
            dir=str(folder),
            config=config,
            settings=wandb.Settings(silent=True, console="off"),
        )
        run.define_metric("env_step")
        run.define_metric("*", step_metric="env_step")
    except Exception as error:  # whatever W&B does wrong, training goes on
        warn(f"--wandb: could not start ({_reason(error)}), so nothing is sent; training goes on")
        return None
    return WandbSink(run, warn)


def _reason(error: Exception) -> str:
    """The first line of its message, or its name if it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _has_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    import wandb

    try:
        return bool(wandb.Api().api_key)
    except Exception:  # it raises different errors for a missing key from version to version
        return False


def _run_id(folder: Path) -> str:
    if os.environ.get("WANDB_RUN_ID"):
        return os.environ["WANDB_RUN_ID"]
    path = folder / RUN_FILE
    if path.exists():
        return str(json.loads(path.read_text(encoding="utf-8"))["id"])
    run_id = uuid.uuid4().hex[:12]
    write_json(path, {"id": run_id})
    return run_id
