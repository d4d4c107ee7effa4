"""`mesozoic sweep launch-all`: every stage begins from the winner of the one before, and the same command goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna", reason="needs the extra [sweep]")

from mesozoic.cli.app import main
from mesozoic.cli.sweep_all_command import per_stage
from mesozoic.errors import UserError, sentences_of
from mesozoic.learn.policy import load_policy
from mesozoic.sweep.chain import plans_of
from mesozoic.sweep.chain_state import FILE, REMOTE_FILE
from mesozoic.sweep.plan import SweepRequest
from mesozoic.sweep.sweep_folder import SweepFolder

RATE = {"type": "double", "min": 1e-4, "max": 1e-3, "scale": "log"}
SPACE = {
    "timesteps": 256,
    "n_envs": 8,
    "ppo_learning_rate": RATE,
    "stage1": {"trials": 2, "ppo_net_arch": {"type": "categorical", "values": [[16, 16], [24, 24]]}},
    "stage2": {"trials": 1},
    "stage3": {"trials": 3},
}
TINY = (
    "env.max_episode_steps=20",
    "ppo.n_steps=8",
    "ppo.batch_size=32",
    "curriculum.eval_episodes=8",
    "curriculum.min_success_low=0",
    "curriculum.min_avg_episode_length=0",
    "curriculum.warmup_timesteps=0",
)


def words(folder: Path, *more: str) -> list[str]:
    fixed = [f"--override={text}" for text in TINY]
    options = ["--species=velociraptor", "--eval-freq=128", "--parallel=1", "--trials-stage3", "1"]
    space = ["--search-space", json.dumps(SPACE)]
    return ["sweep", "launch-all", *options, *space, *fixed, "--output-dir", str(folder), *more]


def call(folder: Path, *more: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "mesozoic", *words(folder, *more)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.e2e
def test_three_stages_each_from_the_winner_before(tmp_path: Path) -> None:
    """And another machine that has nothing but the bucket goes on with it."""
    pytest.importorskip("fsspec", reason="a bucket needs fsspec")
    folder, bucket = tmp_path / "chain", tmp_path / "bucket"
    with_bucket = f"--bucket=file://{bucket}"
    code, said = call(folder, with_bucket)
    assert code == 0, said
    state = json.loads((folder / FILE).read_text())
    assert json.loads((bucket / "sweeps" / "velociraptor" / REMOTE_FILE).read_text()) == state
    assert len((bucket / "sweeps" / "velociraptor" / "_stage1_results.csv").read_text().splitlines()) == 3
    stages = state["stages"]
    assert [one["stage"] for one in stages] == [1, 2, 3] and state["job"] == {}
    records = {stage: SweepFolder(folder).records(stage) for stage in (1, 2, 3)}
    assert {stage: len(found) for stage, found in records.items()} == {1: 2, 2: 1, 3: 1}
    arch = stages[0]["net_arch"]
    for stage in (2, 3):
        spec = records[stage]["1"].spec
        before = stages[stage - 2]
        assert before["policy"] == f"stage{stage - 1}/{before['trial']}/models/stage{stage - 1}_final.zip"
        assert spec["load"] == str(folder / before["policy"])
        assert arch in spec["overrides"]
    widths = load_policy(folder / stages[2]["policy"]).hidden
    assert arch == f"ppo.net_arch={list(widths)}"
    assert "mesozoic curriculum velociraptor --override 'ppo.net_arch=[" in said
    assert "1.ppo.learning_rate=" in said and "3.ppo.learning_rate=" in said
    other = tmp_path / "other machine"
    code, again = call(other, with_bucket)
    assert code == 0 and "stage 2 is over: trial 1" in again and "trial 1 on worker" not in again
    assert (other / stages[2]["policy"]).read_bytes() == (folder / stages[2]["policy"]).read_bytes()
    code, fresh = call(folder, "--no-resume", "--timesteps-stage1=128")
    assert code == 0 and f"is kept as {folder}.old1" in fresh and "trial 1 on worker" in fresh


def test_every_stage_is_checked_before_the_first_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    space = {
        "stage1": {"ppo_gamma": {**RATE, "max": 2.0}},
        "stage2": {"ppo_net_arch": {"type": "categorical", "values": ["small"]}},
        "stage3": {"ppo_vf_coef": {**RATE, "max": 9e9}},
    }
    monkeypatch.setattr("sys.argv", ["mesozoic", "sweep", "launch-all", "trex", "--search-space", json.dumps(space)])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main()
    said = capsys.readouterr().err
    assert caught.value.code == 2 and "3 things are wrong" in said
    assert "stage 1: --search-space, " not in said and "stage 1: --search-space: override 'ppo.gamma=2.0'" in said
    assert "stage 2: ppo.net_arch is searched, but later stages take the network of the one before" in said
    assert "stage 3: --search-space: override 'ppo.vf_coef" in said
    assert list(tmp_path.iterdir()) == []


def test_what_ships_can_be_swept_as_a_chain() -> None:
    """The files that ship search the network in the first stage only."""
    for species in ("velociraptor", "trex", "brachiosaurus"):
        plans_of({stage: SweepRequest(species=species, stage=stage) for stage in (1, 2, 3)})


@pytest.mark.parametrize(
    ("tokens", "found", "left"),
    [
        (["--trials-stage1", "15", "trex"], {("trials", 1): 15}, ["trex"]),
        (["--timesteps-stage12=1e6"], {("timesteps", 12): 1_000_000}, []),
        (["--parallel-stage2", "3", "ppo.gamma=0.9"], {("parallel", 2): 3}, ["ppo.gamma=0.9"]),
    ],
)
def test_options_for_one_stage(tokens: list[str], found: dict[Any, int], left: list[str]) -> None:
    assert per_stage(tokens) == (left, found)


@pytest.mark.parametrize("tokens", [["--trials-stage1", "x"], ["--trials-stage1=0"], ["--trials-stage1"]])
def test_an_option_for_one_stage_without_a_number(tokens: list[str]) -> None:
    with pytest.raises(UserError, match="give for example --trials-stage1 10"):
        per_stage(tokens)


def test_a_stage_that_the_animal_does_not_have(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["mesozoic", "sweep", "launch-all", "trex", "--trials-stage4=2"])
    with pytest.raises(SystemExit):
        main()
    assert "--trials-stage4: trex has no stage 4; it has 1, 2, 3" in capsys.readouterr().err
    with pytest.raises(UserError) as caught:
        plans_of(
            {
                4: SweepRequest(
                    species="trex", stage=4, text='{"ppo_gamma": {"type": "double", "min": 0.9, "max": 0.99}}'
                )
            }
        )
    assert "has no stage 4" in sentences_of(caught.value)[0]
