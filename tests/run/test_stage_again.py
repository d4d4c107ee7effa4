"""A stage that is run again: reported, gone on with, refused, or set aside."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support.stage_runs import Done, Lines, MakeSpec, forbid_training, raising, snapshot

from mesozoic.errors import Interrupted, UserError
from mesozoic.learn.kinds import LearnerKind
from mesozoic.learn.policy import load_policy
from mesozoic.run.checkpoint import checkpoints, load_state, read_manifest, save_checkpoint
from mesozoic.run.curriculum import run_curriculum
from mesozoic.run.folder import StageFolder, start_of
from mesozoic.run.results_table import RESULTS_FILE
from mesozoic.run.train_stage import train_stage


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
        steps.append(read_manifest(checkpoints(folder.checkpoints)[-1])["step"])
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


def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_two_stop(
    done: Done, spec: MakeSpec, tmp_path: Path, after_updates: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    after_updates(lambda learner: os.kill(os.getpid(), signal.SIGINT))
    for _ in range(2):
        with pytest.raises(Interrupted):
            train_stage(spec(), tmp_path)
    first, second = checkpoints(StageFolder(tmp_path, 1).checkpoints)
    contents = first.read_bytes(), second.read_bytes()
    for path in (first, second):
        path.write_bytes(b"broken")
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match=r"is damaged.*--no-resume"):
        train_stage(spec(), tmp_path)
    assert snapshot(tmp_path) == before
    first.write_bytes(contents[0])
    second.write_bytes(contents[1][:-1])
    monkeypatch.undo()
    said = Lines()
    train_stage(spec(), tmp_path, reporter=said)
    assert StageFolder(tmp_path, 1).final_policy.read_bytes() == done[0].final_policy.read_bytes()
    (warning,) = [line for line in said.lines if "is damaged" in line]
    assert second.name in warning and "the one before is whole" in warning


def test_a_run_that_only_began_is_refused_with_another_configuration(
    spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(LearnerKind, "make", raising(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            train_stage(spec(), tmp_path)
    folder = StageFolder(tmp_path, 1)
    assert folder.config.exists() and not checkpoints(folder.checkpoints)
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match=r"ppo\.gamma.*--output-dir"):
        train_stage(spec("ppo.gamma=0.5"), tmp_path)
    assert snapshot(tmp_path) == before
    train_stage(spec("curriculum.save_freq=64"), tmp_path)


def test_a_run_of_an_earlier_version_is_refused_half_done_and_reported_finished(
    done: Done, spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    shutil.copytree(done[0].run, run)
    folder = StageFolder(run, 1)
    for path in checkpoints(folder.checkpoints):
        path.unlink()
    (folder.checkpoints / "step-000000000256").mkdir()
    with monkeypatch.context() as patch:
        forbid_training(patch)
        assert train_stage(spec(), run)["timesteps"] == 256
    folder.metrics.unlink()
    before = snapshot(run)
    with pytest.raises(UserError, match=r"are folders, of an earlier version.*--no-resume"):
        train_stage(spec(), run)
    assert snapshot(run) == before


def test_a_run_that_does_not_know_a_later_key_goes_on_with_its_default(
    done: Done, spec: MakeSpec, tmp_path: Path, after_updates: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    after_updates(lambda learner: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        train_stage(spec(), tmp_path)
    monkeypatch.undo()
    folder = StageFolder(tmp_path, 1)
    (saved,) = checkpoints(folder.checkpoints)
    manifest, record = read_manifest(saved), json.loads(folder.config.read_text())
    for facts in (manifest, record):
        assert facts["identity"].pop("jax.mirror") is True
    save_checkpoint(folder.checkpoints, 64, load_state(saved), manifest)
    folder.config.write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"jax\.mirror = True, now it is False"):
        train_stage(spec("jax.mirror=false"), tmp_path)
    train_stage(spec(), tmp_path)
    assert folder.final_policy.read_bytes() == done[0].final_policy.read_bytes()


def test_a_moved_run_reports_where_it_is_now(done: Done, spec: MakeSpec, tmp_path: Path) -> None:
    shutil.copytree(done[0].run, tmp_path / "copy")
    result = train_stage(spec(), tmp_path / "copy")
    for key in ("final_policy", "best_policy"):
        assert Path(result[key]).is_relative_to(tmp_path / "copy")


def test_a_finished_run_whose_policy_is_cut_gets_it_back_from_its_checkpoint(
    done: Done, spec: MakeSpec, tmp_path: Path
) -> None:
    shutil.copytree(done[0].run, tmp_path / "copy")
    folder = StageFolder(tmp_path / "copy", 1)
    for content in (b"", done[0].final_policy.read_bytes()[:-50]):
        folder.final_policy.write_bytes(content)
        train_stage(spec(), folder.run)
        assert folder.final_policy.read_bytes() == done[0].final_policy.read_bytes()


def test_the_best_policy_comes_back_from_the_checkpoint(
    done: Done, spec: MakeSpec, tmp_path: Path, after_updates: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after it wrote a better policy, a run goes on from before that."""
    folder = StageFolder(tmp_path, 1)
    after_updates(lambda learner: learner.step == 192 and os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        train_stage(spec(), tmp_path)
    best = load_state(checkpoints(folder.checkpoints)[-1])["recorder"]["best"]["best_model.zip"]
    folder.best_policy.write_bytes(b"a later one, perhaps torn")
    (folder.models / "best_model_vecnormalize.pkl").write_bytes(b"of it")
    monkeypatch.undo()
    seen: list[bytes] = []
    after_updates(lambda learner: seen.append(folder.best_policy.read_bytes()))
    train_stage(spec(), tmp_path)
    assert seen[0] == best
    assert folder.best_policy.read_bytes() == done[0].best_policy.read_bytes()
    assert not (folder.models / "best_model_vecnormalize.pkl").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"identity": 3}'])
