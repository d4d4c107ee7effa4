"""The state of a learner as bytes, in the format of checkpoints, which is checked when it is read."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from mesozoic.learn.learner import State
from mesozoic.run.checkpoint_file import read_file, write_file


def packed(state: State) -> bytes:
    """The state to be sent."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "state"
        write_file(file, state, {})
        return file.read_bytes()


def unpacked(content: bytes) -> State:
    """The state that was sent.

    Raises:
        UserError: it is not whole.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "state"
        file.write_bytes(content)
        return read_file(file)[1]
