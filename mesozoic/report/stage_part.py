"""The part of a report about one stage of an animal: several runs side by side, as trained and on unseen episodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from mesozoic.evaluation.gait_report import gait_table
from mesozoic.report.chart import key_of, panel_sheet
from mesozoic.report.examined import Examined
from mesozoic.report.footfalls import footfall_sheet
from mesozoic.report.gate_part import baselines_part, gate_part
from mesozoic.report.panels import panels_of
from mesozoic.report.runs import StageRun
from mesozoic.report.svg import to_svg
from mesozoic.report.tables import heading, minutes, number, paragraph, table


def stage_part(stage: Sequence[Examined]) -> str:
    """HTML of one stage."""
    runs = [one.run for one in stage]
    judged = [one for one in stage if one.found is not None]
    parts = []
    with_curves = [run for run in runs if run.rows]
    if with_curves:
        parts += [heading(3, "Training"), _curves(with_curves)]
        parts.append(paragraph(_ending_words(runs)))
    parts.append(gate_part(stage))
    if judged:
        parts.append(baselines_part(judged))
        parts += _walk(judged)
        if any(one.robustness for one in judged):
            parts += [heading(3, "Other worlds"), paragraph(ROBUST_WORDS), _robustness(judged)]
    return "".join(parts)


def _curves(runs: Sequence[StageRun]) -> str:
    """A panel for each metric, as many beside each other as fit, and what the colours mean."""
    panels, names = panels_of(runs), [run.name for run in runs]
    svgs = [to_svg(panel_sheet(panel, names), f"{panel.title} over environment steps") for panel in panels]
    key = [f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in key_of(panels, names)]
    return f'<div class="chart"><div class="panels">{"".join(svgs)}</div><div class="key">{"".join(key)}</div></div>\n'


ROBUST_WORDS = "Success on the same unseen episodes in changed worlds, and the drop against the unchanged one."


def _ending_words(runs: Sequence[StageRun]) -> str:
    words = []
    for run in runs:
        passed = run.result.get("stage_passed")
        steps = run.result.get("timesteps")
        what = "is not over yet" if passed is None else f"{'passed' if passed else 'did not pass'} its gate"
        words.append(f"{run.name} {what}" + (f" after {steps:,} steps" if isinstance(steps, int) else ""))
    return "; ".join(words) + "."


def _walk(judged: Sequence[Examined]) -> list[str]:
    """Criteria, gait and footfalls, where the animal walks."""
    walking = [one for one in judged if one.found is not None and one.found.episodes.gait is not None]
    parts: list[str] = []
    names = list(dict.fromkeys(name for one in walking for name in one.found.episodes.criteria))  # type: ignore[union-attr]
    if names:
        rows = [
            [name.replace("_", " "), *(f"{one.found.episodes.criteria[name].mean():.3f}" for one in walking)]  # type: ignore[union-attr]
            for name in names
        ]
        parts += [
            heading(3, "What a good walk is made of"),
            paragraph("Share of episodes that meet each."),
            table(["", *(one.name for one in walking)], rows),
        ]
    if walking:
        parts += [heading(3, "Gait"), _gaits(walking)]
    shown = [
        (f"{one.name}, episode 0", one.recordings[0]) for one in walking if one.recordings[0].foot_load is not None
    ]
    if shown:
        svg = to_svg(footfall_sheet(shown), "footfalls: which foot bears load when")
        parts += [heading(3, "Footfalls"), f'<div class="chart long">{svg}</div>']
        parts.append(paragraph("Blue: left feet; orange: right feet; shaded: no foot on the floor."))
    return parts


def _gaits(walking: Sequence[Examined]) -> str:
    tables = []
    for one in walking:
        assert one.found is not None and one.found.episodes.trace is not None and one.found.episodes.gait is not None
        tables.append(gait_table(one.found.episodes.trace, one.found.episodes.gait))
    rows = []
    for lines in zip(*tables, strict=True):
        cells = [
            f"{row.mean:.3f} ({row.low:.3f} to {row.high:.3f})" if math.isfinite(row.mean) else "none" for row in lines
        ]
        rows.append([lines[0].name, lines[0].meaning, *cells])
    return table(["mean (5 % to 95 %)", "unit", *(one.name for one in walking)], rows)


def _robustness(judged: Sequence[Examined]) -> str:
    shown = [one for one in judged if one.robustness]
    rows = []
    for lines in zip(*(one.robustness for one in shown), strict=True):
        cells = [f"{row.success:.3f}" + (f" ({-row.drop:+.3f})" if row.drop else "") for row in lines]
        rows.append([lines[0].name, *cells])
    return table(["world", *(one.name for one in shown)], rows)


def timing_rows(run: StageRun) -> list[object]:
    """Steps, time, speed, memory and cores of a stage."""
    result = run.result
    phases = ", ".join(f"{name} {minutes(value)}" for name, value in result.get("seconds", {}).items())
    return [
        f"{run.name}, stage {run.stage}",
        *(number(result.get("timesteps")), minutes(result.get("wall_seconds")), phases),
        *(number(result.get("steps_per_second")), number(result.get("peak_memory_mb")), number(result.get("cores"))),
    ]
