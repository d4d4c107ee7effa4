"""The table of sinks: name, as warnings call it -> how to open it."""

from __future__ import annotations

from collections.abc import Mapping

from mesozoic.run.sinks import OpenSink
from mesozoic.run.sinks.csv_sink import open_csv
from mesozoic.run.sinks.tensorboard_sink import open_tensorboard
from mesozoic.run.sinks.wandb_sink import WandbSink

FILES: Mapping[str, OpenSink] = {"training.csv": open_csv, "tensorboard": open_tensorboard}
"""What every run has, in its folder."""
WANDB: Mapping[str, OpenSink] = {"--wandb": WandbSink}
"""Weights & Biases, where it is wanted."""


def sinks(wandb: bool) -> Mapping[str, OpenSink]:
    """What a training writes its metrics to."""
    return {**FILES, **WANDB} if wandb else FILES
