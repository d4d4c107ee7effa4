"""Replay pages as users ask for them: of one episode, or of all episodes of an evaluation, failures first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesozoic.errors import UserError
from mesozoic.evaluation.actors import statue as hold_still
from mesozoic.evaluation.episodes import Episodes, run_episodes
from mesozoic.page.html import check_html, write_html
from mesozoic.page.replay import Episode, Ghost, replay_html
from mesozoic.rendering.recording import PoseRecorder, Recording, record
from mesozoic.run.evaluation import Evaluation
from mesozoic.run.policy_source import open_policy, policy_file
from mesozoic.run.provenance import provenance_line, source_name
from mesozoic.sim.actor import Actor
from mesozoic.sim.samples import Stream
from mesozoic.species import Species
from mesozoic.version import __version__

FELL = {
    "low": "fell: too low",
    "tilted": "fell: tilted too far",
    "touched": "fell: more than its feet on the floor",
    "diverged": "the physics broke down",
}
UNMET = {
    "on_speed": "off its speed",
    "straight": "not straight",
    "alternating": "feet do not alternate",
    "striding": "shuffles",
    "grounded": "hops",
    "planted": "skates",
}
HITS = {"strike": "struck", "bite": "bitten", "food_reach": "reached"}


@dataclass(frozen=True)
class Replayed:
    """A page that was written: its size in bytes, the episodes in it and of all, and the recording of the first."""

    size: int
    shown: int
    of: int
    first: Recording


def replay_episode(
    source: Path,
    html: Path,
    stage: int | None = None,
    species: str | None = None,
    *,
    seed: int = 0,
    episode: int = 0,
    statue: bool = False,
    overrides: Sequence[str] = (),
    ghosts: Sequence[Path] = (),
) -> Replayed:
    """Write the replay of one unseen episode of what `source` means, with the same episode of others as ghosts.

    Raises:
        UserError: no such policy, it does not fit, or nothing can be written there.
    """
    check_html(html)
    if seed < 0:
        raise UserError(f"seed {seed} is out of range; give 0 or more")
    policy, animal, config = open_policy(source, species, overrides, stage)
    others = _ghost_actors(ghosts, animal, policy.stage)
    act = hold_still(policy.action_size) if statue else policy.act
    found = record(animal, config, act, seed, episode_world=episode)
    beside = [Ghost(name, record(animal, config, one, seed, episode_world=episode)) for name, one in others]
    good = found.ended == "success" or (found.ended == "timeout" and config.env.task != "behaviour")
    line = provenance_line(policy, policy_file(source, stage))
    shown_as = Episode(
        species=animal,
        recording=found,
        label=f"seed {seed}, episode {episode}",
        good=good,
        why=_how_it_ended(found, animal),
        source="statue" if statue else source_name(source),
        provenance=f"{'statue in place of ' if statue else ''}{line}; {made_by(seed)}",
        ghosts=beside,
    )
    page, count = replay_html(f"{animal.title}, stage {policy.stage} ({config.stage.name})", [shown_as])
    return Replayed(write_html(html, page), count, 1, found)


def check_ghosts(ghosts: Sequence[Path], source: Path, stage: int | None = None, species: str | None = None) -> None:
    """Refuse ghosts that cannot live the episodes of what `source` means, before these are run.

    Raises:
        UserError: one is no policy of this animal.
    """
    if ghosts:
        policy, animal, _ = open_policy(source, species, (), stage)
        _ghost_actors(ghosts, animal, policy.stage)


def replay_evaluation(
    found: Evaluation, poses: PoseRecorder, source: Path, html: Path, ghosts: Sequence[Path] = ()
) -> Replayed:
    """Write the replays of the episodes of an evaluation that `poses` recorded, failures first.

    Raises:
        UserError: a ghost is no policy of this animal, or nothing can be written there.
    """
    others = [(name, _recordings(found, act)) for name, act in _ghost_actors(ghosts, found.species, found.stage)]
    line = provenance_line(found.policy, policy_file(source, found.stage))
    episodes = episodes_of(found, poses.recordings(), source_name(source), line, others)
    title = f"{found.species.title}, stage {found.stage} ({found.config.stage.name})"
    page, count = replay_html(title, episodes)
    return Replayed(write_html(html, page), count, len(episodes), episodes[0].recording)


def episodes_of(
    found: Evaluation,
    recordings: Sequence[Recording],
    source: str,
    line: str,
    others: Sequence[tuple[str, Sequence[Recording]]] = (),
) -> list[Episode]:
    """The episodes of an evaluation, failures first.

    Args:
        source: short name of what was evaluated; line: where it is from.
        others: name and recordings of the same episodes, for ghosts.
    """
    run = found.episodes
    return [
        Episode(
            species=found.species,
            recording=recordings[i],
            label=f"seed {found.seed}, episode {i}",
            good=bool(run.success[i]),
            why=why(run, recordings[i], found.species, i),
            source=source,
            provenance=f"{line}; {made_by(found.seed)}",
            ghosts=[Ghost(name, others_own[i]) for name, others_own in others],
        )
        for i in sorted(range(len(recordings)), key=lambda i: bool(run.success[i]))
    ]


def why(run: Episodes, recording: Recording, animal: Species, i: int) -> str:
    """How episode `i` ended, or what of its task was not done, in words."""
    if run.success[i] or not run.survived[i]:
        return _how_it_ended(recording, animal)
    unmet = [UNMET.get(name, name) for name, met in run.criteria.items() if not met[i]]
    return ", ".join(unmet) or _how_it_ended(recording, animal)


def made_by(seed: int) -> str:
    """Which episodes are seen, and which programs made them."""
    from mesozoic.species.simulator import mujoco

    return f"unseen episodes of seed {seed}; mesozoic {__version__}, MuJoCo {mujoco.__version__}"


def _how_it_ended(recording: Recording, animal: Species) -> str:
    ended, seconds = recording.ended, f"{recording.seconds:.1f} s"
    if ended == "success":
        hit = recording.seconds if recording.struck_at is None else recording.struck_at * recording.dt
        return f"{HITS.get(animal.behaviour, 'hit')} at {hit:.1f} s, and it still stands"
    if ended == "timeout":
        if recording.task == "behaviour":
            return f"not {HITS.get(animal.behaviour, 'hit')} within {seconds}"
        return f"{'stood' if recording.task == 'balance' else 'walked'} for {seconds}"
    return f"{', '.join(FELL.get(name, name) for name in ended.split('+'))} at {seconds}".replace(", fell:", " and")


def _ghost_actors(ghosts: Sequence[Path], animal: Species, stage: int) -> list[tuple[str, Actor]]:
    """Name and actor of each ghost.

    Raises:
        UserError: one is no policy of this animal.
    """
    found: list[tuple[str, Actor]] = []
    for path in ghosts:
        wanted = None if path.is_file() else stage
        policy, _, _ = open_policy(path, animal.name, (), wanted)
        found.append((source_name(path), policy.act))
    return found


def _recordings(found: Evaluation, act: Actor) -> list[Recording]:
    """The same episodes with another actor."""
    poses = PoseRecorder()
    run_episodes(
        act, found.species, found.config, found.seed, Stream.EVAL, len(np.asarray(found.episodes.length)), poses=poses
    )
    return poses.recordings()