def test_a_damaged_result_is_a_user_error(spec: MakeSpec, tmp_path: Path, content: str) -> None:
    folder = StageFolder(tmp_path, 1)
    folder.create()
    folder.final_policy.touch()
    folder.metrics.write_text(content)
    with pytest.raises(UserError, match=r"metrics\.json is damaged.*--no-resume"):
        train_stage(spec(), tmp_path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("evaluation", None),
        ("evaluation/success", None),
        ("evaluation/success_low", "0.5"),
        ("evaluation/success", float("nan")),
        ("baselines/statue", {}),
        ("baselines/random/success", [1]),
        ("timesteps", 10**400),
        ("wall_seconds", float("inf")),
        ("stage_passed", "yes"),
        ("stage_name", "\x1b[2J"),
        ("stage", 2),
        ("gate", {}),
        ("gate/0/name", "\nerror: forged"),
        ("gate/0/value", "1"),
        ("identity/backend", None),
    ],
)
def test_a_result_with_a_part_that_is_missing_or_another_is_a_user_error(
    done: Done, spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, value: object
) -> None:
    shutil.copytree(done[0].run, tmp_path / "run")
    folder = StageFolder(tmp_path / "run", 1)
    result = json.loads(folder.metrics.read_text())
    *parents, last = [int(part) if part.isdigit() else part for part in place.split("/")]
    holder = result
    for part in parents:
        holder = holder[part]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    folder.metrics.write_text(json.dumps(result))
    forbid_training(monkeypatch)
    with pytest.raises(UserError, match=r"metrics\.json is damaged.*--no-resume") as caught:
        train_stage(spec(), tmp_path / "run")
    assert str(caught.value).isprintable()


def test_a_finished_run_whose_policy_is_empty_or_cut_is_not_reported_as_done(
    done: Done, spec: MakeSpec, tmp_path: Path
) -> None:
    """With its last checkpoint the policy is made again, without it is refused."""
    whole = done[0].final_policy.read_bytes()
    for content in (b"", whole[:1000]):
        run = tmp_path / f"run{len(content)}"
        shutil.copytree(done[0].run, run)
        folder = StageFolder(run, 1)
        folder.final_policy.write_bytes(content)
        assert train_stage(spec(), run)["final_policy"] == str(folder.final_policy)
        assert folder.final_policy.read_bytes() == whole
        folder.final_policy.write_bytes(content)
        shutil.rmtree(folder.checkpoints)
        with pytest.raises(UserError, match=r"stage1_final\.zip is not a readable policy"):
            train_stage(spec(), run)


def test_a_folder_that_was_moved_reports_where_it_is_now(
    done: Done, spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(done[0].run, tmp_path / "moved")
    forbid_training(monkeypatch)
    (result,) = run_curriculum([spec()], tmp_path / "moved")
    folder = StageFolder(tmp_path / "moved", 1)
    assert (result["final_policy"], result["best_policy"]) == (str(folder.final_policy), str(folder.best_policy))
    with (tmp_path / "moved" / RESULTS_FILE).open(newline="") as table:
        assert [row["final_policy"] for row in csv.DictReader(table)] == [str(folder.final_policy)]


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


def test_without_resume_a_run_may_start_from_its_own_policy(done: Done, spec: MakeSpec, tmp_path: Path) -> None:
    shutil.copytree(done[0].run, tmp_path / "run")
    own = StageFolder(tmp_path / "run", 1)
    load = start_of(own.run, own.run, 1)
    identity = spec(load=load).to_json()
    result = train_stage(spec("curriculum.timesteps=64", load=load), own.run, resume=False)
    assert result["identity"]["load"] == identity["load"] is not None
    assert (own.run / "stage1.old1" / "models" / "stage1_final.zip").read_bytes() == done[0].final_policy.read_bytes()
    assert json.loads(own.metrics.read_text())["timesteps"] == 64
