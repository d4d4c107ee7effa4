"""A window and recorded videos come from Gymnasium's own wrappers; what is missing for them is said in one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import gymnasium
import pytest
from gymnasium.wrappers import RecordVideo

import mesozoic  # noqa: F401 - registers the ids
from mesozoic.errors import UserError
from mesozoic.gym.env import DinosaurEnv

ID = "mesozoic/Trex-Bite-v0"


pytestmark = pytest.mark.usefixtures("opengl")


@pytest.mark.filterwarnings("ignore:.*human.*:UserWarning")
def test_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygame", reason="needs the extra [window]")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = gymnasium.make(ID, render_mode="human")
    env.reset(seed=0)
    env.step(env.action_space.sample())
    assert env.render_mode == "human"
    env.close()


@pytest.mark.filterwarnings("ignore:.*human.*:UserWarning")
def test_a_window_without_pygame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(gymnasium.error.DependencyNotInstalled, match="pygame is not installed"):
        gymnasium.make(ID, render_mode="human").reset(seed=0)
    with pytest.raises(UserError, match=r"use 'rgb_array' or None, or gymnasium\.make, which opens a window"):
        DinosaurEnv(render_mode="human")


def test_a_recorded_video(tmp_path: Path) -> None:
    pytest.importorskip("moviepy", reason="Gymnasium records with it")
    env = RecordVideo(gymnasium.make(ID, render_mode="rgb_array"), str(tmp_path), disable_logger=True)
    env.reset(seed=0)
    for _ in range(10):
        env.step(env.action_space.sample())
    env.close()
    assert [path.suffix for path in tmp_path.iterdir()] == [".mp4"]
