"""The same search on W&B: its config means the same, and its agents run trials that say what they are worth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("wandb", reason="needs the extra [sweep]")
yaml = pytest.importorskip("yaml", reason="needs the extra [sweep]")

from support.wandb_server import WandbServer  # noqa: E402

from mesozoic.cli.app import main  # noqa: E402
from mesozoic.errors import UserError  # noqa: E402
from mesozoic.run.sinks import Outcome, Place, Sink  # noqa: E402
from mesozoic.sweep.engines.wandb import wandb_config  # noqa: E402
from mesozoic.sweep.plan import SweepPlan, SweepRequest, plan_sweep  # noqa: E402
from mesozoic.sweep.trial_record import State, TrialRecord, read_trial  # noqa: E402
from mesozoic.sweep.wandb_file import read_sweep  # noqa: E402
from mesozoic.sweep.wandb_format import read_wandb  # noqa: E402
from mesozoic.sweep.wandb_line import WandbLine  # noqa: E402

SPACE = {
    "ppo_learning_rate": {"type": "double", "min": 1e-5, "max": 1e-3, "scale": "log"},
    "ppo_gae_lambda": {"type": "double", "min": 0.9, "max": 0.99},
    "ppo_n_epochs": {"type": "integer", "min": 2, "max": 4},
    "ppo_net_arch": {"type": "categorical", "values": ["small", [16, 16]]},
    "seed": {"type": "discrete", "values": [0, 1]},
}
SHIPPED = sorted((Path(__file__).parents[2] / "configs" / "sweeps").glob("*.yaml"))
TINY = (
    "env.max_episode_steps=20",
    "ppo.n_steps=8",
    "ppo.batch_size=32",
    "curriculum.eval_episodes=8",
    "curriculum.min_success_low=0",
    "curriculum.min_avg_episode_length=0",
)


def plan_of(**changes: Any) -> SweepPlan:
    values: dict[str, Any] = {"trials": 3, "timesteps": 1024, "n_envs": 8, "eval_freq": 256, "pruner": "none"}
    return plan_sweep(SweepRequest("velociraptor", 1, text=json.dumps(SPACE), overrides=TINY, **values | changes))


def test_the_sweep_on_wandb_is_the_same_search(tmp_path: Path) -> None:
    plan = plan_of(pruner="hyperband", sampler="random")
    config = wandb_config(plan)
    assert read_wandb(config, "x").everywhere.parameters == plan.parameters
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    found = read_sweep(path)
    assert (found.runs, found.metric) == (3, "sweep/value")
    again = plan_sweep(SweepRequest(file=path))
    assert (again.parameters, again.trials, again.pruner) == (plan.parameters, 3, "hyperband")
    assert (again.spec.species, again.stage, again.budget) == ("velociraptor", 1, 1024)


@pytest.mark.skipif(not SHIPPED, reason="needs a checkout")
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_sweep_file_that_ships_is_read_by_every_engine(path: Path) -> None:
    found = read_sweep(path)
    plan = plan_sweep(SweepRequest(file=path))
    pruner = "hyperband" if "early_terminate" in found.config else "none"
    assert (plan.trials, plan.pruner) == (found.runs, pruner) and found.metric == "sweep/value"
    assert plan.spec.species in path.stem
    assert set(wandb_config(plan)["parameters"]) == {one.path for one in plan.parameters}


def test_a_pruner_that_wandb_lacks_is_refused() -> None:
    with pytest.raises(UserError, match="no pruner 'asha'"):
        wandb_config(plan_of(pruner="asha"))


class Kept(Sink):
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []
        self.opened: list[Place] = []
        self.ends: list[str] = []

    def open(self, place: Place) -> Sink:
        self.opened.append(place)
        return self

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        self.rows.append((step, dict(metrics)))

    def close(self, outcome: Outcome) -> None:
        self.ends.append(outcome)


def place_of(folder: Path, seed: int, stopped: list[str]) -> Place:
    config = {"curriculum.timesteps": 1000}
    return Place(1, folder / f"seed{seed}" / "stage1", "x", config, 0, lambda _: None, stopped.append)


def record_of(state: State, **more: Any) -> TrialRecord:
    return TrialRecord("abc", "wandb", {}, {}, "score", 2, state=state, reports=[(2000, 1.2)], **more)


def test_all_seeds_of_a_trial_are_one_run_on_wandb(tmp_path: Path) -> None:
    """It ends with the last one, and says mean and lower bound; what stops it stops the training that runs."""
    line, kept = WandbLine("abc"), Kept()
    stopped: tuple[list[str], list[str]] = ([], [])
    opens = line.sink(kept.open)
    for seed in (0, 1):
        sink = opens(place_of(tmp_path, seed, stopped[seed]))
        line.report(1000 * seed + 250, 0.9)
        sink.write(250, {"eval/score": 1.0})
        sink.write(300, {"train/loss": 1.0})
        sink.close("finished")
        assert kept.ends == [] and len(kept.opened) == 1
    kept.opened[0].stop("by W&B")
    assert stopped == ([], ["by W&B"])
    line.ended(record_of("budget", value=1.2, lower=0.7))
    assert [(step, row.get("sweep/value")) for step, row in kept.rows] == [
        *((250, 0.9), (300, None), (1250, 0.9), (1300, None), (2000, 1.2))
    ]
    assert kept.rows[-1][1] == {"sweep/value": 1.2, "sweep/lower": 0.7}
    assert kept.ends == ["finished"]


@pytest.mark.parametrize(
    ("state", "outcome"), [("pruned", "preempted"), ("pre-empted", "preempted"), ("failed", "failed")]
)
def test_a_trial_that_did_not_run_to_its_end_ends_its_run_as_what_it_was(
    tmp_path: Path, state: State, outcome: str
) -> None:
    line, kept = WandbLine("abc"), Kept()
    line.sink(kept.open)(place_of(tmp_path, 0, [])).close("finished")
    line.ended(record_of(state))
    assert kept.ends == [outcome]
    line.ended(record_of(state))
    WandbLine("abc").ended(record_of("passed"))  # it was over before, and no run was begun
    assert kept.ends == [outcome]


def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["mesozoic", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    captured = capfd.readouterr()
    return int(caught.value.code or 0), captured.out + captured.err


@pytest.mark.e2e
def test_agents_run_the_trials_of_a_sweep_on_wandb(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    fixed = [f"--override={text}" for text in TINY]
    options = ["--trials=2", "--seeds-per-trial=2", "--timesteps=1024", "--n-envs=8", "--eval-freq=256"]
    options += ["--sampler=random", "--pruner=none"]
    space = ["--search-space", json.dumps({name: SPACE[name] for name in SPACE if name != "seed"})]
    code, said = run(monkeypatch, capfd, "sweep", "launch", "--engine=wandb", "--stage=1", *space, *fixed, *options)
    assert code == 0 and "work on it, here or on any machine: mesozoic sweep agent" in said, said
    path = said.split("mesozoic sweep agent ")[1].split()[0]
    out = tmp_path / "out"
    code, said = run(monkeypatch, capfd, "sweep", "agent", path, "--parallel", "2", "--output-dir", str(out))
    assert code == 0 and "FAILED" not in said, said
    assert [one.state for one in server.runs.values()] == ["finished"] * 2
    for one in server.runs.values():
        record = read_trial(out / f"sweep-{path.rpartition('/')[2]}" / one.name)
        assert record is not None and (record.engine, record.id, record.state) == ("wandb", one.name, "budget")
        values = [row["sweep/value"] for row in one.history if "sweep/value" in row]
        assert values == [value for _, value in record.reports]
        assert one.summary["sweep/value"] == record.value and one.summary["sweep/lower"] == record.lower
        assert len(record.results) == 2 and max(row["_step"] for row in one.history) == 2048
        assert record.point["ppo.n_epochs"] == one.parameters["ppo.n_epochs"]
