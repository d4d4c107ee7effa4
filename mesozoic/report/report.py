"""A report about runs: one HTML file that works offline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from itertools import groupby
from pathlib import Path

from mesozoic.evaluation.robustness import measure_robustness
from mesozoic.page.html import check_html, write_html
from mesozoic.page.replay import Episode, replay_html
from mesozoic.page.replays import episodes_of
from mesozoic.rendering.recording import PoseRecorder
from mesozoic.report.examined import Examined
from mesozoic.report.runs import StageRun, read_runs
from mesozoic.report.settings_part import settings_part
from mesozoic.report.stage_part import stage_part
from mesozoic.report.style import STYLE
from mesozoic.report.tables import Marked, heading, number, paragraph, table
from mesozoic.run.evaluation import evaluate_policy
from mesozoic.run.provenance import provenance_line
from mesozoic.species import get_species
from mesozoic.version import __version__

SUCCESSES = 3
"""Of each run that are replayed; of failures, all."""
REPLAY_BYTES = 6_000_000
"""Of all replays together; failures that do not fit are left out, and the viewer says so."""
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'none'"

Say = Callable[[str], None]


def write_report(
    sources: Sequence[Path],
    output: Path,
    stage: int | None = None,
    *,
    episodes: int | None = None,
    seed: int = 0,
    robustness: int = 32,
    say: Say = lambda line: None,
) -> int:
    """Evaluate the policies of the runs and write the report; returns its size in bytes.

    Args:
        sources, stage: see `read_runs`.
        episodes: unseen ones of each policy; default: as many as its gate has. seed: which.
        robustness: episodes in each changed world; 0 leaves these out.
        say: is told what is done.

    Raises:
        UserError: there is no such run, a file of it is damaged, or nothing can be written there.
    """
    check_html(output)
    runs = read_runs(sources, stage)
    found = [_examine(run, episodes, seed, robustness, say) for run in runs]
    groups = [list(group) for _, group in groupby(found, key=lambda one: (one.run.species, one.run.stage))]
    titles = [_title(group[0].run) for group in groups]
    whole = titles[0] if len(groups) == 1 else ", ".join(dict.fromkeys(get_species(run.species).title for run in runs))
    parts = [_summary(found), _replays(groups, whole)]
    for title, group in zip(titles, groups, strict=True):
        parts += [heading(2, title), stage_part(group)]
    parts.append(settings_part(runs))
    return write_html(
        output, _page(f"{whole}: {len(sources)} {'run' if len(sources) == 1 else 'runs'}", "".join(parts))
    )


def _examine(run: StageRun, episodes: int | None, seed: int, robustness: int, say: Say) -> Examined:
    if run.policy is None:
        say(f"{run.name}, stage {run.stage}: no policy yet")
        return Examined(run, None, [], [])
    say(f"{run.name}, stage {run.stage}: unseen episodes")
    poses = PoseRecorder()
    found = evaluate_policy(run.policy, episodes=episodes, seed=seed, poses=poses)
    rows = []
    if robustness:
        say(f"{run.name}, stage {run.stage}: other worlds")
        rows = measure_robustness(found.policy.act, found.species, found.config, seed, robustness)
    return Examined(run, found, poses.recordings(), rows)


def _title(run: StageRun) -> str:
    return f"{get_species(run.species).title}, stage {run.stage} ({run.config.stage.name})"


def _summary(found: Sequence[Examined]) -> str:
    rows = []
    for one in found:
        run, figures = one.run, one.found.figures if one.found is not None else {}
        passed = run.result.get("stage_passed")
        verdict = Marked("passed" if passed else "not passed", bool(passed)) if isinstance(passed, bool) else "not over"
        policy = figures.get("policy")
        unseen = (
            ""
            if policy is None
            else f"{policy['success']:.3f} ({policy['success_low']:.3f}-{policy['success_high']:.3f})"
        )
        rivals = [f"{figures[name]['success']:.3f}" if name in figures else "" for name in ("statue", "random")]
        score = "" if policy is None else f"{policy['score']:.3f}"
        steps = number(run.result.get("timesteps"))
        rows.append(
            [
                run.name,
                f"{run.species} {run.stage} {run.config.stage.name}",
                run.seed,
                verdict,
                steps,
                unseen,
                score,
                *rivals,
            ]
        )
    columns = ["run", "stage", "seed", "gate", "steps", "unseen success (95 %)", "score", "statue", "random"]
    return table(columns, rows)


def _replays(groups: Sequence[Sequence[Examined]], title: str) -> str:
    """A viewer of three successes and of every failure of each run; other runs are ghosts in the successes."""
    good: list[Episode] = []
    bad: list[Episode] = []
    for group in groups:
        for one in group:
            if one.found is None or one.run.policy is None:
                continue
            others = [(other.name, other.recordings) for other in group if _same_episodes(one, other)]
            line = provenance_line(one.found.policy, one.run.policy)
            name = one.name if len(groups) == 1 else f"{one.name}, stage {one.run.stage}"
            lived = episodes_of(one.found, one.recordings, name, line, others)
            done = [episode for episode in lived if episode.good]
            good += done[:SUCCESSES]
            bad += [replace(episode, ghosts=()) for episode in lived if not episode.good]
    if not good and not bad:
        return ""
    page, shown = replay_html(title, [*good, *bad], REPLAY_BYTES)
    left = len(good) + len(bad) - shown
    words = f"Three successes of each run (with the other runs as ghosts) and every failure, {len(bad)} in all."
    if left:
        words += f" {left} of the failures did not fit."
    frame = f'<iframe title="replays" sandbox="allow-scripts" srcdoc="{escape(page, quote=True)}"></iframe>\n'
    return heading(2, "Replays") + paragraph(words) + frame


def _same_episodes(one: Examined, other: Examined) -> bool:
    """Whether another run lived the very episodes of this one: as many, in the same task."""
    same = other is not one and other.run.config.env == one.run.config.env
    return same and len(other.recordings) == len(one.recordings)


def _page(title: str, body: str) -> str:
    from mesozoic.species.simulator import mujoco

    made = f"Made by mesozoic {__version__} with MuJoCo {mujoco.__version__}. This file needs no network."
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n<main>\n{heading(1, title)}{body}"
        f"<footer>{escape(made)}</footer>\n</main>\n</html>\n"
    )
