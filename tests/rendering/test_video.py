"""Videos, strips and the arrow of a push."""

from __future__ import annotations

import importlib
import itertools
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic.config import StageConfig, parse_overrides
from mesozoic.errors import UserError
from mesozoic.evaluation.actors import statue
from mesozoic.rendering import gl, scene, video
from mesozoic.rendering.recording import Recording, Target, record
from mesozoic.rendering.video import render_strip, render_video, strip_moments
from mesozoic.sim.samples import Stream
from mesozoic.species import Species, get_species, load_stage

NAME = "velociraptor"
ACTIONS = 10
ANIMALS = ("velociraptor", "trex", "brachiosaurus")


@pytest.fixture(scope="module")
def species() -> Species:
    return get_species(NAME)


@pytest.fixture(scope="module")
def config() -> StageConfig:
    # The animal may lie down as it likes: these tests are about what is recorded, not about who falls.
    task = ("env.fall_height=0.01", "env.fall_tilt=179.0", "env.push_interval=0.5", "env.max_episode_steps=60")
    return load_stage(NAME, 1, parse_overrides((*task, "curriculum.min_avg_episode_length=0")))


@pytest.fixture(scope="module")
def recording(species: Species, config: StageConfig) -> Recording:
    return record(species, config, statue(species.load_model().nu), seed=3)


