"""W&B gets the replay page and the picture strip of a stage that is over, and no training waits for them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from shutil import copytree

import pytest

from mesozoic.run.sinks import wandb_media
from mesozoic.run.sinks.wandb_media import MediaMaker, wanted

OLD_RUN = Path(__file__).parent / "old_run"
TINY = [
    *("--n-envs", "8", "--timesteps", "64", "ppo.n_steps=8", "ppo.batch_size=32", "env.max_episode_steps=20"),
    *("curriculum.eval_episodes=8", "curriculum.min_success_low=0", "curriculum.min_avg_episode_length=0"),
]


def test_trials_of_a_sweep_send_none() -> None:
    """Nor does who switches them off."""
    assert wanted({}) and wanted({"MESOZOIC_WANDB_MEDIA": "1"})
    assert not wanted({"MESOZOIC_WANDB_MEDIA": "0"}) and not wanted({"WANDB_SWEEP_ID": "abc"})


def test_a_stage_without_a_final_policy_has_none(tmp_path: Path) -> None:
    said: list[str] = []
    assert MediaMaker(tmp_path / "stage1", 1, said.append).make(tmp_path) == {} and said == []


def test_drawing_that_hangs_is_ended_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copytree(OLD_RUN, tmp_path / "run")
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(wandb_media.sys, "executable", str(slow))
    said: list[str] = []
    began = time.monotonic()
    assert MediaMaker(tmp_path / "run" / "stage1", 1, said.append, seconds=0.3).make(tmp_path) == {}
    assert time.monotonic() - began < 5.0
    assert len(said) == 2 and "not drawn within" in said[0] and "no strip" in said[1]


def test_what_cannot_be_drawn_is_one_warning(tmp_path: Path) -> None:
    copytree(OLD_RUN, tmp_path / "run")
    (tmp_path / "run" / "stage1" / "models" / "stage1_final.zip").write_bytes(b"none")
    said: list[str] = []
    assert MediaMaker(tmp_path / "run" / "stage1", 1, said.append).make(tmp_path) == {}
    assert [line.partition(":")[0] for line in said] == [
        f"W&B gets no {name} of this stage" for name in ("replay", "strip")
    ]
    assert "not a readable policy" in said[0]


@pytest.mark.slow
@pytest.mark.e2e
def test_an_offline_run_of_wandb_has_them(opengl: str, tmp_path: Path) -> None:
    """W&B's own files of the run hold a page and a picture."""
    pytest.importorskip("wandb", reason="needs the extra [sweep]")
    pytest.importorskip("PIL", reason="needs the extra [viz]")
    environment = {**os.environ, "MESOZOIC_WANDB_MEDIA": "1", "WANDB_MODE": "offline", "MUJOCO_GL": opengl}
    command = [sys.executable, "-m", "mesozoic", "train", "--wandb", *TINY, "--output-dir", "run"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "no replay" not in done.stderr and "no strip" not in done.stderr, done.stderr
    media = tmp_path / "run" / "stage1" / "wandb"
    (page,) = media.glob("offline-run-*/files/media/html/stage1/replay_*.html")
    (strip,) = media.glob("offline-run-*/files/media/images/stage1/strip_*.png")
    assert 'id="parcel"' in page.read_text(encoding="utf-8") and strip.stat().st_size > 10_000
