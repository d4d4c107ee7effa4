"""What is written about `gymnasium.make_vec` runs: the guide's example, and the single-file PPO of the examples."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import mesozoic
from mesozoic.gym.vector_env import DinosaurVectorEnv

ROOT = Path(mesozoic.__file__).parents[1]


def test_it_trains() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra [sb3]")
    threads = torch.get_num_threads()
    short = {"overrides": ["env.max_episode_steps=20", "env.push_interval=0.4", "curriculum.min_avg_episode_length=0"]}
    gymnasium.register("mesozoic-test/Short-v0", vector_entry_point=DinosaurVectorEnv, kwargs=short)
    try:
        means = runpy.run_path(str(ROOT / "examples" / "ppo_one_file.py"))["main"](
            ["--id", "mesozoic-test/Short-v0", "--timesteps", "12000", "--num-envs", "64"]
        )
    finally:
        torch.set_num_threads(threads)
        del gymnasium.registry["mesozoic-test/Short-v0"]
    assert len(means) == 6
    assert np.isfinite(means[-1])


def test_the_example_of_the_guide_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "gymnasium.md").read_text(), flags=re.DOTALL)
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("returns [")
