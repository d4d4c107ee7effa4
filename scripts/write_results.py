#!/usr/bin/env python3
"""Writes `docs/results.md` and its pictures from `docs/results/records.json` and the shipped policies.

    python scripts/write_results.py            # the page and the pictures ([viz] extra)
    python scripts/write_results.py --no-pictures

Nothing in the page is typed by hand: `scripts/collect_results.py` makes the records from finished runs.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mesozoic.policies import shipped_policy
from mesozoic.species import get_species, load_stage

DOCS = Path(__file__).parent.parent / "docs"
FOLDER = DOCS / "results"
HEAD = """# Results

Made by `scripts/write_results.py` from the records of the runs (`docs/results/records.json`); no figure is
typed by hand. *Success* is the share of episodes in which the stage's task was done, as defined in
`mesozoic/evaluation/outcome.py`, with its 95 % Wilson bounds. *Unseen* episodes are {episodes} that neither
training nor the gate ever sees; *statue* is the zero action. Run it again:

```bash
python scripts/train_all.py --output runs/all --jobs 2     # three seeds of every species; continues where it stopped
python scripts/collect_results.py runs/all --ship          # evaluate, and put the best seed into the package
python scripts/train_all.py --output runs/sb3-ppo --backend sb3 --species velociraptor --target 1   # other learners
python scripts/train_all.py --output runs/sb3-ppo --backend sb3 --species trex --target 2 --seeds 0
python scripts/train_all.py --output runs/sb3-sac --algorithm sac --species velociraptor --target 1
python scripts/collect_results.py runs/all --others runs/sb3-ppo runs/sb3-sac
python scripts/write_results.py
mesozoic report runs/all/velociraptor-seed* --output docs/results/velociraptor.html   # with replays
```

The last one made the [report of the three velociraptor seeds](results/velociraptor.html); it opens offline.

One run is `mesozoic curriculum SPECIES --seed S`. Machine: {cores} shared cores of a server CPU, no GPU. Mostly two or
three curricula ran side by side, with other work beside them: wall times are upper bounds for a machine of one's own.
Versions: {versions}.

The velociraptor (three seeds) and the brachiosaurus (one seed so far) were trained under today's rules and stage files.
The runs of T. rex, and those of other learners, are older: then an episode did not end when more than the feet reached
the floor, and T. rex's balance had one friction and no quiet worlds (`jax.quiet_share`, see [tuning.md](tuning.md)).
Its shipped policies have been evaluated again since.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-pictures", action="store_true", help="leave the pictures as they are")
    options = parser.parse_args()
    records = json.loads((FOLDER / "records.json").read_text(encoding="utf-8"))
    if not options.no_pictures:
        for line in records["shipped"]:
            _draw(line["species"], line["stage"])
        _draw_learners(_compared(records["runs"], records["others"]))
    (DOCS / "results.md").write_text(page(records), encoding="utf-8")
    print(f"wrote {DOCS / 'results.md'}")
    return 0


def page(records: dict[str, Any]) -> str:
    """The whole page as Markdown."""
    runs, shipped = records["runs"], records["shipped"]
    first = runs[0]
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    head = HEAD.format(
        episodes=round(first["unseen"]["episodes"]),
        cores=first["cores"],
        versions=versions,
    )
    parts = [head, "## Shipped policies\n", _shipped_table(shipped), "## Every run\n", _run_table(runs)]
    parts += ["## Whole curricula\n", _total_table(runs)]
    parts += ["## Learners side by side\n", _LEARNERS, _learner_table(_compared(runs, records["others"]))]
    parts += ["## Speed\n", _speed(json.loads((FOLDER / "bench.json").read_text(encoding="utf-8")))]
    parts += ["## Gait of the shipped walkers\n", _gait_table(shipped), _pictures(shipped)]
    parts += ["## Other worlds\n", _robustness_text(), _robustness_table(shipped)]
    return "\n".join(parts)


def _table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    columns = list(columns)
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def _share(figures: dict[str, float], name: str = "success") -> str:
    return f"{figures[name]:.3f} ({figures[f'{name}_low']:.3f}-{figures[f'{name}_high']:.3f})"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _shipped_table(shipped: list[dict[str, Any]]) -> str:
    rows = [
        (
            line["species"],
            f"{line['stage']} {load_stage(line['species'], line['stage']).stage.name}",
            line["seed"],
            f"{line['timesteps']:,}",
            _share(line["unseen"]),
            f"{line['unseen']['score']:.3f}",
            f"{line['baselines']['statue']['success']:.3f}",
            f"{line['baselines']['random']['success']:.3f}",
        )
        for line in shipped
    ]
    return _table(("species", "stage", "seed", "steps", "unseen success", "score", "statue", "random"), rows)


