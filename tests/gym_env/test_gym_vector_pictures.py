"""Pictures of a batch of worlds: one of each, or of some."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from support.vector_worlds import ID, NEAR_PREY, N, make, moves

from mesozoic.errors import UserError

WRAPPERS = gymnasium.wrappers.vector


@pytest.mark.usefixtures("opengl")
class TestPictures:
    def test_are_one_of_each_world_or_of_some(self) -> None:
        envs = make("SameStep", render_mode="rgb_array")
        envs.reset(seed=0)
        for action in moves(envs, 5):
            envs.step(action)
        every = envs.render()
        assert every is not None and len(every) == N
        assert {(one.shape, one.dtype) for one in every} == {((540, 960, 3), np.dtype(np.uint8))}
        assert len({one.tobytes() for one in every}) == N, "each its own"
        some = envs.render([2, 0])
        assert some is not None
        for one, other in zip(some, (every[2], every[0]), strict=True):
            assert np.abs(one.astype(int) - other).max() <= 2
        with pytest.raises(UserError, match="a world 4 is out of range; give 0 to 3"):
            envs.render([4])
        envs.close()
        envs.close()
        assert make().render() is None

    def test_are_those_of_the_single_world(self) -> None:
        """Over the end of an episode, where the camera begins anew."""
        envs = make(n=2, stage=3, render_mode="rgb_array", overrides=NEAR_PREY)
        one = gymnasium.make(ID, stage=3, render_mode="rgb_array", overrides=NEAR_PREY)
        envs.reset(seed=[4, 6])
        one.reset(seed=6)
        ended = False
        for t, action in enumerate(moves(envs, 45)):
            _, _, terminated, truncated, _ = envs.step(action)
            if ended:
                one.reset()
            else:
                one.step(action[1])
            ended = bool(terminated[1] or truncated[1])
            if t % 11 == 0 or t > 42:
                drawn, expected = envs.render([1]), one.render()
                assert drawn is not None
                np.testing.assert_array_equal(drawn[0], expected)
        envs.close()

    def test_begin_anew_with_an_episode(self) -> None:
        """Also where the first picture of an episode is of a later moment than the last one before."""
        seen = []
        for looked_before in (True, False):
            envs = make("Disabled", n=2, render_mode="rgb_array")
            envs.reset(seed=1)
            for action in moves(envs, 4):
                envs.step(action)
            if looked_before:
                envs.render()
            envs.reset(seed=2, options={"reset_mask": np.array([False, True])})
            for action in moves(envs, 9, seed=1):
                envs.step(action)
            drawn = envs.render([1])
            assert drawn is not None
            seen.append(drawn[0].astype(int))
            envs.close()
        assert np.abs(seen[0] - seen[1]).max() <= 2

    @pytest.mark.filterwarnings("ignore:.*same-step.*:UserWarning", "ignore:.*Overwriting.*:UserWarning")
    def test_are_recorded_by_gymnasium(self, tmp_path: Path) -> None:
        pytest.importorskip("moviepy", reason="Gymnasium records with it")
        envs = WRAPPERS.RecordVideo(make(n=2, render_mode="rgb_array"), str(tmp_path), disable_logger=True)
        envs.reset(seed=0)
        for action in moves(envs, 5):
            envs.step(action)
        envs.close()
        assert [path.suffix for path in tmp_path.iterdir()] == [".mp4"]
