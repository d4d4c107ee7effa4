"""Gymnasium's pictures show what a video shows: the animal in the frame, its prey or food, and what pushes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

import mesozoic
from mesozoic.gym.env import DinosaurEnv
from mesozoic.rendering.camera import CAMERA_FARTHEST, Lens
from mesozoic.rendering.live import _LiveCamera
from mesozoic.rendering.recording import Target
from mesozoic.rendering.scene import push_arrows

SHORT = ["env.max_episode_steps=100", "curriculum.min_avg_episode_length=0"]
QUIET = ["env.push_velocity_min=0", "env.push_velocity_max=0"]
PUSHED = [*SHORT, "env.push_interval=1.0", "env.push_velocity_min=0.2", "env.push_velocity_max=0.2"]


pytestmark = pytest.mark.usefixtures("opengl")


@pytest.fixture
def env(request: pytest.FixtureRequest) -> Iterator[DinosaurEnv]:
    species, stage, *overrides = request.param
    env = DinosaurEnv(species, stage, overrides, render_mode="rgb_array")
    env.reset(seed=0)
    yield env
    env.close()


def strong(picture: NDArray[np.uint8] | None, channel: int) -> int:
    """How many pixels are clearly of one colour: 0 red, 1 green."""
    assert picture is not None
    others = np.delete(picture, channel, axis=2).max(axis=2).astype(int)
    return int((picture[..., channel] - others > 110).sum())


def still(env: DinosaurEnv) -> NDArray[np.float32]:
    return np.zeros(env.action_space.shape or (), dtype=np.float32)


@pytest.mark.parametrize("env", [("velociraptor", 1, *SHORT, *QUIET)], indirect=True)
def test_pictures_show_the_animal_and_follow_it(env: DinosaurEnv) -> None:
    first = env.render()
    assert first is not None
    assert (first.shape, first.dtype) == ((540, 960, 3), np.uint8)
    assert first.std() > 5 and strong(first, 0) < 500
    for _ in range(10):
        env.step(np.ones_like(still(env)))
    second = env.render()
    assert second is not None and (first != second).any()
    env.close()
    env.close()
    assert env.render() is not None  # it opens another
    assert DinosaurEnv(overrides=SHORT).render() is None


ANIMALS = ["velociraptor", "trex", "brachiosaurus"]


@pytest.mark.parametrize("env", [(name, 3, *SHORT) for name in ANIMALS], ids=ANIMALS, indirect=True)
def test_prey_and_food_are_red_until_they_are_reached_and_green_from_then_on(env: DinosaurEnv) -> None:
    before = env.render()
    state = env._env.task_state
    env._env.task_state = state._replace(struck=np.zeros_like(state.struck))
    after = env.render()
    assert strong(before, 0) > 500 > strong(after, 0)
    assert strong(after, 1) > 500 > strong(before, 1)


@pytest.mark.parametrize("env", [("velociraptor", 1, *PUSHED)], indirect=True)
def test_pushes_are_arrows_while_they_act_and_fade_as_in_a_video(env: DinosaurEnv) -> None:
    starts = env._env.task_state.push_start[0]
    velocity = np.zeros((100, 3), np.float32)
    for start, push in zip(starts, env._env.task_state.push_velocity[0], strict=True):
        velocity[start : start + 5, :2] = push
    expected = push_arrows(velocity, env._env.anatomy.dt)
    assert env.config.env.push_duration == pytest.approx(5 * env._env.anatomy.dt)
    drawn = 0
    for t in range(100):
        assert env._pictures._view is None or env._pictures._view._arrow(0, env._env.task_state)[3] == pytest.approx(
            expected[t, 3]
        )
        if expected[t, 3] in (0.0, 1.0) and drawn < 12 and (t % 10 == 0 or t == starts[0] + 2):
            assert (strong(env.render(), 0) > 500) == (expected[t, 3] == 1.0), t
            drawn += 1
        env.step(still(env))
    assert drawn > 3


@pytest.mark.parametrize("env", [("trex", 2), ("brachiosaurus", 3)], ids=["walk", "food"], indirect=True)
def test_all_that_matters_stays_in_the_frame_of_a_walk(env: DinosaurEnv) -> None:
    """What the camera is shown fits into the part of the frame that it may fill."""
    policy = mesozoic.load_policy(env._pictures._species.name, env.config.stage.number)
    observation, _ = env.reset(seed=1)
    env.render()
    view = env._pictures._view
    assert view is not None
    for t in range(150):
        observation, _, terminated, truncated, _ = env.step(policy.act(observation[None])[0])
        if t % 3 == 0:
            env.render()
            camera, pose = view._cameras[0], env._pictures._pose[0]
            assert camera._view is not None
            points = view._scene.outline(pose)[None]
            need = view._scene.lens.distance(points - camera._lookat, camera._view.azimuth)[0]
            assert need <= camera._distance + 1e-9
        assert not (terminated or truncated)


class TestLiveCamera:
    LENS = Lens(azimuth=90.0, elevation=-10.0, fovy=45.0, aspect=16 / 9)
    BODY = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.1, 0.1) for z in (0.0, 0.6)])
    POSE = np.array([0, 0, 0.5, 1, 0, 0, 0], dtype=np.float32)

    def look(self, camera: _LiveCamera, at: float, seconds: float, target: Target | None = None) -> Any:
        pose = self.POSE.copy()
        pose[0] = at
        return camera.look(self.BODY + np.array([at, 0, 0]), pose, seconds, target)

    def test_keeps_up_with_what_walks_steadily(self) -> None:
        camera = _LiveCamera(self.LENS)
        first = self.look(camera, 0.0, 0.0)
        for i in range(1, 200):
            path = self.look(camera, i * 0.04, i * 0.02)  # 2 m/s
        assert path.lookat[0, 0] - first.lookat[0, 0] == pytest.approx(199 * 0.04, abs=0.01)
        assert path.distance[0] == pytest.approx(first.distance[0], rel=0.02)

    def test_is_calm_about_what_shakes(self) -> None:
        camera = _LiveCamera(self.LENS)
        seen = [self.look(camera, 0.05 * (-1) ** i, i * 0.02).lookat[0, 0] for i in range(200)]
        assert np.ptp(seen[100:]) < 0.02

    def test_looking_twice_at_the_same_moment_changes_nothing(self) -> None:
        camera = _LiveCamera(self.LENS)
        self.look(camera, 0.0, 0.0)
        one, two = (self.look(camera, 0.5, 0.02) for _ in range(2))
        assert np.array_equal(one.lookat, two.lookat) and np.array_equal(one.distance, two.distance)

    def test_does_not_back_away_for_ever(self) -> None:
        camera = _LiveCamera(self.LENS)
        near = Target(np.array([2.0, 0.0, 0.3], np.float32), 0.1)
        first = self.look(camera, 0.0, 0.0, near).distance[0]
        for i in range(100):
            path = self.look(camera, -1.0 * i, 0.02 * i, near)
        assert path.distance[0] <= CAMERA_FARTHEST * first + 1e-9


def test_a_picture_needs_a_reset() -> None:
    with pytest.raises(gymnasium.error.ResetNeeded, match="before render"):
        DinosaurEnv(render_mode="rgb_array").render()


def test_a_copy_draws_pictures_of_its_own() -> None:
    import copy

    env = DinosaurEnv("velociraptor", 3, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(still(env))
    first = env.render()
    other = copy.deepcopy(env)
    env.close()
    second = other.render()
    assert first is not None and second is not None
    assert np.abs(first.astype(int) - second).max() <= 2
    other.close()
