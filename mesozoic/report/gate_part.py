"""The part of a report that judges: every criterion of the gate, and the figures beside those of the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mesozoic.report.examined import Examined
from mesozoic.report.tables import Marked, heading, number, paragraph, table
from mesozoic.run.provenance import provenance_line

WORDS = (
    "Each criterion as the gate judged the last policy at the end of training, and again on unseen episodes. Bounds are"
    " 95 % Wilson bounds; 'over' a baseline means: above the upper bound of its success. Where runs or episodes have"
    " other thresholds, each figure has its own beside it."
)
Criteria = dict[str, dict[str, Any]]
"""Name -> what `Criterion` says, as JSON."""


def gate_part(stage: Sequence[Examined]) -> str:
    """HTML: what each run's gate said, and what it says of unseen episodes."""
    names: Criteria = {}
    columns, found = ["criterion", "needs"], []
    for one in stage:
        trained: Criteria = {row["name"]: row for row in one.run.result.get("gate", [])}
        verdict = one.found.verdict if one.found is not None else None
        unseen: Criteria = {row["name"]: row for row in (verdict.to_json() if verdict is not None else [])}
        names = {**unseen, **trained, **names}
        columns += [f"{one.name}, trained", "unseen"]
        found += [trained, unseen]
    rows = []
    for name, row in names.items():
        sign = ">=" if row.get("or_equal") else ">"
        needed = {number(one[name]["threshold"]) for one in found if name in one}
        same = len(needed) == 1
        cells = [_figure(one.get(name), "" if same else sign) for one in found]
        rows.append([name, f"{sign} {needed.pop()}" if same else "", *cells])
    together = [_together(one) for one in found]
    return heading(3, "Gate") + paragraph(WORDS) + table(columns, [*rows, ["all together", "", *together]])


def _figure(row: dict[str, Any] | None, sign: str) -> object:
    """A figure, and after `sign` what it needs; without one that is not said."""
    if row is None:
        return ""
    needs = f" ({sign} {number(row['threshold'])})" if sign else ""
    return Marked(f"{number(row['value'])} {'✓' if row['passed'] else '✗'}{needs}", row["passed"])


def _together(criteria: Criteria) -> object:
    if not criteria:
        return "not judged"
    passed = all(row["passed"] for row in criteria.values())
    return Marked("passed" if passed else "not passed", passed)


def baselines_part(judged: Sequence[Examined]) -> str:
    """HTML: the policies on unseen episodes, and the baselines on the same; those of each run where they differ."""
    columns = ["", "success (95 % bounds)", "survival (95 % bounds)", "score", "length", "reward"]
    policies: list[list[object]] = []
    rivals: dict[str, dict[tuple[object, ...], list[str]]] = {}
    counts: dict[str, list[str]] = {}
    sources = []
    for one in judged:
        assert one.found is not None and one.run.policy is not None
        for name, row in one.found.figures.items():
            cells = _cells(row)
            if name == "policy":
                policies.append([one.name, *cells])
            else:
                rivals.setdefault(name, {}).setdefault(cells, []).append(one.name)
        count = f"{len(one.found.episodes.length)} episodes of seed {one.found.seed}"
        counts.setdefault(count, []).append(one.name)
        sources.append(f"{one.name}: {provenance_line(one.found.policy, one.run.policy)}")
    others = [
        [name if len(known) == 1 else f"{name}, as for {', '.join(runs)}", *cells]
        for name, known in rivals.items()
        for cells, runs in known.items()
    ]
    said = [count if len(counts) == 1 else f"{', '.join(runs)}: {count}" for count, runs in counts.items()]
    return (
        heading(3, "Unseen episodes beside the baselines")
        + table(columns, [*policies, *others])
        + paragraph(f"{'; '.join(said)}, which no training sees.")
        + "".join(paragraph(line) for line in sources)
    )


def _cells(row: dict[str, float]) -> tuple[object, ...]:
    shares = [f"{row[key]:.3f} ({row[f'{key}_low']:.3f}-{row[f'{key}_high']:.3f})" for key in ("success", "survival")]
    return (*shares, *(number(row[key]) for key in ("score", "avg_episode_length", "avg_reward")))
