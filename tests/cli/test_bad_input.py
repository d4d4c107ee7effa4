"""Bad input gets one clear sentence and exit code 2, and nothing is written."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from mesozoic.cli.app import main
from mesozoic.learn.policy import Policy

TINY = ["--timesteps", "256", "--n-envs", "8", "ppo.n_steps=8", "ppo.batch_size=64", "env.max_episode_steps=20"]
TINY += ["curriculum.eval_episodes=8", "curriculum.min_success_low=0.1", "curriculum.min_avg_episode_length=0"]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of the command line, run in this process."""
    monkeypatch.setattr(sys, "argv", ["mesozoic", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def policy_file(path: Path, species: str = "velociraptor", size: int = 57) -> Path:
    arrays = {
        "norm/mean": np.zeros(size, np.float32),
        "norm/std": np.ones(size, np.float32),
        "actor/0/kernel": np.zeros((size, 14), np.float32),
        "actor/0/bias": np.zeros(14, np.float32),
    }
    path.write_bytes(Policy(species, 1, (("everything", size),), "elu", arrays).to_bytes())
    return path


@pytest.mark.parametrize(
    ("arguments", "phrases"),
    [
        (["velocirapter"], ["unknown species 'velocirapter'", "did you mean 'velociraptor'"]),
        (["velociraptor", "trex"], ["two species"]),
        (["--stage", "7"], ["no stage 7", "it has"]),
        (["ppo.learning_rte=1e-4"], ["ppo.learning_rte", "did you mean 'ppo.learning_rate'"]),
        (["--override", "pppo.gamma=0.9"], ["pppo", "did you mean 'ppo'"]),
        (["--ppo_learning_rte", "1e-4"], ["did you mean 'ppo.learning_rate'"]),
        (["--ppo.gamma"], ["needs a value"]),
        (["ppo.learning_rate=fast"], ["ppo.learning_rate", "number", "'fast'"]),
        (["--ppo.n_steps=3.5"], ["ppo.n_steps", "integer", "3.5"]),
        (["ppo.batch_size=1000"], ["does not divide", "ppo.batch_size = 1000", "set ppo.batch_size="]),
        (["--n-envs", "63", "ppo.batch_size=1024"], ["63 * ", "does not divide"]),
        (["--backend", "jaxx"], ["unknown backend 'jaxx'", "did you mean 'jax'"]),
        (["--backend", "jax", "--algorithm", "sac"], ["backend 'jax' has no algorithm 'sac'", "ppo"]),
        (["--algorithm", "sacc"], ["unknown algorithm 'sacc'", "did you mean 'sac'"]),
        (["--timestep", "100"], ["unknown option '--timestep'", "did you mean '--timesteps'"]),
        (["--seed", "-1"], ["seed -1", "0 to"]),
        (["curriculum.min_success_low=0.99"], ["cannot be reached with 64 episodes", "raise curriculum.eval_episodes"]),
        (["--load", "nowhere.zip"], ["no policy file nowhere.zip"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value and value[0][:1] in "-vpc" else "",
)
def test_train_refuses(
    arguments: list[str],
    phrases: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_folder = tmp_path / "run"
    assert run(monkeypatch, "train", *arguments, "--output-dir", str(run_folder)) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert "\n" not in error
    for phrase in phrases:
        assert phrase in error
    assert not run_folder.exists()


def test_train_refuses_a_policy_of_another_species(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = policy_file(tmp_path / "other.zip", species="triceratops")
    assert run(monkeypatch, "train", "--load", str(other), "--output-dir", str(tmp_path / "run")) == 2
    assert "of species 'triceratops', not 'velociraptor'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["eval", "render"])
def test_policies_that_cannot_be_used(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.zip").write_text("not a zip")
    (tmp_path / "empty").mkdir()
    mine = policy_file(tmp_path / "mine.zip")
    for arguments, phrase in (
        ([str(tmp_path / "none.zip")], "no policy file"),
        ([str(tmp_path / "text.zip")], "not a readable policy"),
        ([str(tmp_path / "empty")], "holds no policy yet"),
        ([str(mine)], "the policy observes 57 values"),
        ([str(policy_file(tmp_path / "other.zip", "stegosaurus"))], "unknown species 'stegosaurus'"),
    ):
        assert run(monkeypatch, command, *arguments) == 2
        error = capsys.readouterr().err
        assert phrase in error
        assert error.count("\n") == 1


def test_render_wants_the_right_endings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "render", str(tmp_path), "--output", "film.avi") == 2
    assert "does not end in .mp4" in capsys.readouterr().err


def test_output_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    assert run(monkeypatch, "train", *TINY, "--output-dir", str(tmp_path / "file" / "run")) == 2
    assert "give another --output-dir" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_corrupt_checkpoint_and_other_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--output-dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["mesozoic", "train", *TINY, *out])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code in (0, None)
    (tmp_path / "stage1" / "metrics.json").unlink()  # as if it had been killed at the very end

    assert run(monkeypatch, "train", *TINY, "ppo.gamma=0.9", *out) == 2
    assert "ppo.gamma = 0.99, now it is 0.9" in capsys.readouterr().err

    for checkpoint in (tmp_path / "stage1" / "checkpoints").iterdir():
        damaged = bytearray(checkpoint.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        checkpoint.write_bytes(damaged)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert run(monkeypatch, "train", *TINY, *out) == 2
    error = capsys.readouterr().err.strip()
    assert "is damaged" in error
    assert "--no-resume" in error
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    "command", [["train", "--load", "nowhere.zip"], ["curriculum", "--target", "9"]], ids=["train", "curriculum"]
)
def test_subproc_is_accepted_and_explained(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is refused afterwards has nothing to do with it."""
    assert run(monkeypatch, *command, "--subproc", "--output-dir", str(tmp_path / "run")) == 2
    note, error = capsys.readouterr().err.strip().splitlines()
    assert note.startswith("note: --subproc changes nothing") and "bench --peer" in note
    assert error.startswith("error: ") and "subproc" not in error
