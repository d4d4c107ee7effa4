"""Gymnasium's own checks pass on the batch of worlds, and its wrappers for vectors work on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils import env_checker
from gymnasium.utils.performance import benchmark_vector_step
from support.vector_worlds import MODES, N, make, moves


@pytest.mark.filterwarnings("ignore:.*infinity:UserWarning")
def test_gymnasiums_own_checks_pass() -> None:
    for mode in MODES:
        envs = make(mode, n=3)
        env_checker.check_reset_seed_determinism(envs)  # type: ignore[arg-type]
        env_checker.check_reset_options(envs)  # type: ignore[arg-type]
        env_checker.check_reset_return_type(envs)  # type: ignore[arg-type]
        env_checker.check_returned_data_not_reused(make(mode, n=1))  # type: ignore[arg-type]
        assert benchmark_vector_step(envs, target_duration=0, seed=0) > 0


def test_gymnasiums_statistics_are_those_of_the_episodes() -> None:
    for mode in MODES:
        envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(make(mode))
        envs.reset(seed=0)
        total, length, seen = np.zeros(N), np.zeros(N, dtype=int), 0
        began = np.zeros(N, dtype=bool)
        for action in moves(envs, 90):
            _, reward, terminated, truncated, infos = envs.step(action)
            total, length = total + reward, length + 1
            if mode == "NextStep":
                total[began], length[began] = 0.0, 0
            ended = began = terminated | truncated
            assert ("episode" in infos) == ended.any()
            if ended.any():
                np.testing.assert_array_equal(infos["_episode"], ended)
                np.testing.assert_allclose(infos["episode"]["r"][ended], total[ended], rtol=1e-5)
                np.testing.assert_array_equal(infos["episode"]["l"][ended], length[ended])
                seen += int(ended.sum())
                if mode != "NextStep":
                    total[ended], length[ended] = 0.0, 0
                if mode == "Disabled":
                    envs.reset(options={"reset_mask": ended})
        assert seen >= 2 * N


WRAPPERS = gymnasium.wrappers.vector
ANY_MODE: list[Callable[[Any], Any]] = [
    WRAPPERS.ClipAction,
    lambda envs: WRAPPERS.RescaleAction(envs, np.float32(-2.0), np.float32(2.0)),
    lambda envs: WRAPPERS.ClipReward(envs, -1.0, 1.0),
    WRAPPERS.NormalizeReward,
    WRAPPERS.DictInfoToList,
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wrap", ANY_MODE)
def test_gymnasiums_wrappers_work(wrap: Callable[[Any], Any], mode: str) -> None:
    envs = wrap(make(mode))
    envs.reset(seed=0)
    for action in moves(envs, 70):
        observation, reward, terminated, truncated, _ = envs.step(action)
        assert observation.shape == envs.observation_space.shape
        assert np.isfinite(reward).all() and np.isfinite(observation).all()
        ended = terminated | truncated
        if mode == "Disabled" and ended.any():
            envs.reset(options={"reset_mask": ended})


def test_observations_are_normalised_by_gymnasiums_wrapper() -> None:
    """Gymnasium allows it with `NextStep` alone, which therefore is what `make_vec` gives unless asked."""
    envs = WRAPPERS.TransformObservation(WRAPPERS.NormalizeObservation(make()), lambda row: np.clip(row, -9, 9))
    rows = [envs.reset(seed=0)[0], *(envs.step(action)[0] for action in moves(envs, 200))]
    late = np.concatenate(rows[100:])
    assert np.abs(late.mean(axis=0)).max() < 0.7 and 0.3 < np.median(late.std(axis=0)) < 2.0
