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
from mesozoic.sweep.trial_record import read_trial  # noqa: E402
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


@pytest.mark.parametrize(
    ("changes", "sentence"), [({"pruner": "asha"}, "no pruner 'asha'"), ({"seeds": 2}, "seeds-per-trial 1")]
)
def test_what_wandb_cannot_do_is_refused(changes: dict[str, Any], sentence: str) -> None:
    space = {name: entry for name, entry in SPACE.items() if name != "seed"}
    request = {"trials": 1, "timesteps": 1024, "n_envs": 8, "eval_freq": 256, "pruner": "none", **changes}
    plan = plan_sweep(SweepRequest("velociraptor", 1, text=json.dumps(space), overrides=TINY, **request))
    with pytest.raises(UserError, match=sentence):
        wandb_config(plan)


class Kept(Sink):
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        self.rows.append((step, dict(metrics)))

    def close(self, outcome: Outcome) -> None:
        """Nothing is open."""


def test_a_gate_that_is_passed_is_worth_more_on_wandb_as_well(tmp_path: Path) -> None:
    line, kept = WandbLine("abc"), Kept()
    config = {"curriculum.timesteps": 1000}
    place = Place(1, tmp_path / "seed0" / "stage1", "x", config, 0, lambda _: None, lambda _: None)
    sink = line.sink(lambda _: kept, "score")(place)
    line.report(250, 0.9)
    sink.write(250, {"eval/score": 1.0})
    sink.write(250, {"stage1/certification/passed": 0.0})
    sink.write(250, {"stage1/certification/passed": 1.0})
    sink.write(300, {"train/loss": 1.0})
    assert [row.get("sweep/value") for _, row in kept.rows] == [0.9, None, 1.75, None]


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
    options = ["--trials=3", "--timesteps=1024", "--n-envs=8", "--eval-freq=256", "--sampler=random", "--pruner=none"]
    space = ["--search-space", json.dumps(SPACE)]
    code, said = run(monkeypatch, capfd, "sweep", "launch", "--engine=wandb", "--stage=1", *space, *fixed, *options)
    assert code == 0 and "work on it, here or on any machine: mesozoic sweep agent" in said, said
    path = said.split("mesozoic sweep agent ")[1].split()[0]
    out = tmp_path / "out"
    code, said = run(monkeypatch, capfd, "sweep", "agent", path, "--parallel", "2", "--output-dir", str(out))
    assert code == 0 and "FAILED" not in said, said
    assert [one.state for one in server.runs.values()] == ["finished"] * 3
    for one in server.runs.values():
        record = read_trial(out / f"sweep-{path.rpartition('/')[2]}" / one.name)
        assert record is not None and (record.engine, record.id, record.state) == ("wandb", one.name, "budget")
        values = [row["sweep/value"] for row in one.history if "sweep/value" in row]
        assert values == [value for _, value in record.reports]
        assert record.point["ppo.n_epochs"] == one.parameters["ppo.n_epochs"]
        assert record.spec["seed"] == one.parameters["seed"]
