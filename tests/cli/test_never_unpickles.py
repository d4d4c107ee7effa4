"""A policy file may come from a stranger: pickles in it, or beside it, are never run by a command of ours."""

from __future__ import annotations

import base64
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "mesozoic" / "policies" / "velociraptor" / "stage1.zip"


class Trap:
    """Makes the file `ran` in the working folder when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("ran",)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A policy that works, as a Stable-Baselines3 archive whose every pickle is a trap."""
    trap = pickle.dumps(Trap())
    path = tmp_path / "final.zip"
    shutil.copy(SHIPPED, path)
    entry = {":type:": "<class 'x'>", ":serialized:": base64.b64encode(trap).decode()}
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data", json.dumps({"policy_class": entry, "observation_space": entry}))
        for name in ("policy.pth", "policy.optimizer.pth", "pytorch_variables.pth"):
            archive.writestr(name, trap)
    for name in ("final_vecnormalize.pkl", "vecnormalize.pkl"):
        (tmp_path / name).write_bytes(trap)
    return path


def test_the_trap_works(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(hostile.parent)
    pickle.loads((hostile.parent / "vecnormalize.pkl").read_bytes())
    assert (hostile.parent / "ran").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("eval", "FILE", "--episodes", "2"),
        ("render", "FILE", "--strip", "strip.png", "--output", "video.mp4"),
        ("render", "FILE", "--html", "replay.html"),
        ("export", "FILE", "--format", "npz", "--check"),
        ("train", "--load", "FILE", "--timesteps", "64", "--n-envs", "2", "ppo.n_steps=32", "ppo.batch_size=64"),
        ("train", "--backend", "sb3", "--load", "FILE", "--timesteps", "64", "--n-envs", "2", "ppo.n_steps=32",
         "ppo.batch_size=64"),
    ],
    ids=["eval", "render", "replay", "export", "train", "train sb3"],
)  # fmt: skip
def test_no_command_runs_it(hostile: Path, words: tuple[str, ...]) -> None:
    episodes = ["env.max_episode_steps=20", "curriculum.min_avg_episode_length=0"]
    gate = ["curriculum.eval_episodes=8", "curriculum.min_success_low=0.1"]
    command = [sys.executable, "-m", "mesozoic", *(str(hostile) if word == "FILE" else word for word in words)]
    command += [*episodes, *gate, "--output-dir", "run"] if words[0] == "train" else ["--override", *episodes]
    done = subprocess.run(command, cwd=hostile.parent, capture_output=True, text=True, timeout=300)
    assert not (hostile.parent / "ran").exists()
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == (2 if "sb3" in words else 0), done.stderr  # it was trained by the other learner
