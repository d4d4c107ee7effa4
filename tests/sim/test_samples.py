"""The samples behind every reset: pure, independent and uniform."""

from __future__ import annotations

import numpy as np

from mesozoic.sim.samples import Stream, episode_uniforms


def _draw(seed: int, stream: Stream, worlds: list[int], episodes: list[int], count: int = 64) -> np.ndarray:
    return episode_uniforms(seed, stream, np.array(worlds), np.array(episodes), count)


def test_a_row_depends_on_its_own_world_and_episode_only() -> None:
    rows = _draw(4, Stream.TRAIN, [0, 5, 9], [2, 7, 0])
    np.testing.assert_array_equal(rows[1], _draw(4, Stream.TRAIN, [5], [7])[0])
    np.testing.assert_array_equal(rows[1, :10], _draw(4, Stream.TRAIN, [5], [7], 10)[0])


def test_all_coordinates_matter() -> None:
    rows = [
        _draw(seed, stream, [world], [episode])[0]
        for seed in (0, 1)
        for stream in Stream
        for world in (0, 1)
        for episode in (0, 1)
    ]
    correlation = np.corrcoef(rows)[~np.eye(len(rows), dtype=bool)]
    assert np.abs(correlation).max() < 0.6


def test_samples_are_uniform_on_zero_to_one() -> None:
    samples = _draw(0, Stream.TRAIN, list(range(100)), [3] * 100, 100).ravel()
    assert samples.dtype == np.float32
    assert samples.min() >= 0.0
    assert samples.max() < 1.0
    np.testing.assert_allclose(np.bincount((samples * 10).astype(int)) / 1000, 1.0, atol=0.15)
