"""The part of a report about how its runs were made: differences from the shipped stage, commands, versions."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from mesozoic.errors import UserError
from mesozoic.report.cost import cost_lines
from mesozoic.report.runs import StageRun
from mesozoic.report.stage_part import timing_rows
from mesozoic.report.tables import heading, paragraph, preformatted, table
from mesozoic.species import load_stage

DEFAULTS = {"backend": "jax", "algorithm": "ppo", "physics": "native"}


def settings_part(runs: Sequence[StageRun]) -> str:
    """HTML: timings, cost, differences, commands and versions of the runs."""
    parts = []
    timed = [run for run in runs if run.result.get("wall_seconds")]
    if timed:
        columns = ["", "steps", "min:s", "of which", "steps/s", "peak memory, MiB", "cores"]
        parts += [heading(2, "Time"), table(columns, [timing_rows(run) for run in timed])]
    folders = {run.name: run.folder.parent for run in runs if run.folder is not None}
    costs = {name: lines for name, folder in folders.items() if (lines := cost_lines(folder))}
    if costs:
        parts += [heading(2, "Cost"), *(paragraph(f"{name}: {' '.join(lines)}") for name, lines in costs.items())]
    parts += [heading(2, "Configuration"), paragraph(WORDS), _differences(runs)]
    commands = [command for run in runs if (command := command_of(run))]
    if commands:
        parts += [heading(2, "Train it again"), preformatted("\n".join(dict.fromkeys(commands)))]
    return "".join([*parts, heading(2, "Versions"), _versions(runs)])


WORDS = "Keys that differ from the stage file that ships with this version."


def differences_of(run: StageRun) -> dict[str, tuple[Any, Any]]:
    """Key -> (shipped, in this run), of every key that differs; empty where no stage file ships for it."""
    try:
        shipped = load_stage(run.species, run.stage).model_dump(mode="json")
    except UserError:
        return {}
    ours = run.config.model_dump(mode="json")
    return {
        f"{section}.{key}": (shipped[section][key], value)
        for section, keys in ours.items()
        for key, value in keys.items()
        if shipped[section].get(key) != value
    }


def command_of(run: StageRun) -> str:
    """A command that trains the stage again; empty for a policy without a run."""
    identity = run.recorded.get("identity")
    if not isinstance(identity, dict):
        return ""
    words = ["mesozoic", "train", run.species, "--stage", str(run.stage)]
    words += [] if run.seed is None else ["--seed", str(run.seed)]
    for name, usual in DEFAULTS.items():
        value = identity.get(name)
        if isinstance(value, str) and value != usual:
            words += [f"--{name}", value]
    words += [f"{key}={_typed(value)}" for key, (_, value) in differences_of(run).items()]
    text = shlex.join(words)
    load = identity.get("load")
    if not load:
        return text
    known = re.match(r"[0-9a-f]{12}", str(load))
    return f"{text} --load POLICY" + (f"  # the one with SHA-256 {known[0]}..." if known else "")


def _typed(value: object) -> str:
    """A value as overrides take it."""
    return "None" if value is None else value if isinstance(value, str) else json.dumps(value)


def _differences(runs: Sequence[StageRun]) -> str:
    found = {run: differences_of(run) for run in runs}
    rows = []
    for stage in sorted({(run.species, run.stage) for run in runs}):
        here = [run for run in runs if (run.species, run.stage) == stage]
        for key in dict.fromkeys(key for run in here for key in found[run]):
            shipped = next(found[run][key][0] for run in here if key in found[run])
            cells = {run.name: _typed(found[run][key][1]) if key in found[run] else "as shipped" for run in here}
            same = set(cells.values())
            shown = same.pop() if len(same) == 1 else "; ".join(f"{name}: {value}" for name, value in cells.items())
            rows.append([f"{stage[0]} stage {stage[1]}", key, _typed(shipped), shown])
    if not rows:
        return paragraph("None: every run is as shipped.")
    return table(["stage", "key", "shipped", "here"], rows)


def _versions(runs: Sequence[StageRun]) -> str:
    tables = [(run, run.result.get("versions") or run.recorded.get("versions")) for run in runs]
    known = [(run, one) for run, one in tables if isinstance(one, dict)]
    if not known:
        return paragraph("Not recorded.")
    packages = dict.fromkeys(str(name) for _, one in known for name in one)
    rows = []
    for package in packages:
        values = dict.fromkeys(str(one.get(package, "not there")) for _, one in known)
        rows.append([package, ", ".join(values)])
    return table(["package", "version"], rows)
