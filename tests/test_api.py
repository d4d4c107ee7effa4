"""The Python API does what the command line does, and is there without being loaded."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mesozoic
from mesozoic import api
from mesozoic.cli.app import main
from mesozoic.errors import Stopped, UserError, sentences_of
from mesozoic.policies import shipped_policy
from mesozoic.run.display import Quiet
from mesozoic.run.problems import problems
from mesozoic.run.spec import RunSpec

TINY = (
    *("ppo.n_steps=8", "ppo.batch_size=32", "env.max_episode_steps=20", "curriculum.eval_episodes=8"),
    *("curriculum.min_success_low=0", "curriculum.min_avg_episode_length=0", "curriculum.eval_freq=128"),
)
TRAIN: dict[str, Any] = {"n_envs": 8, "timesteps": 256, "seed": 3, "overrides": TINY, "reporter": Quiet()}
Rows = list[tuple[int, dict[str, float]]]
NAMES = ("train", "curriculum", "evaluate", "render", "load_policy")


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["mesozoic", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, Any], list[tuple[int, dict[str, float]]]]:
    """A run folder, what `train` returned, and what it said meanwhile."""
    run = tmp_path_factory.mktemp("run")
    rows: list[tuple[int, dict[str, float]]] = []
    result = mesozoic.train(
        "velociraptor", checkpoint_dir=str(run), on_metrics=lambda step, row: rows.append((step, row)), **TRAIN
    )
    return run, result, rows


def test_importing_the_package_loads_nothing_heavy_and_its_functions_are_there_for_the_asking() -> None:
    code = "\n".join(
        [
            "import mesozoic, sys",
            "assert {*dir(mesozoic)} >= {'train', 'evaluate'}",
            "assert not {'jax', 'mujoco', 'torch'} & set(sys.modules)",
            f"assert all(callable(getattr(mesozoic, name)) for name in {NAMES})",
            "from mesozoic import evaluate, train, load_policy, render, curriculum",
            "assert evaluate is mesozoic.evaluate",
        ]
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_names_are_those_of_the_package() -> None:
    assert {*NAMES, "__version__"} == set(mesozoic.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        mesozoic.trian  # noqa: B018
    for name in NAMES:
        assert inspect.getdoc(getattr(api, name))


def test_train_does_what_the_command_does(
    trained: tuple[Path, dict[str, Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, result, _ = trained
    words = ["--n-envs", "8", "--timesteps", "256", "--seed", "3", *TINY, "--output-dir", str(tmp_path / "run")]
    assert command(monkeypatch, "train", "velociraptor", *words) == 0
    final = "stage1/models/stage1_final.zip"
    assert (run / final).read_bytes() == (tmp_path / "run" / final).read_bytes()
    assert result["final_policy"] == str(run / final)
    assert result == json.loads((run / "stage1" / "metrics.json").read_text())


def test_metrics_come_as_they_are_made(trained: tuple[Path, Any, list[tuple[int, dict[str, float]]]]) -> None:
    run, _, rows = trained
    steps = [step for step, _ in rows]
    assert steps == sorted(steps) and steps[-1] == 256
    table = (run / "stage1" / "training.csv").read_text().splitlines()
    assert {name for _, row in rows for name in row} == set(table[0].split(",")) - {"step"}


def test_a_function_that_returns_false_stops_the_training_which_goes_on_later(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="on_metrics returned False"):
        mesozoic.train("velociraptor", checkpoint_dir=tmp_path, on_metrics=lambda step, row: False, **TRAIN)
    assert not (tmp_path / "stage1" / "metrics.json").exists()
    assert mesozoic.train("velociraptor", checkpoint_dir=tmp_path, **TRAIN)["timesteps"] == 256


def test_a_function_that_fails_does_not_stop_it(tmp_path: Path) -> None:
    def fail(step: int, row: dict[str, float]) -> None:
        raise ValueError("not mine")

    assert mesozoic.train("velociraptor", checkpoint_dir=tmp_path, on_metrics=fail, **TRAIN)["timesteps"] == 256


def test_mistakes_are_said_as_everywhere_and_nothing_is_written(tmp_path: Path) -> None:
    wrong: dict[str, Any] = {"species": "velociraptor", "seed": -1, "overrides": ("ppo.gama=1", "ppo.gamma=2")}
    for function, spec in (
        (mesozoic.train, RunSpec(stage=1, seed=-1, overrides=wrong["overrides"])),
        (mesozoic.curriculum, RunSpec(seed=-1, overrides=wrong["overrides"])),
    ):
        with pytest.raises(UserError) as caught:
            function(**wrong, checkpoint_dir=tmp_path / "run")
        assert list(sentences_of(caught.value)) == problems(spec)
        assert not (tmp_path / "run").exists()


def test_evaluate_does_what_the_command_does(
    trained: tuple[Path, Any, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained[0]
    found = mesozoic.evaluate(run, episodes=16, seed=5)
    assert command(monkeypatch, "eval", str(run), "--episodes", "16", "--seed", "5", "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found.to_json()))
    assert len(found.episodes.length) == 16
    with pytest.raises(UserError, match="episodes = 0 is out of range"):
        mesozoic.evaluate(run, episodes=0)


def test_load_policy_takes_a_species_a_folder_and_a_file(trained: tuple[Path, dict[str, Any], Any]) -> None:
    run, result, _ = trained
    assert mesozoic.load_policy("trex", stage=2).to_bytes() == api.load_policy(shipped_policy("trex", 2)).to_bytes()
    policy = mesozoic.load_policy(run)
    assert policy.to_bytes() == mesozoic.load_policy(result["final_policy"]).to_bytes()
    assert policy.act(np.zeros((3, policy.observation_size), np.float32)).shape == (3, policy.action_size)
    with pytest.raises(UserError, match="no policy file"):
        mesozoic.load_policy("nowhere.zip")


def test_the_readme_example_runs(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (example,) = [one for one in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "mesozoic.train" in one]
    result = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "runs" / "api" / "stage1" / "metrics.json").is_file()
    assert (tmp_path / "trex.mp4").stat().st_size > 0
