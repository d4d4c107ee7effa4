"""Replay pages carry recorded episodes in few bytes, failures first, and show them without physics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_play_file import FORBIDDEN, parcel_in

from mesozoic.config import parse_overrides
from mesozoic.errors import UserError
from mesozoic.evaluation.episodes import run_episodes
from mesozoic.learn.policy import load_policy
from mesozoic.page.motion import pack_motion, unpack_motion
from mesozoic.page.replay import MOST_BYTES, Episode, replay_html
from mesozoic.page.replays import replay_episode, replay_evaluation
from mesozoic.policies import shipped_policy
from mesozoic.rendering.recording import PoseRecorder, Recording, record
from mesozoic.run.evaluation import evaluate_policy
from mesozoic.run.provenance import source_name
from mesozoic.sim.samples import Stream
from mesozoic.species import get_species, load_stage

DRIVER = Path(__file__).with_name("replay_browser.mjs")


def short(steps: int) -> list[str]:
    """Overrides for episodes of so many control steps."""
    return [f"env.max_episode_steps={steps}", "curriculum.min_avg_episode_length=0"]


def recorded(count: int, *overrides: str) -> tuple[Any, list[Recording]]:
    """Episodes of the shipped velociraptor's walk, and their recordings."""
    policy, species = load_policy(shipped_policy("velociraptor", 2)), get_species("velociraptor")
    config = load_stage("velociraptor", 2, parse_overrides([*short(60), *overrides]))
    poses = PoseRecorder()
    run = run_episodes(policy.act, species, config, 0, Stream.EVAL, count, poses=poses)
    return run, poses.recordings()


def test_poses_are_packed_within_half_a_unit_and_small() -> None:
    """Rounding does not add up over the steps: 1 mm, 0.2 mm of height and 0.1 mrad."""
    _, (recording, *_) = recorded(1)
    motion = pack_motion(recording.qpos)
    off = np.abs(unpack_motion(motion, len(recording.qpos)) - recording.qpos).max(axis=0)
    assert off[:2].max() <= 5.1e-4 and off[2] <= 1.1e-4 and off[3:].max() <= 5.1e-5
    assert len(motion.data) == 2 * recording.qpos.shape[1] * recording.steps


def test_what_moves_far_is_packed_with_larger_units() -> None:
    """Neither a long walk nor a body that is thrown away leaves the range of 16 bits."""
    far = np.zeros((4, 9))
    far[:, 0] = [0.0, 40.0, 39.0, 90.0]
    far[:, 4] = [1.0, 1.0, -1.0, 1.0]
    back = unpack_motion(pack_motion(far), 4)
    assert np.abs(back[:, 0] - far[:, 0]).max() < 2e-3 and np.abs(back[:, 4] - far[:, 4]).max() < 1e-4


def test_what_is_recorded_beside_an_evaluation_is_the_episode_itself() -> None:
    """World 2 of a batch has the poses, pushes and end that `record` alone gives."""
    run, recordings = recorded(3)
    policy, species = load_policy(shipped_policy("velociraptor", 2)), get_species("velociraptor")
    config = load_stage("velociraptor", 2, parse_overrides([*short(60)]))
    alone = record(species, config, policy.act, 0, episode_world=2)
    assert [one.steps for one in recordings] == run.length.tolist()
    assert alone.ended == recordings[2].ended and alone.steps == recordings[2].steps
    assert np.abs(alone.qpos - recordings[2].qpos).max() < 1e-3
    assert np.array_equal(alone.push_velocity, recordings[2].push_velocity)
    assert recordings[2].foot_load is not None and recordings[2].foot_load.shape == (60, 2)
    assert np.allclose(run.trace.foot_load[:, 2], recordings[2].foot_load)


def test_a_page_of_an_evaluation_shows_failures_first_and_says_why(tmp_path: Path) -> None:
    """Of a policy that is asked for twice its speed: what was not done stands beside each episode."""
    poses = PoseRecorder()
    found = evaluate_policy(
        Path("velociraptor"), 2, episodes=4, overrides=[*short(100), "env.push_velocity_max=0.6"],
        poses=poses,
    )  # fmt: skip
    found.episodes.success[:] = [True, False, True, False]
    done = replay_evaluation(found, poses, Path("velociraptor"), tmp_path / "p.html")
    parcel = parcel_in(tmp_path / "p.html")
    assert done.shown == done.of == 4 and parcel["left_out"] == 0
    assert [one["good"] for one in parcel["episodes"]] == [False, False, True, True]
    assert [one["label"] for one in parcel["episodes"]][:2] == ["seed 0, episode 1", "seed 0, episode 3"]
    assert all(one["why"] and "gate passed" in one["provenance"] for one in parcel["episodes"])
    assert parcel["episodes"][0]["feet"] == ["left", "right"]


