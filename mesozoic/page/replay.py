"""The replay page: recorded episodes in one HTML file, drawn by the page's renderer without any physics."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mesozoic.page.html import ASSETS, base64_of, filled, packed_json
from mesozoic.page.motion import pack_motion
from mesozoic.rendering.appearance import appearance_of
from mesozoic.rendering.recording import Recording
from mesozoic.species import Species
from mesozoic.task.walk_terms import CONTACT
from mesozoic.version import __version__

REPLAY = "replay.html"
FORMAT = 1
MOST_BYTES = 1_500_000
"""Of a replay page; episodes that do not fit are left out, and the page says so."""
KEPT = 3
"""Decimals of what is drawn beside the poses: millimetres."""


@dataclass(frozen=True, eq=False)
class Ghost:
    """The same episode as somebody else lived it: another run, or the same one at another step."""

    name: str
    recording: Recording


@dataclass(frozen=True, eq=False)
class Episode:
    """One episode of the page.

    Attributes:
        label: which it is, for people; why: how it ended, or why it failed; good: whether the task was done.
        source: the policy; provenance: a line about where that is from.
    """

    species: Species
    recording: Recording
    label: str
    good: bool
    why: str
    source: str
    provenance: str
    ghosts: Sequence[Ghost] = field(default_factory=tuple)


def replay_html(title: str, episodes: Iterable[Episode], most: int = MOST_BYTES) -> tuple[str, int]:
    """The page, and how many episodes it shows: as many as fit of those given first. Failures come first in it.

    Args:
        most: bytes of the page.

    Raises:
        UserError: an animal has parts that cannot be drawn there.
    """
    page = (ASSETS / REPLAY).read_text(encoding="utf-8")
    every, room = list(episodes), float(most - len(page))
    chosen: list[dict[str, Any]] = []
    looks: dict[str, dict[str, Any]] = {}
    blob = bytearray()
    for episode in every:
        name = episode.species.name
        if name not in looks:
            looks[name] = {"title": episode.species.title, "appearance": appearance_of(episode.species)}
            room -= len(packed_json(looks[name]))
        record, data = _episode(episode, len(blob))
        room -= len(packed_json(record)) + 4 * len(gzip.compress(data)) / 3
        if room < 0 and chosen:
            break
        chosen.append(record)
        blob += data
    chosen.sort(key=lambda record: bool(record["good"]))
    parcel = {
        "format": FORMAT,
        "version": __version__,
        "title": title,
        "left_out": len(every) - len(chosen),
        "animals": looks,
        "episodes": chosen,
    }
    motion = base64_of(gzip.compress(bytes(blob), mtime=0))
    return filled(page, motion=motion, parcel=packed_json(parcel)), len(chosen)


def _episode(episode: Episode, at: int) -> tuple[dict[str, Any], bytes]:
    """An episode as JSON, and its bytes, which begin at `at` of all: poses, contacts of the feet, poses of ghosts."""
    recording = episode.recording
    own, data = _track(recording, at)
    feet = b""
    if recording.foot_load is not None:
        feet = np.ascontiguousarray((recording.foot_load > CONTACT).T).astype(np.uint8).tobytes()
    ghosts = []
    at += len(data) + len(feet)
    data += feet
    for ghost in episode.ghosts:
        track, more = _track(ghost.recording, at)
        ghosts.append({"name": ghost.name, **track})
        at += len(more)
        data += more
    target = None
    if recording.target is not None:
        target = {"point": _short(recording.target), "radius": round(recording.reach, KEPT)}
    return {
        "animal": episode.species.name,
        "label": episode.label,
        "good": episode.good,
        "why": episode.why,
        "source": episode.source,
        "provenance": episode.provenance,
        "dt": recording.dt,
        **own,
        "feet": [name.replace("_", " ") for name in recording.foot_names] if feet else [],
        "pushes": _pushes(recording),
        "target": target,
        "struck": recording.struck_at,
        "task": recording.task,
        "ghosts": ghosts,
    }, data


def _track(recording: Recording, at: int) -> tuple[dict[str, Any], bytes]:
    motion = pack_motion(recording.qpos)
    first, unit = (np.round(part, 7).tolist() for part in (motion.first, motion.unit))
    return {"poses": len(recording.qpos), "first": first, "unit": unit, "at": at}, motion.data


def _pushes(recording: Recording) -> list[dict[str, Any]]:
    """Every push: its first step, the step after its last one, and the velocity change that it gives, m/s."""
    acts = recording.push_velocity.any(axis=1).astype(np.int8)
    edges = np.flatnonzero(np.diff(acts, prepend=0, append=0)).reshape(-1, 2)
    return [{"from": int(a), "to": int(b), "velocity": _short(recording.push_velocity[a])} for a, b in edges]


def _short(values: Any) -> list[float]:
    return [round(float(value), KEPT) for value in np.asarray(values)]