def _run_table(runs: list[dict[str, Any]]) -> str:
    rows = [
        (
            run["species"],
            f"{run['stage']} {run['stage_name']}",
            run["seed"],
            "passed" if run["stage_passed"] else "**not passed**",
            f"{run['timesteps']:,}",
            _minutes(run["wall_seconds"]),
            f"{run['steps_per_second']:,.0f}",
            _share(run["evaluation"]),
            _share(run["unseen"]),
            f"{run['baselines']['statue']['success']:.2f}",
            f"{run['baselines']['random']['success']:.2f}",
        )
        for run in sorted(runs, key=lambda run: (run["species"], run["stage"], run["seed"]))
    ]
    columns = ("species", "stage", "seed", "gate", "steps", "min:s", "steps/s")
    return _table((*columns, "last gate", "unseen", "statue", "random"), rows)


def _total_table(runs: list[dict[str, Any]]) -> str:
    totals: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for run in runs:
        totals.setdefault((run["species"], run["seed"]), []).append(run)
    rows = [
        (
            species,
            seed,
            sum(run["stage_passed"] for run in stages),
            f"{sum(run['timesteps'] for run in stages):,}",
            _minutes(sum(run["wall_seconds"] for run in stages)),
            f"{max(run['peak_memory_mb'] for run in stages) / 1024:.2f}",
        )
        for (species, seed), stages in sorted(totals.items())
    ]
    return _table(("species", "seed", "stages passed", "steps", "min:s", "peak memory, GiB"), rows)


_LEARNERS = """Stable-Baselines3's PPO and SAC beside the JAX learner: the same stage files, gates and unseen episodes.

![success over environment steps](results/learners.png)
"""