@pytest.fixture(scope="module")
def movie(opengl: str, recording: Recording, species: Species, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("movie") / "new folder" / "episode.mp4"
    render_video(recording, species, path, width=320, height=180)
    return path


def made_up(species: Species, push_at: int, steps: int = 100, **more: Any) -> Recording:
    """Standing still, with one push."""
    home = species.load_model().key_qpos[0].astype(np.float32)
    push = np.zeros((steps, 3), dtype=np.float32)
    push[push_at : push_at + 5, 1] = 0.5
    poses = np.repeat(home[None], steps + 1, axis=0)
    return Recording(0.02, poses, push * 100, push, np.zeros(steps, dtype=np.float32), "timeout", **more)


def clear_of_the_edges(frame: NDArray[np.uint8], empty: NDArray[np.uint8]) -> bool:
    """Whether what `frame` shows and `empty` does not is there, and not cut off."""
    differs = np.abs(frame.astype(int) - empty).max(axis=2) > 20  # the floor flickers by less
    return bool(differs.any()) and not np.concatenate([differs[[0, -1]].ravel(), differs[:, [0, -1]].ravel()]).any()


class TestRecord:
    def test_shapes_and_pushes(self, recording: Recording, species: Species, config: StageConfig) -> None:
        model = species.load_model()
        assert recording.ended == "timeout"
        assert recording.steps == config.env.max_episode_steps
        assert recording.qpos.shape == (61, model.nq)
        assert recording.push_force.shape == recording.push_velocity.shape == (60, 3)
        assert recording.reward.shape == (60,)
        assert recording.seconds == pytest.approx(1.2)
        # Two intervals of half a second, one push of five steps in each.
        assert np.count_nonzero(recording.push_force.any(axis=1)) == 10
        speed = np.linalg.norm(recording.push_velocity, axis=1).max() / math.sqrt(9.81 * species.hip_height)
        assert config.env.push_velocity_min <= speed <= config.env.push_velocity_max
        mass = model.body_subtreemass[1]
        assert recording.push_force.sum(axis=0) * 0.02 == pytest.approx(
            mass * recording.push_velocity.sum(axis=0) / 5, rel=1e-3
        )

    def test_equal_seeds_give_equal_episodes(self, recording: Recording, species: Species, config: StageConfig) -> None:
        actor = statue(species.load_model().nu)
        again = record(species, config, actor, seed=3, max_steps=20)
        assert np.array_equal(again.qpos, recording.qpos[:21])
        assert again.ended == "cut"
        for other in (
            record(species, config, actor, seed=4, max_steps=1),
            record(species, config, actor, seed=3, stream=Stream.GATE, max_steps=1),
            record(species, config, actor, seed=3, episode_world=2, max_steps=1),
        ):
            assert not np.array_equal(other.qpos[0], recording.qpos[0])

    def test_a_world_plays_the_episode_that_an_evaluation_counts(self, species: Species) -> None:
        from mesozoic.evaluation.episodes import run_episodes

        stage = load_stage(NAME, 1)
        actor = statue(species.load_model().nu)
        counted = run_episodes(actor, species, stage, seed=5, stream=Stream.EVAL, episodes=3)
        played = record(species, stage, actor, seed=5, episode_world=2)
        assert played.steps == counted.length[2]
        assert float(played.reward.sum()) == pytest.approx(counted.reward[2], rel=1e-5)
        assert played.ended == "+".join(name for name, mask in counted.ends.items() if mask[2]) or "timeout"

    def test_knows_the_target_and_when_it_was_hit(self, species: Species) -> None:
        # Prey at the animal's feet is struck in the first step; it stands through the short hold.
        prey = ("prey_distance_range=[0.1,0.1]", "prey_height_range=[0.2,0.2]", "hold_time=0.1", "reach_radius=0.5")
        overrides = parse_overrides(tuple(f"env.{one}" for one in prey))
        played = record(species, load_stage(NAME, 3, overrides), statue(species.load_model().nu), seed=0)
        assert (played.task, played.ended, played.struck_at) == ("behaviour", "success", 1)
        assert played.steps == 1 + 5
        assert played.reach == pytest.approx(0.25)
        assert played.target is not None
        assert np.linalg.norm(played.target[:2]) == pytest.approx(0.05)
        assert played.target[2] == pytest.approx(0.1)
        before, after = played.target_at(0), played.target_at(1)
        assert before is not None and not before.struck
        assert after is not None and after.struck

    def test_there_is_no_target_without_prey(self, recording: Recording) -> None:
        assert (recording.task, recording.target, recording.struck_at) == ("balance", None, None)
        assert recording.target_at(recording.steps) is None

    def test_speed_is_that_of_the_last_second(self, species: Species) -> None:
        walk = made_up(species, push_at=200)
        walk.qpos[50:, 0] += 0.01 * np.arange(51)
        assert walk.speed(49) is None
        assert walk.speed(50) == 0.0
        assert walk.speed(75) == pytest.approx(0.25)
        assert walk.speed(100) == pytest.approx(0.5)

    @pytest.mark.parametrize("numbers", [{"episode_world": -1}, {"max_steps": 0}])
    def test_refuses_senseless_numbers(self, species: Species, config: StageConfig, numbers: dict[str, int]) -> None:
        with pytest.raises(UserError, match="give"):
            record(species, config, statue(ACTIONS), seed=0, **numbers)


class TestArrow:
    def test_stays_during_the_push_and_fades_after_it(self, species: Species) -> None:
        still = made_up(species, push_at=50)
        arrows = scene.push_arrows(still.push_velocity, still.dt)
        assert not arrows[:50].any()
        assert (arrows[50:56, 3] == 1.0).all()
        assert (np.diff(arrows[55:71, 3]) < 0.0).all()
        assert not arrows[71:].any()
        assert (arrows[50:70, 1] == np.float32(0.5)).all()

    def test_is_drawn_red_and_longer_for_a_stronger_push(self, opengl: str, species: Species) -> None:
        still = made_up(species, push_at=50)
        with scene.SceneRenderer(species, 320, 180) as renderer:
            camera = renderer.camera_path(still.qpos, still.dt)

            def red(push: list[float]) -> int:
                frame = renderer.frame(still.qpos[0], camera, 0, np.array(push)).astype(int)
                assert frame.std() > 10.0
                return int(((frame[..., 0] > 180) & (frame[..., 1:].max(axis=2) < 90)).sum())

            none, weak, strong = red([0, 0, 0, 0]), red([0, 0.3, 0, 1]), red([0, 0.6, 0, 1])
            assert none < 20
            assert weak > none + 40
            assert strong > weak + 40
        renderer.close()

    @pytest.mark.parametrize("name", ANIMALS)
    def test_is_above_the_back(self, opengl: str, name: str) -> None:
        import mujoco

        animal = get_species(name)
        model = animal.load_model()
        data = mujoco.MjData(model)
        data.qpos[:] = model.key_qpos[0]
        mujoco.mj_kinematics(model, data)
        with scene.SceneRenderer(animal, 64, 48) as renderer:
            tail = data.qpos[:3] + np.array([0.0, 0.0, renderer._arrow_lift])
        up, geom = np.array([0.0, 0.0, 1.0]), np.zeros(1, dtype=np.int32)
        assert mujoco.mj_ray(model, data, tail, up, None, 1, -1, geom) == -1.0
        down = mujoco.mj_ray(model, data, tail, -up, None, 1, -1, geom)
        assert 0.05 < down / animal.hip_height < 0.4
        assert model.geom_bodyid[geom[0]] > 0


class TestCamera:
    @pytest.mark.parametrize("size", [(320, 180), (200, 200)])
    @pytest.mark.parametrize("name", ANIMALS)
    def test_all_of_the_animal_is_in_the_frame(self, opengl: str, name: str, size: tuple[int, int]) -> None:
        animal = get_species(name)
        still = made_up(animal, push_at=200, steps=2)
        with scene.SceneRenderer(animal, *size) as renderer:
            camera = renderer.camera_path(still.qpos, still.dt)
            frame = renderer.frame(still.qpos[0], camera, 0, np.zeros(4))
            gone = still.qpos[0].copy()
            gone[2] = -50.0  # under the floor
            assert clear_of_the_edges(frame, renderer.frame(gone, camera, 0, np.zeros(4)))

    @pytest.mark.parametrize("name", ANIMALS)
    @pytest.mark.parametrize("bearing", [-70.0, 0.0, 70.0])
    def test_the_goal_is_in_the_frame_from_the_start_and_comes_nearer(
        self, opengl: str, name: str, bearing: float
    ) -> None:
        animal = get_species(name)
        h, turn = animal.hip_height, math.radians(bearing)
        way = np.array([math.cos(turn), math.sin(turn), 0.0])
        target = Target((way * 5 * h + [0, 0, h]).astype(np.float32), 0.25 * h)
        walk = made_up(animal, push_at=1000, steps=250)
        walk.qpos[:, :2] += np.linspace(0, 4 * h, 251)[:, None] * way[:2]
        with scene.SceneRenderer(animal, 320, 240) as renderer:
            camera = renderer.camera_path(walk.qpos, walk.dt, target)
            for t in (0, 125, 250):
                empty = renderer.frame(walk.qpos[t], camera, t, np.zeros(4))
                assert clear_of_the_edges(renderer.frame(walk.qpos[t], camera, t, np.zeros(4), target), empty)
        assert camera.distance[-1] < 0.95 * camera.distance[0]
        # Calm: the camera backs away and comes nearer by less than its distance in a second.
        assert np.abs(np.diff(camera.distance)).max() < walk.dt * camera.distance.min()

    def test_does_not_follow_a_body_that_flies_off(self, opengl: str, species: Species) -> None:
        lost = made_up(species, push_at=1000, steps=50)
        lost.qpos[50, :3] = 1e6
        with scene.SceneRenderer(species, 64, 48) as renderer:
            camera = renderer.camera_path(lost.qpos, lost.dt)
        assert camera.distance.max() <= 2.0 * renderer.model.stat.extent * 2.0


class TestGoal:
    def test_is_red_until_the_hit_and_green_from_then_on(self, opengl: str, species: Species) -> None:
        still = made_up(species, push_at=200, steps=2)
        open_goal = Target(np.array([0.8, 0.0, 0.3], dtype=np.float32), 0.12)
        with scene.SceneRenderer(species, 320, 180) as renderer:
            camera = renderer.camera_path(still.qpos, still.dt, open_goal)
            colours = []
            for target in (open_goal, open_goal._replace(struck=True)):
                pixels = renderer.frame(still.qpos[0], camera, 0, np.zeros(4), target).astype(int)
                red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
                strong = 60
                colours.append(
                    (int((red - np.maximum(green, blue) > 2 * strong).sum()), int((green - red > strong).sum()))
                )
        (red_before, green_before), (red_after, green_after) = colours
        assert red_before > 100 > 10 > green_before
        assert green_after > 100 > 10 > red_after


class TestCaption:
    def test_names_the_hit_and_the_speed_of_a_walk(self, species: Species) -> None:
        def texts(recording: Recording, t: int) -> list[str]:
            arrow = scene.push_arrows(recording.push_velocity, recording.dt)[t]
            return [text for text, _ in video._notes(recording, t, arrow)]

        point = np.zeros(3, dtype=np.float32)
        strike = made_up(species, push_at=58, task="behaviour", target=point, reach=0.1, struck_at=60)
        assert texts(strike, 57) == []
        assert texts(strike, 59) == ["push 0.50 m/s"]
        assert texts(strike, 60) == ["hit", "push 0.50 m/s"]
        walk = made_up(species, push_at=200, task="locomotion")
        assert texts(walk, 49) == []
        assert texts(walk, 50) == ["0.00 m/s"]


class TestStrip:
    def test_is_a_grid_of_different_pictures(
        self, opengl: str, recording: Recording, species: Species, tmp_path: Path
    ) -> None:
        image = importlib.import_module("PIL.Image")
        path, seen = tmp_path / "strip.png", []
        render_strip(recording, species, path, width=160, height=120, on_frame=lambda *done: seen.append(done))
        with image.open(path) as picture:
            assert picture.format == "PNG"
            pixels = np.asarray(picture)
        assert pixels.shape == (240, 480, 3)
        tiles = [pixels[y : y + 120, x : x + 160] for y in (0, 120) for x in (0, 160, 320)]
        assert all(tile.std() > 10.0 for tile in tiles)
        assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(tiles))
        assert seen == [(i, 6) for i in range(1, 7)]
        assert [file.name for file in tmp_path.iterdir()] == ["strip.png"]

    def test_moments_are_equally_spaced_and_cover_a_push(self, species: Species) -> None:
        assert strip_moments(made_up(species, push_at=18), 6) == [0, 20, 40, 60, 80, 100]
        # The arrow of this one is gone by step 100 but starts after step 50: it lies between the moments.
        assert strip_moments(made_up(species, push_at=52), 3) == [0, 57, 100]
        quiet = made_up(species, push_at=200)
        assert strip_moments(quiet, 3) == [0, 50, 100]
        assert strip_moments(quiet, 1) == [0]

    def test_moments_show_the_hit_and_what_follows(self, species: Species) -> None:
        def moments(struck_at: int, frames: int, push_at: int = 200) -> list[int]:
            return strip_moments(made_up(species, push_at=push_at, struck_at=struck_at), frames)

        assert moments(75, 6) == [0, 20, 40, 60, 75, 100]  # the last is half a second after the hit
        assert moments(31, 6) == [0, 20, 31, 56, 80, 100]
        assert moments(31, 3) == [0, 31, 56]
        assert moments(100, 3) == [0, 50, 100]
        assert moments(62, 1) == [62]
        assert moments(62, 2) == [62, 87]
        assert moments(75, 3, push_at=30) == [35, 75, 100]

    def test_refuses_an_empty_strip(self, recording: Recording, species: Species, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="0 frames"):
            render_strip(recording, species, tmp_path / "strip.png", frames=0)


