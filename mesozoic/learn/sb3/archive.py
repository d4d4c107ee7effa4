"""SB3's own archive of a model, as the members of a zip that depend on the model only.

Nothing in them refers to this package, so that `PPO.load` and `SAC.load` work where it is not installed.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

LEFT_OUT = (
    *("start_time", "_logger", "_custom_logger", "ep_info_buffer", "ep_success_buffer"),
    *("_last_obs", "_last_original_obs", "_last_episode_starts"),
    *("_total_timesteps", "_num_timesteps_at_start", "_current_progress_remaining", "acts_at_once"),
)
"""Of no use to anybody else: the clock, the logger, where the worlds stand, the bounds of the last call of `learn`,
and our own attribute."""

READ = (":type:", ":serialized:")
"""What `load` reads of a pickled entry. The rest are remarks for people, with addresses in memory."""


def native_archive(model: BaseAlgorithm) -> dict[str, bytes]:
    """Member name -> contents; equal models give equal bytes."""
    buffer = io.BytesIO()
    model.save(buffer, exclude=LEFT_OUT)
    with zipfile.ZipFile(buffer) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    entries = {name: _without_remarks(entry) for name, entry in json.loads(members["data"]).items()}
    return {**members, "data": json.dumps(entries, indent=4).encode()}


def _without_remarks(entry: Any) -> Any:
    if isinstance(entry, dict) and ":serialized:" in entry:
        return {name: entry[name] for name in READ}
    return entry