def _compared(runs: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs of other learners, and those of the JAX learner of the same species, stage and seed."""
    wanted = {(run["species"], run["stage"], run["seed"]) for run in others}
    own = [run for run in runs if (run["species"], run["stage"], run["seed"]) in wanted]
    return sorted([*own, *others], key=lambda run: (run["species"], run["stage"], run["learner"], run["seed"]))


def _learner_table(runs: list[dict[str, Any]]) -> str:
    rows = [
        (
            f"{run['species']} {run['stage']} {run['stage_name']}",
            run["learner"],
            run["seed"],
            "passed" if run["stage_passed"] else "**not passed**",
            f"{run['timesteps']:,}",
            _minutes(run["wall_seconds"]),
            f"{run['steps_per_second']:,.0f}",
            _share(run["evaluation"]),
            _share(run["unseen"]),
        )
        for run in runs
    ]
    return _table(("stage", "learner", "seed", "gate", "steps", "min:s", "steps/s", "last gate", "unseen"), rows)


def _speed(bench: dict[str, Any]) -> str:
    """Steps per second of one run of `mesozoic bench --peer`, and ratios to the slowest usual way."""
    rates = dict(bench["steps_per_second"]) | {peer["name"]: peer["steps_per_second"] for peer in bench["peers"]}
    yardstick = bench["peers"][-1]
    rows = [(name, f"{rate:,.0f}", f"{rate / yardstick['steps_per_second']:.1f}") for name, rate in rates.items()]
    command = f"mesozoic bench {bench['species']} --stage {bench['stage']} --peer --output docs/results/bench.json"
    return (
        f"One run of `{command}` on {bench['cores']} cores with nothing else running, {bench['worlds']} worlds;"
        " *training* is the JAX learner. Ratios travel between machines, steps per second do not.\n\n"
        + _table(("", "steps/s", f"over {yardstick['name']}"), rows)
    )


GAIT_ROWS = (
    ("speed, sqrt(g h)", "speed"),
    ("Froude number", "froude"),
    ("stride frequency, Hz", "stride_frequency"),
    ("stride length, h", "stride_length"),
    ("flight share", "flight"),
    ("alternation", "alternation"),
    ("slip, sqrt(g h)", "slip"),
    ("cost of transport", "cost_of_transport"),
    ("drift", "drift"),
    ("heading drift, degrees", "heading_drift"),
)


def _gait_table(shipped: list[dict[str, Any]]) -> str:
    walkers = [line for line in shipped if line["stage"] == 2]
    rows = [
        (title, *(f"{line['unseen'].get(f'gait/{name}', math.nan):.3f}" for line in walkers))
        for title, name in GAIT_ROWS
    ]
    for part in ("duty", "phase"):
        cells = []
        for line in walkers:
            feet = [key for key in line["unseen"] if key.startswith(f"gait/{part}/")]
            cells.append(", ".join(f"{key.rsplit('/', 1)[1]} {line['unseen'][key]:.2f}" for key in feet))
        rows.append((part, *cells))
    return _table(("", *(line["species"] for line in walkers)), rows)


def _pictures(shipped: list[dict[str, Any]]) -> str:
    lines = []
    for line in shipped:
        name = f"{line['species']}-stage{line['stage']}"
        for kind in ("footfalls", "strip"):
            if (FOLDER / f"{name}-{kind}.png").exists():
                lines.append(f"![{line['species']} stage {line['stage']}, {kind}](results/{name}-{kind}.png)\n")
    return "\n".join(lines)


def _robustness_text() -> str:
    return (
        "Success of the shipped policies on the same unseen episodes in changed worlds; in brackets the drop"
        " against the unchanged one. The model's own friction is 1.\n"
    )


def _robustness_table(shipped: list[dict[str, Any]]) -> str:
    rows = []
    for line in shipped:
        found = {row["name"]: row for row in line["robustness"]}
        headings = [row for name, row in found.items() if name.startswith("heading")]
        worst = max(headings, key=lambda row: row["drop"])
        others = [found[name] for name in found if name.startswith(("mass", "friction"))]
        cells = [f"{row['success']:.3f} ({-row['drop']:+.3f})" for row in (worst, *others)]
        rows.append((line["species"], line["stage"], f"{found['nominal']['success']:.3f}", *cells))
    names = [row["name"] for row in shipped[0]["robustness"] if row["name"].startswith(("mass", "friction"))]
    return _table(("species", "stage", "unchanged", "worst of 8 headings", *names), rows)


def _draw(species: str, stage: int) -> None:
    """A strip of one unseen episode and, of walkers, a footfall diagram."""
    from mesozoic.evaluation.episodes import run_episodes
    from mesozoic.evaluation.gait import settle_steps
    from mesozoic.evaluation.gait_report import figures_line
    from mesozoic.learn.policy import load_policy
    from mesozoic.rendering.footfall_diagram import draw_footfalls
    from mesozoic.rendering.recording import record
    from mesozoic.rendering.video import render_strip
    from mesozoic.sim.samples import Stream

    animal, config = get_species(species), load_stage(species, stage)
    policy = load_policy(shipped_policy(species, stage))
    name = f"{species}-stage{stage}"
    recording = record(animal, config, policy.act, seed=7)
    render_strip(recording, animal, FOLDER / f"{name}-strip.png", frames=4, width=480, height=360)
    if config.env.task == "locomotion":
        run = run_episodes(policy.act, animal, config, 7, Stream.EVAL, 1)
        assert run.trace is not None and run.gait is not None
        title = f"{animal.title}, stage {stage} ({config.stage.name})"
        figures = figures_line(run.trace, 0, run.gait)
        draw_footfalls(run.trace, 0, title, FOLDER / f"{name}-footfalls.png", figures, settle_steps(run.trace))
    print(f"drew {name}", flush=True)


COLOURS = {"jax ppo": "#2f6f91", "sb3 ppo": "#c96b28", "sb3 sac": "#5c8a3a"}


def _draw_learners(runs: list[dict[str, Any]]) -> None:
    """Success over environment steps, one panel for each stage and one line for each run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    stages = sorted({(run["species"], run["stage"], run["stage_name"]) for run in runs})
    if not stages:
        return
    figure, panels = pyplot.subplots(1, len(stages), figsize=(5 * len(stages), 3.2), sharey=True, squeeze=False)
    for panel, stage in zip(panels[0], stages, strict=True):
        named: set[str] = set()
        for run in runs:
            if (run["species"], run["stage"], run["stage_name"]) == stage:
                steps, success = zip(*run["curve"], strict=True)
                label = None if run["learner"] in named else run["learner"]
                named.add(run["learner"])
                panel.plot(
                    [step / 1e6 for step in steps], success, marker=".", color=COLOURS[run["learner"]], label=label
                )
        panel.set(
            title=f"{stage[0]}, stage {stage[1]} ({stage[2]})", xlabel="million environment steps", ylim=(0, 1.02)
        )
        panel.legend(frameon=False)
    panels[0][0].set_ylabel("success at evaluations")
    figure.tight_layout()
    figure.savefig(FOLDER / "learners.png", dpi=110)
    print("drew learners", flush=True)


if __name__ == "__main__":
    sys.exit(main())
