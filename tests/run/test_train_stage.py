"""A whole stage: its files, its interrupts, and what running it again does."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesozoic.errors import Interrupted, UserError
from mesozoic.learn.kinds import LearnerKind
from mesozoic.learn.policy import load_policy
from mesozoic.run.checkpoint import checkpoints, load_state, read_manifest
from mesozoic.run.curriculum import results_table
from mesozoic.run.folder import StageFolder
from mesozoic.run.stage_spec import StageSpec
from mesozoic.run.train_stage import train_stage
from mesozoic.sim.batch_env import BatchEnv

MakeSpec = Callable[..., StageSpec]
Done = tuple[StageFolder, dict[str, Any], list[bool]]


@pytest.fixture
def after_updates(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have a function called with the learner after each of its updates."""
    real = LearnerKind.make

    def install(then: Callable[[Any], None]) -> None:
        def make(*args: Any) -> Any:
            learner = real(*args)
            learn = learner.learn

            def learn_then() -> Any:
                metrics = learn()
                then(learner)
                return metrics

            learner.learn = learn_then  # type: ignore[method-assign]
            return learner

        monkeypatch.setattr(LearnerKind, "make", make)

    return install


@pytest.fixture(scope="module")
def done(spec: MakeSpec, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A finished run, its result, and whether its configuration was on disk when the first step was taken."""
    run = tmp_path_factory.mktemp("run")
    folder = StageFolder(run, 1)
    was_there: list[bool] = []
    real = BatchEnv.step

    def step(*args: Any) -> Any:
        if not was_there:
            was_there.append(folder.config.exists())
        return real(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchEnv, "step", step)
        result = train_stage(spec(), run)
    return folder, result, was_there


def forbid_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        pytest.fail("it trained again")

    monkeypatch.setattr(LearnerKind, "make", fail)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


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
    assert list((folder.path / "tensorboard").glob("events.out.tfevents.*"))
    with (folder.path / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted({int(row["step"]) for row in rows}) == [64, 128, 192, 256]
    assert {"stage1/train/policy_loss", "stage1/reward/alive", "stage1/eval/score", "eval/score"} <= rows[0].keys()
    (saved,) = checkpoints(folder.checkpoints)
    assert read_manifest(saved)["step"] == 256
    assert load_state(saved)["progress"]["finished"] is True


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


def test_running_again_reports_without_training(done: Done, spec: MakeSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, result, _ = done
    before = snapshot(folder.path)
    forbid_training(monkeypatch)
    assert train_stage(spec(), folder.run) == result
    assert train_stage(spec("curriculum.save_freq=1"), folder.run) == result
    assert snapshot(folder.path) == before


def test_another_configuration_is_refused_and_changes_nothing(done: Done, spec: MakeSpec) -> None:
    folder, _, _ = done
    before = snapshot(folder.path)
    for other, name in ((spec("ppo.gamma=0.5"), r"ppo\.gamma"), (spec(seed=1), "seed")):
        with pytest.raises(UserError, match=name):
            train_stage(other, folder.run)
    assert snapshot(folder.path) == before


def test_an_interrupted_run_continues_to_the_same_result(
    done: Done,
    spec: MakeSpec,
    tmp_path: Path,
    after_updates: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = StageFolder(tmp_path, 1)
    after_updates(lambda learner: os.kill(os.getpid(), signal.SIGTERM))
    steps = []
    for _ in range(3):
        with pytest.raises(Interrupted) as caught:
            train_stage(spec(), tmp_path)
        assert caught.value.exit_code == 143
        assert not folder.metrics.exists()
        steps += [read_manifest(path)["step"] for path in checkpoints(folder.checkpoints)]
    assert steps == [64, 128, 192]
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"ppo\.gamma"):
        train_stage(spec("ppo.gamma=0.5"), tmp_path)
    result = train_stage(spec(), tmp_path)
    whole, expected, _ = done
    assert folder.final_policy.read_bytes() == whole.final_policy.read_bytes()
    assert folder.best_policy.read_bytes() == whole.best_policy.read_bytes()
    for key in ("evaluation", "gate", "baselines", "best_step", "best_score", "evaluations", "timesteps"):
        assert result[key] == expected[key], key
    with (folder.path / "training.csv").open() as file:
        rows = [int(row["step"]) for row in csv.DictReader(file) if row["stage1/train/policy_loss"]]
    assert rows == [64, 128, 192, 256]


def test_a_damaged_checkpoint_stops_before_anything_is_written(
    spec: MakeSpec, tmp_path: Path, after_updates: Callable[..., None]
) -> None:
    after_updates(lambda learner: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted):
        train_stage(spec(), tmp_path)
    (saved,) = checkpoints(StageFolder(tmp_path, 1).checkpoints)
    (saved / "arrays.npz").write_bytes(b"broken")
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match=r"is damaged.*--no-resume"):
        train_stage(spec(), tmp_path)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"identity": 3}'])
def test_a_damaged_result_is_a_user_error(spec: MakeSpec, tmp_path: Path, content: str) -> None:
    folder = StageFolder(tmp_path, 1)
    folder.create()
    folder.final_policy.touch()
    folder.metrics.write_text(content)
    with pytest.raises(UserError, match=r"metrics\.json is damaged.*--no-resume"):
        train_stage(spec(), tmp_path)


def test_without_resume_the_old_run_is_set_aside_and_a_warm_start_is_used(
    done: Done, spec: MakeSpec, tmp_path: Path
) -> None:
    start = done[0].final_policy
    folder = StageFolder(tmp_path, 1)
    folder.create()
    folder.metrics.write_text("old")
    result = train_stage(spec("curriculum.timesteps=64", load=start), tmp_path, resume=False)
    assert (tmp_path / "stage1.old1" / "metrics.json").read_text() == "old"
    assert result["timesteps"] == 64
    assert folder.final_policy.read_bytes() != start.read_bytes()
    assert load_policy(folder.final_policy).hidden == load_policy(start).hidden


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
