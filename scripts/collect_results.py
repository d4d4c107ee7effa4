#!/usr/bin/env python3
"""Gathers the records of finished curricula, evaluates their policies on unseen episodes, and ships the best.

    python scripts/collect_results.py runs/all --ship
    python scripts/collect_results.py runs/all --others runs/sb3-ppo runs/sb3-sac

`--others` are folders of runs with other learners; without it those on record are kept, as are the runs of a
species that the folder has none of. `--again trex` evaluates the shipped policies of a species once more, after a
change of its task.
Writes `docs/results/records.json`, from which `scripts/write_results.py` makes `docs/results.md`. With
`--ship` the policies of the best seed of each species go into the package: of the seeds whose stages all
passed, the one whose weakest stage has the highest success.
Evaluations already on record are kept.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mesozoic.evaluation.episodes import baselines, run_episodes
from mesozoic.evaluation.robustness import measure_robustness
from mesozoic.learn.policy import load_policy
from mesozoic.policies import FOLDER
from mesozoic.sim.samples import Stream
from mesozoic.species import get_species, load_stage, stage_files
from mesozoic.sweep.finished import finished_below

RECORDS = Path(__file__).parent.parent / "docs" / "results" / "records.json"
EPISODES, SEED = 256, 7
ROBUSTNESS_EPISODES = 128
KEYS = (
    "species",
    "stage",
    "stage_name",
    "stage_passed",
    "seed",
    "timesteps",
    "wall_seconds",
    "steps_per_second",
    "peak_memory_mb",
    "evaluation",
    "baselines",
    "gate",
    "versions",
    "cores",
)

SHIPPED_KEYS = ("species", "stage", "stage_passed", "seed", "timesteps", "sha256", "gate", "versions")
"""What is written beside a shipped policy."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="folder with one curriculum run per folder")
    parser.add_argument("--others", type=Path, nargs="*", help="folders of runs that others learned")
    parser.add_argument("--ship", action="store_true", help="copy the best policies into the package")
    parser.add_argument("--again", nargs="*", default=[], help="species whose shipped policies are evaluated once more")
    options = parser.parse_args()
    old = json.loads(RECORDS.read_text(encoding="utf-8")) if RECORDS.exists() else {"runs": [], "shipped": []}
    others = old.get("others", [])
    known = {record["sha256"]: record for record in [*old["runs"], *others]}
    records = _records(options.runs, known)
    fresh = {record["species"] for record in records}
    records += [record for record in old["runs"] if record["species"] not in fresh]
    if options.others is not None:
        others = [record for folder in options.others for record in _records(folder, known)]
    shipped = old["shipped"]
    if options.ship:
        kept = [line for line in shipped if line["species"] not in fresh]
        shipped = kept + _ship(options.runs, [one for one in records if one["species"] in fresh], shipped)
        shipped.sort(key=lambda line: (line["species"], line["stage"]))
    shipped = [_again(line) if line["species"] in options.again else line for line in shipped]
    RECORDS.parent.mkdir(parents=True, exist_ok=True)
    RECORDS.write_text(
        json.dumps({"runs": records, "others": others, "shipped": shipped}, indent=1) + "\n", encoding="utf-8"
    )
    print(f"records {RECORDS}")
    return 0


def _records(runs: Path, known: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One record for each stage that is over; what is `known` by its policy's hash is not evaluated again."""
    found, damaged = finished_below(str(runs))
    for name in damaged:
        print(f"{runs / name} is damaged and left out", file=sys.stderr)
    records = []
    for one in sorted((one for one in found if not one.is_trial), key=lambda one: one.file):
        result, folder = one.says, (runs / one.file).parent
        policy = folder / "models" / f"stage{one.stage}_final.zip"
        digest = hashlib.sha256(policy.read_bytes()).hexdigest()
        record = {key: result[key] for key in KEYS} | {"sha256": digest, "policy_bytes": policy.stat().st_size}
        record["learner"] = f"{result['identity']['backend']} {result['identity']['algorithm']}"
        record["curve"] = _curve(folder / "training.csv", one.stage)
        record["unseen"] = known[digest]["unseen"] if digest in known else _unseen(policy)
        records.append(record)
        print(f"{record['species']} seed {record['seed']} stage {record['stage']}: {_phrase(record)}", flush=True)
    return records


def _curve(file: Path, stage: int) -> list[tuple[int, float]]:
    """Environment steps and success of each evaluation."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [(row["step"], row.get(f"stage{stage}/eval/success")) for row in csv.DictReader(lines)]
    return [(int(step), round(float(success), 4)) for step, success in rows if success]


def _phrase(record: dict[str, Any]) -> str:
    verdict = "passed" if record["stage_passed"] else "NOT passed"
    return f"{verdict} at {record['timesteps']:,} steps, success {record['unseen']['success']:.3f} on unseen episodes"


def _unseen(file: Path) -> dict[str, float]:
    """Figures of a policy on `EPISODES` episodes that neither training nor the gate ever sees."""
    policy = load_policy(file)
    config = load_stage(policy.species, policy.stage)
    return run_episodes(policy.act, get_species(policy.species), config, SEED, Stream.EVAL, EPISODES).summary()


def _ship(runs: Path, records: list[dict[str, Any]], old: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Copy the best policies into the package; their records, with baselines and robustness."""
    known = {record["sha256"]: record for record in old}
    shipped = []
    for species in sorted({record["species"] for record in records}):
        seeds: dict[int, dict[int, dict[str, Any]]] = {}
        for record in records:
            if record["species"] == species and record["stage_passed"]:
                seeds.setdefault(record["seed"], {})[record["stage"]] = record
        whole = {seed: stages for seed, stages in seeds.items() if set(stages) == set(stage_files(species))}
        if not whole:
            print(f"{species}: no seed passed all stages; nothing shipped", file=sys.stderr)
            continue
        seed = max(whole, key=lambda seed: min(record["unseen"]["success"] for record in whole[seed].values()))
        for stage, record in sorted(whole[seed].items()):
            target = FOLDER / species / f"stage{stage}.zip"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(
                runs / f"{species}-seed{seed}" / f"stage{stage}" / "models" / f"stage{stage}_final.zip", target
            )
            beside = json.dumps({key: record[key] for key in SHIPPED_KEYS}, indent=1)
            target.with_suffix(".json").write_text(beside + "\n", encoding="utf-8")
            figures = known.get(record["sha256"]) or _examine(target)
            line = {
                key: record[key] for key in ("species", "stage", "seed", "timesteps", "sha256", "versions", "unseen")
            }
            shipped.append({**line, **{key: figures[key] for key in ("baselines", "robustness")}})
            print(f"{species} stage {stage}: seed {seed} ships", flush=True)
    return shipped


def _again(line: dict[str, Any]) -> dict[str, Any]:
    """The record of a shipped policy with new figures."""
    policy = FOLDER / line["species"] / f"stage{line['stage']}.zip"
    figures = {"unseen": _unseen(policy), **_examine(policy)}
    print(f"{line['species']} stage {line['stage']}: success {figures['unseen']['success']:.3f} on unseen episodes")
    return {**line, **figures}


def _examine(file: Path) -> dict[str, Any]:
    policy = load_policy(file)
    species, config = get_species(policy.species), load_stage(policy.species, policy.stage)
    rows = measure_robustness(policy.act, species, config, SEED, ROBUSTNESS_EPISODES)
    return {
        "baselines": baselines(species, config, SEED, Stream.EVAL, EPISODES),
        "robustness": [asdict(row) for row in rows],
    }


if __name__ == "__main__":
    sys.exit(main())
