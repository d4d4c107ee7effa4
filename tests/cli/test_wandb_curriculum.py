"""A curriculum inside one W&B run, as a sweep or `WANDB_RUN_ID` makes it: every stage's rows arrive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("wandb", reason="needs the extra [sweep]")

from support.wandb_server import WandbServer

pytestmark = pytest.mark.e2e

TINY = ("--timesteps", "512", "--n-envs", "8", "ppo.n_steps=32", "ppo.batch_size=128", "env.max_episode_steps=50")
EASY = ("curriculum.eval_episodes=8", "curriculum.min_success_low=0.1", "curriculum.min_avg_episode_length=0")


@pytest.mark.parametrize("started_by", ["a person", "a job"])
def test_the_steps_of_later_stages_do_not_go_back(tmp_path: Path, started_by: str) -> None:
    with WandbServer() as server:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        environment |= {**server.environment(tmp_path), "WANDB_RUN_ID": "one-for-all"}
        command = [sys.executable, "-m", "mesozoic", "curriculum", "--wandb", *TINY, *EASY, "--output-dir", "run"]
        if started_by == "a job":
            settings = {"STAGE": "all", "TIMESTEPS": "512", "N_ENVS": "8", "OVERRIDES": " ".join((*TINY[4:], *EASY))}
            environment |= {**settings, "RESULTS": str(tmp_path), "RUN_NAME": "run"}
            command = [sys.executable, "-m", "mesozoic.job"]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr
        assert "warning" not in done.stdout + done.stderr
        (run,) = server.runs.values()
        assert (run.name, run.state) == ("one-for-all", "finished")
        scores = [next(name for name in row if name.endswith("/eval/success")) for row in run.history
                  if "eval/score" in row]  # fmt: skip
        assert {score.partition("/")[0] for score in scores} == {"stage1", "stage2", "stage3"}
        for stage in (1, 2, 3):
            steps = [row[f"stage{stage}/env_step"] for row in run.history if f"stage{stage}/env_step" in row]
            assert steps == sorted(steps) and steps[0] <= 256 and steps[-1] == 512
