"""What a tuning job's image runs in tests: a trial's record, measurements and policy, without the training.

python quick_trial.py WHAT sweep trial ARGUMENTS...; WHAT is train, sleep, slowly, fail,
"give up" (for good, after good reports) or "one gives up".
"""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path

import hypertune

from mesozoic.run.spec import RunSpec
from mesozoic.sweep.trial_record import TrialRecord


def main(what: str, words: list[str]) -> int:
    options = dict(word.removeprefix("--").partition("=")[::2] for word in words if word.startswith("--"))
    number = os.environ["CLOUD_ML_TRIAL_ID"]
    folder = Path(options["output-dir"]) / number
    point = {"ppo.learning_rate": float(options["ppo_learning_rate"]), "ppo.n_epochs": float(options["ppo_n_epochs"])}
    spec = RunSpec("velociraptor", 1, overrides=tuple(f"{path}={value}" for path, value in point.items()))
    record = TrialRecord(number, "vertex", point, spec.to_json(), options["objective"], 1)
    folder.mkdir(parents=True, exist_ok=True)
    record.save(folder)
    if what == "sleep":
        time.sleep(600)
    if what == "fail":
        return 1
    tune, value = hypertune.HyperTune(), -math.log(point["ppo.learning_rate"]) / 20
    for step in range(1, 10 if what == "slowly" else 2):
        record.scores.append((0, step, value))
        record.reports.append((step, value))
        record.save(folder)
        tune.report_hyperparameter_tuning_metric(options["objective"], value, step)
        time.sleep(0.8 if what == "slowly" else 0)
    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / "stage1_final.zip").write_bytes(b"a policy")
    if what == "give up" or (what == "one gives up" and number == "1"):
        tune.report_hyperparameter_tuning_metric(options["objective"], 1e6, step + 1)
        record.state, record.why = "failed", "no such gait"
        record.save(folder)
        return 0
    record.state, record.value = "budget", value
    record.save(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
