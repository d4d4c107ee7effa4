"""Metrics as TensorBoard events, written without TensorFlow or torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class TensorBoardSink:
    """Writes events to `folder`; events after `resume_step` of an earlier run are purged."""

    def __init__(self, folder: Path, resume_step: int = 0) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=resume_step + 1)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()
