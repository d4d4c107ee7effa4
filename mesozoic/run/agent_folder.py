"""The folder of a run that an agent of a sweep started: its environment says where, so no sweep file has to.

A run that is begun again after it was pre-empted has the same folder, and goes on from its checkpoint.
"""

from __future__ import annotations

import os
from pathlib import Path

RUNS = "MESOZOIC_AGENT_RUNS"
"""Environment variable by which an agent says where its run folders go."""
RUN_ID = "WANDB_RUN_ID"
"""Environment variable by which W&B's agent says which run this process is."""


def agent_folder() -> Path | None:
    """The folder of this process's run; None if no agent of this package started it."""
    runs, run = os.environ.get(RUNS), os.environ.get(RUN_ID)
    return Path(runs) / run if runs and run else None