def test_a_page_stays_small_and_says_what_it_leaves_out() -> None:
    _, recordings = recorded(2)
    species = get_species("velociraptor")
    episodes = [
        Episode(species, one, f"episode {i}", True, "walked", "raptor", "made up")
        for i, one in enumerate(recordings * 6)
    ]
    page, shown = replay_html("raptor", episodes, most=620_000)
    assert 1 < shown < len(episodes) and len(page) <= 620_000
    whole, shown = replay_html("raptor", episodes)
    assert shown == len(episodes) and len(whole) < MOST_BYTES
    assert replay_html("raptor", episodes)[0] == whole, "equal episodes give equal pages"


def test_names_from_files_stay_text(tmp_path: Path) -> None:
    """They are in packed JSON only, which the page shows by `textContent`."""
    _, (recording, *_) = recorded(1)
    bad = "</script><script>alert(1)</script>"
    page, _ = replay_html(bad, [Episode(get_species("trex"), recording, bad, False, bad, bad, bad)])
    assert "alert(1)" not in page and page.count("</script>") == 3


def test_ghosts_are_the_same_episode(tmp_path: Path) -> None:
    """Of another policy; one of another animal is refused before anything is written."""
    page = tmp_path / "t.html"
    replay_episode(Path("trex"), page, 1, ghosts=[shipped_policy("trex", 2)], overrides=short(30))
    (episode,) = parcel_in(page)["episodes"]
    (ghost,) = episode["ghosts"]
    assert ghost["first"] == episode["first"] and ghost["at"] > episode["at"]
    with pytest.raises(UserError, match="species"):
        replay_episode(Path("trex"), tmp_path / "x.html", 1, ghosts=[shipped_policy("velociraptor", 2)])
    with pytest.raises(UserError, match=r"does not end in \.html"):
        replay_episode(Path("trex"), tmp_path / "x.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["t.html"]


def test_bad_ghosts_and_too_many_episodes_are_said_before_anything_is_evaluated(tmp_path: Path) -> None:
    ghost = str(shipped_policy("velociraptor", 2))
    for words, said in (
        (["--episodes", "4", "--html", "a.html", "--ghost", ghost], "velociraptor"),
        (["--episodes", "5000", "--html", "a.html"], "5000 episodes are too many to be recorded"),
    ):
        command = [sys.executable, "-P", "-m", "mesozoic", "eval", "trex", "--stage", "1", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and done.stdout == "" and said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_names_begin_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders above it, which may be called after somebody, are not in a page that is sent to others."""
    stage = tmp_path / "ada" / "raptor" / "stage2"
    (stage / "models").mkdir(parents=True)
    (stage / "stage_config.json").write_text("{}")
    policy = stage / "models" / "best_model.zip"
    policy.write_bytes(b"")
    run = stage.parent
    names = [source_name(one) for one in (run, stage, policy, Path("trex"))]
    assert names == ["raptor", "raptor/stage2", "raptor/stage2/best_model.zip", "trex"]
    monkeypatch.chdir(run)
    assert (source_name(Path()), source_name(Path("../raptor"))) == ("raptor", "raptor")


def test_it_needs_neither_jax_nor_opengl(tmp_path: Path) -> None:
    blocked = [*FORBIDDEN, "PIL", "glfw", "mujoco.gl_context"]
    commands = [
        ["render", "trex", "--stage", "1", "--html", "a.html", *short(20)],
        ["eval", "trex", "--stage", "1", "--episodes", "2", "--html", "b.html", *short(20)],
    ]
    for words in commands:
        program = (
            f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\n"
            f"sys.argv = ['mesozoic', *{words!r}]\nfrom mesozoic.cli.app import main\nmain()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "page" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"a.html", "b.html"}


@pytest.mark.e2e
def test_a_browser_plays_it(browser: str, tmp_path: Path) -> None:
    """From a file, without one request and one message: the poses are those recorded, at every moment."""
    page = tmp_path / "t.html"
    done = replay_episode(Path("trex"), page, 3, episode=6, ghosts=[shipped_policy("trex", 2)])
    report = subprocess.run(
        [browser, str(DRIVER), str(page)], capture_output=True, text=True, timeout=240, env={**os.environ}
    )
    assert report.returncode == 0, report.stderr
    seen = json.loads(report.stdout)
    assert seen["requests"] == [f"file://{page}"] and seen["console"] == [] and seen["errors"] == []
    assert seen["animals"] == 2 and seen["colours"] > 300
    for moment in seen["moments"]:
        pose = done.first.qpos[round(moment["seconds"] / done.first.dt)]
        assert np.abs(np.array(moment["torso"]) - pose[:3]).max() < 1.1e-3
    assert seen["played"] > seen["paused"], "the clock runs only while it plays"
    assert seen["scrubbed"] == pytest.approx(1.0, abs=0.03)
    assert seen["broken"].startswith("the episodes in this file")