class TestVideo:
    def test_plays_in_real_time(self, movie: Path, recording: Recording) -> None:
        reader = importlib.import_module("imageio_ffmpeg").read_frames(str(movie))
        facts = next(reader)
        frames = [np.frombuffer(frame, dtype=np.uint8) for frame in reader]
        assert facts["fps"] == 25.0
        assert facts["size"] == (320, 180)
        assert facts["codec"] == "h264"
        assert facts["pix_fmt"].startswith("yuv420p")
        assert len(frames) == 31  # 1.2 s, both ends included
        assert all(frame.std() > 10.0 for frame in frames)
        assert [file.name for file in movie.parent.iterdir()] == ["episode.mp4"]

    def test_failure_leaves_the_old_file_and_nothing_else(
        self, opengl: str, recording: Recording, species: Species, tmp_path: Path
    ) -> None:
        path = tmp_path / "episode.mp4"
        path.write_text("old")

        def stop(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            render_video(recording, species, path, width=64, height=64, fps=50, on_frame=stop)
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_without_the_extra_names_it(
        self, monkeypatch: pytest.MonkeyPatch, recording: Recording, species: Species, tmp_path: Path
    ) -> None:
        monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
        with pytest.raises(UserError, match=r"needs the \[viz\] extra; run pip install 'mesozoic\[viz\]'"):
            render_video(recording, species, tmp_path / "episode.mp4")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("numbers", [{"fps": 60.0}, {"fps": 0.0}, {"width": 321}, {"height": 0}])
    def test_refuses_senseless_numbers(
        self, recording: Recording, species: Species, tmp_path: Path, numbers: dict[str, int]
    ) -> None:
        with pytest.raises(UserError, match="give"):
            render_video(recording, species, tmp_path / "episode.mp4", **numbers)

    def test_refuses_a_place_that_cannot_be_written(
        self, recording: Recording, species: Species, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match=r"cannot write .*; give another path"):
            render_video(recording, species, tmp_path / "file" / "episode.mp4")


def test_importing_is_light_and_rendering_leaves_no_complaints(opengl: str, tmp_path: Path) -> None:
    script = f"""
import sys
from mesozoic.rendering import gl, video
from mesozoic.rendering.recording import record
heavy = {{"mujoco", "imageio_ffmpeg", "PIL"}} & set(sys.modules)
assert not heavy, heavy
from pathlib import Path
from mesozoic.species import load_stage
from mesozoic.evaluation.actors import statue
from mesozoic.species import get_species
animal = get_species("{NAME}")
episode = record(animal, load_stage("{NAME}", 1), statue(animal.load_model().nu), seed=0, max_steps=2)
for _ in range(2):
    video.render_strip(episode, animal, Path("strip.png").absolute(), frames=2, width=64, height=48)
"""
    path = [str(Path(video.__file__).parents[2]), *sys.path]
    environment = {**gl.os.environ, "PYTHONPATH": ":".join(path), "MUJOCO_GL": opengl}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
