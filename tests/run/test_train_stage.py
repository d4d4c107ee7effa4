"""A whole stage: its files, its result, and what is refused before there are any."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.stage_runs import Done, MakeSpec

from mesozoic.curricula.gate import Criterion, Verdict
from mesozoic.errors import UserError
from mesozoic.learn.policy import load_policy
from mesozoic.run import train_stage as module
from mesozoic.run.checkpoint import checkpoints, load_state, read_manifest
from mesozoic.run.folder import StageFolder
from mesozoic.run.results_table import results_table
from mesozoic.run.train_stage import train_stage
from mesozoic.sim.samples import Stream


def test_the_configuration_is_on_disk_before_the_first_step(done: Done, spec: MakeSpec) -> None:
    folder, _, was_there = done
    assert was_there == [True]
    record = json.loads(folder.config.read_text())
    assert record["config"] == spec().config.model_dump(mode="json")
    assert record["identity"] == spec().to_json()
    assert {"mujoco", "jax", "python", "mesozoic"} <= record["versions"].keys()
    assert record["cores"] >= 1


def test_a_finished_run_has_all_its_files(done: Done) -> None:
    folder, result, _ = done
    assert folder.final_policy == folder.run / "stage1" / "models" / "stage1_final.zip"
    assert folder.best_policy.name == "best_model.zip"
    assert load_policy(folder.final_policy).info["step"] == 256
    assert load_policy(folder.best_policy).info["step"] == result["best_step"]
    assert load_policy(folder.newest_policy).info["step"] == 256, "that of the last checkpoint"
    assert list((folder.path / "tensorboard").glob("events.out.tfevents.*"))
    with (folder.path / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted({int(row["step"]) for row in rows}) == [64, 128, 192, 256]
    assert {"stage1/train/policy_loss", "stage1/reward/alive", "stage1/eval/score", "eval/score"} <= rows[0].keys()
    first, saved = checkpoints(folder.checkpoints)
    assert [read_manifest(path)["step"] for path in (first, saved)] == [128, 256]
    state = load_state(saved)
    assert state["loop"]["finished"] is True
    assert state["recorder"]["best"] == {"best_model.zip": folder.best_policy.read_bytes()}
    assert not list(folder.path.rglob(".*.tmp"))


def test_the_result_is_what_metrics_json_says(done: Done) -> None:
    folder, result, _ = done
    assert json.loads(folder.metrics.read_text()) == result
    assert (result["timesteps"], result["evaluations"], result["stage_passed"]) == (256, 2, False)
    assert (result["species"], result["stage"], result["seed"]) == ("velociraptor", 1, 0)
    assert result["baselines"].keys() == {"statue", "statue, undisturbed", "random"}
    assert result["score"] == result["evaluation"]["score"]
    assert {criterion["name"] for criterion in result["gate"]} >= {"success", "success_low", "success_low over statue"}


def test_the_result_fills_every_column_of_the_table_of_results(done: Done) -> None:
    (row,) = csv.DictReader(io.StringIO(results_table([done[1]])))
    assert all(row.values()), row
    assert (row["stage_passed"], row["backend"], row["seed"]) == ("False", "jax", "0")


def test_a_passed_stage_is_certified_on_episodes_of_its_own(
    spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams: list[tuple[int, Stream]] = []
    real = module.run_episodes

    def run_episodes(actor: Any, species: Any, config: Any, seed: int, stream: Stream) -> Any:
        streams.append((seed, stream))
        return real(actor, species, config, seed, stream)

    monkeypatch.setattr(module, "run_episodes", run_episodes)
    monkeypatch.setattr(module, "Gate", EasyGate)
    overrides = ("curriculum.required_consecutive=1", "curriculum.eval_freq=64")
    result = train_stage(spec(*overrides, seed=3), tmp_path)
    assert streams == [(3, Stream.GATE), (3, Stream.CERTIFY), (3, Stream.GATE), (3 + 2**32, Stream.CERTIFY)]
    assert result["stage_passed"] and result["timesteps"] == 128
    assert [found["passed"] for found in result["certifications"]] == [False, True]
    assert json.loads(StageFolder(tmp_path, 1).metrics.read_text())["certifications"] == result["certifications"]


class EasyGate:
    """Passes everything but the first certification, its second judgement."""

    def __init__(self, *_: Any) -> None:
        self._count = 0

    def judge(self, summary: Any) -> Verdict:
        self._count += 1
        return Verdict((Criterion("easy", 0.0 if self._count == 2 else 1.0, 0.5),))


def test_a_folder_that_is_removed_meanwhile_ends_the_training_in_one_sentence(
    spec: MakeSpec, tmp_path: Path, after_updates: Callable[..., None]
) -> None:
    run = tmp_path / "run"
    after_updates(lambda learner: learner.step == 64 and shutil.rmtree(run))
    with pytest.raises(UserError, match=r"was removed or renamed while the training wrote to it.*run again"):
        train_stage(spec(), run)
    assert not run.exists()


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (("curriculum.min_success_low=0.99",), r"eval_episodes"),
        (("ppo.net_arch=[8, 8]",), r"hidden layers \[16,16\].*--override ppo\.net_arch=\[16,16\]"),
    ],
)
def test_bad_input_leaves_no_folder(
    done: Done,
    spec: MakeSpec,
    tmp_path: Path,
    overrides: tuple[str, ...],
    reason: str,
) -> None:
    with pytest.raises(UserError, match=reason):
        train_stage(spec(*overrides, load=done[0].final_policy), tmp_path / "run")
    assert not (tmp_path / "run").exists()
