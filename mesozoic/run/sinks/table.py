"""The table of sinks: name, as warnings call it -> how to open it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from mesozoic.run.sinks import OpenSink
from mesozoic.run.sinks.callback_sink import OnMetrics, calls
from mesozoic.run.sinks.csv_sink import open_csv
from mesozoic.run.sinks.tensorboard_sink import open_tensorboard
from mesozoic.run.sinks.wandb_sink import WandbSink

FILES: Mapping[str, OpenSink] = {"training.csv": open_csv, "tensorboard": open_tensorboard}
"""What every run has, in its folder."""
WANDB: Mapping[str, OpenSink] = {"--wandb": WandbSink}
"""Weights & Biases, where it is wanted."""


def sinks_for(
    wandb: bool = False, project: str | None = None, on_metrics: OnMetrics | None = None
) -> Mapping[str, OpenSink]:
    """What a training writes its metrics to.

    Args:
        project: of W&B; default: the one that the environment names.
    """
    chosen = dict(FILES)
    if wandb:
        chosen |= WANDB if project is None else {"W&B": partial(WandbSink, project=project)}
    if on_metrics is not None:
        chosen["on_metrics"] = calls(on_metrics)
    return chosen
