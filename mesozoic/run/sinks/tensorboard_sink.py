"""Metrics as TensorBoard events, written at once, without TensorFlow, torch or a thread that could die unseen."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mesozoic.run.sinks import Outcome, Place, Sink


def open_tensorboard(place: Place) -> Sink:
    """The event file of a stage."""
    return TensorBoardSink(place.folder / "tensorboard", place.step)


class TensorBoardSink(Sink):
    """Writes events to a new file in `folder`; events after `resume_step` of an earlier run are purged.

    The file is a series of records: length, its checksum, an `Event`, its checksum.
    """

    def __init__(self, folder: Path, resume_step: int = 0) -> None:
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        folder.mkdir(parents=True, exist_ok=True)
        now = time.time()
        name = f"events.out.tfevents.{now:.0f}.{socket.gethostname()}.{os.getpid()}.{time.monotonic_ns()}"
        self._file = (folder / name).open("xb")
        begin = resume_step + 1
        self._add(Event(wall_time=now, step=begin, file_version="brain.Event:2"))
        self._add(Event(wall_time=now, step=begin, session_log=SessionLog(status=SessionLog.START)))

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=float(value)) for name, value in metrics.items()]
        self._add(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def close(self, outcome: Outcome) -> None:
        self._file.close()

    def _add(self, event: Any) -> None:
        from tensorboardX.record_writer import masked_crc32c

        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        checks = [struct.pack("<I", masked_crc32c(piece)) for piece in (length, data)]
        self._file.write(length + checks[0] + data + checks[1])
        self._file.flush()
