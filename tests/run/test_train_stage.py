"""A whole stage: its files, its interrupts, and what running it again does."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mesozoic.curricula.gate import Criterion, Verdict
from mesozoic.errors import Interrupted, Stopped, UserError
from mesozoic.learn.kinds import LearnerKind
from mesozoic.learn.learner import Diverged
from mesozoic.learn.policy import load_policy
from mesozoic.run import train_stage as module
from mesozoic.run.checkpoint import checkpoints, load_state, read_manifest, save_checkpoint
from mesozoic.run.curriculum import results_table
from mesozoic.run.display import Quiet
from mesozoic.run.folder import StageFolder, start_of
from mesozoic.run.sinks import Outcome, Place, Sink
from mesozoic.run.stage_spec import StageSpec
from mesozoic.run.stop import TimeLimit
from mesozoic.run.train_stage import train_stage
from mesozoic.sim.batch_env import BatchEnv
from mesozoic.sim.samples import Stream

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

            def learn_then(*args: Any) -> Any:
                metrics = learn(*args)
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


class Lines(Quiet):
    """A reporter that keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


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


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


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


def test_a_limit_of_time_stops_with_a_checkpoint(spec: MakeSpec, tmp_path: Path) -> None:
    folder, said = StageFolder(tmp_path, 1), Lines()
    over = TimeLimit(1.0, began=time.monotonic() - 3600.0)
    with pytest.raises(Stopped, match="limit of 1 hours is over") as caught:
        train_stage(spec(), tmp_path, limit=over, reporter=said)
    assert caught.value.exit_code == 75
    assert [read_manifest(path)["step"] for path in checkpoints(folder.checkpoints)] == [64]
    assert any("run again to go on" in line for line in said.lines)
    assert train_stage(spec(), tmp_path, limit=TimeLimit(1.0))["timesteps"] == 256


@pytest.mark.parametrize("hours", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_that_makes_no_sense_is_refused(hours: float) -> None:
    with pytest.raises(UserError, match="hours makes no sense"):
        TimeLimit(hours)


class Watched(Sink):
    """A sink that notes how it ends."""

    def __init__(self, place: Place) -> None:
        self.place, self.steps, self.outcomes = place, [], []

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        self.steps.append(step)
        if step == 128 and self.stop_at_128:
            self.place.stop("enough")

    stop_at_128 = False

    def close(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def test_sinks_are_told_how_the_run_ended(
    spec: MakeSpec, tmp_path: Path, after_updates: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Watched] = []

    def opens(place: Place) -> Sink:
        opened.append(Watched(place))
        return opened[-1]

    after_updates(lambda learner: learner.step == 64 and os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        train_stage(spec(), tmp_path, sinks={"watched": opens})
    after_updates(lambda learner: raising(RuntimeError("a bug"))() if learner.step == 192 else None)
    with pytest.raises(RuntimeError, match="a bug"):
        train_stage(spec(), tmp_path, sinks={"watched": opens})
    monkeypatch.undo()
    train_stage(spec(), tmp_path, sinks={"watched": opens})
    assert [sink.outcomes for sink in opened] == [["preempted"], ["failed"], ["finished"]]
    assert [sink.place.step for sink in opened] == [0, 64, 128]
    assert sorted({*opened[1].steps}) == [128]


def test_a_sink_may_ask_the_run_to_stop(spec: MakeSpec, tmp_path: Path) -> None:
    def opens(place: Place) -> Sink:
        sink = Watched(place)
        sink.stop_at_128 = True
        return sink

    with pytest.raises(Stopped, match="stopped: enough"):
        train_stage(spec("curriculum.timesteps=100000"), tmp_path, sinks={"watched": opens})


def test_a_training_that_diverges_ends_with_a_checkpoint_and_says_so_to_its_sinks(
    spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Watched] = []
    real = LearnerKind.make

    def make(*args: Any) -> Any:
        learner = real(*args)
        learn = learner.learn

        def diverging(*args: Any) -> Any:
            if learner.step == 192:
                raise Diverged(learner.step, 3e-4, "the loss")
            return learn(*args)

        learner.learn = diverging  # type: ignore[method-assign]
        return learner

    monkeypatch.setattr(LearnerKind, "make", make)

    def opens(place: Place) -> Sink:
        opened.append(Watched(place))
        return opened[-1]

    with pytest.raises(Diverged, match=r"192 steps.*0\.0003") as caught:
        train_stage(spec(), tmp_path, sinks={"watched": opens})
    assert caught.value.exit_code == 2
    assert opened[0].outcomes == ["failed"]
    assert read_manifest(checkpoints(StageFolder(tmp_path, 1).checkpoints)[-1])["step"] == 192
    assert not StageFolder(tmp_path, 1).metrics.exists()


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


def test_without_resume_a_run_may_start_from_its_own_policy(done: Done, spec: MakeSpec, tmp_path: Path) -> None:
    shutil.copytree(done[0].run, tmp_path / "run")
    own = StageFolder(tmp_path / "run", 1)
    load = start_of(own.run, own.run, 1)
    identity = spec(load=load).to_json()
    result = train_stage(spec("curriculum.timesteps=64", load=load), own.run, resume=False)
    assert result["identity"]["load"] == identity["load"] is not None
    assert (own.run / "stage1.old1" / "models" / "stage1_final.zip").read_bytes() == done[0].final_policy.read_bytes()
    assert json.loads(own.metrics.read_text())["timesteps"] == 64


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
