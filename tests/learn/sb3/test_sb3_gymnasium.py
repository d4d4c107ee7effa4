"""The single environments pass Stable-Baselines3's own check, without a warning."""

from __future__ import annotations

import warnings

import gymnasium
import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra [sb3]")

from stable_baselines3.common.env_checker import check_env

from mesozoic.gym.registration import register_envs

register_envs()
IDS = sorted(name for name in gymnasium.registry if name.startswith("mesozoic/"))


def test_there_are_three_stages_of_three_animals() -> None:
    assert len(IDS) == 9


@pytest.mark.parametrize("name", IDS)
def test_passes_the_check(name: str) -> None:
    env = gymnasium.make(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=True)
    env.close()
