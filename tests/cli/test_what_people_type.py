"""Spellings that a person would think of, and paths as a shell reads them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import gymnasium
import pytest

import mesozoic
from mesozoic.cli.app import main
from mesozoic.config import load_file
from mesozoic.errors import UserError
from mesozoic.run.problems import notes, resolve
from mesozoic.run.spec import RunSpec
from mesozoic.species import load_stage, stage_files

TINY = [
    *("--n-envs", "8", "--timesteps", "128", "ppo.n_steps=8", "ppo.batch_size=64", "env.max_episode_steps=20"),
    *("curriculum.eval_episodes=8", "curriculum.min_success_low=0.1", "curriculum.min_avg_episode_length=0"),
]
SHORT = ["env.max_episode_steps=20", "curriculum.min_avg_episode_length=0"]
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code and errors of a command, with a home and a working folder of its own."""
    for name in ("home", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mesozoic", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        return int(caught.value.code or 0), capsys.readouterr().err

    return run


@pytest.mark.parametrize("words", [["--output-dir=~/x"], ["--output-dir", "~/x"]])
def test_a_tilde_is_the_home_folder(run: Run, tmp_path: Path, words: list[str]) -> None:
    assert run("train", *TINY, *words)[0] == 0
    assert (tmp_path / "home" / "x" / "stage1" / "metrics.json").is_file()
    assert list((tmp_path / "here").iterdir()) == []
    assert run("eval", "~/x", "--episodes", "4")[0] == 0
    assert run("render", "~/x", "--no-video", "--strip=~/x.png")[0] == 0
    assert (tmp_path / "home" / "x.png").is_file()
    assert run("train", "--load=~/nothing")[1].startswith(f"error: no policy file {tmp_path / 'home' / 'nothing'}")


@pytest.mark.parametrize("option", ["--output-dir", "--log-dir", "--load"])
@pytest.mark.parametrize(
    ("path", "words"), [("", "a path is ''"), ("x" * 500, "is too long"), ("~no-such-user/x", "nobody")]
)
def test_a_path_that_is_none(run: Run, tmp_path: Path, option: str, path: str, words: str) -> None:
    code, error = run("train", *TINY, option, path)
    assert (code, error.count("\n")) == (2, 1)
    assert error.startswith("error: ") and words in error and len(error) < 300
    assert list((tmp_path / "here").iterdir()) == []


EVERYWHERE = [
    ("bench", "--output"),
    ("render", "trex", "--output"),
    ("render", "trex", "--strip"),
    ("eval", "trex", "--footfalls"),
    ("eval",),
    ("robustness",),
    ("species", "check"),
]


@pytest.mark.parametrize("words", EVERYWHERE, ids=" ".join)
@pytest.mark.parametrize("path", ["", "x" * 500, "~no-such-user/x"])
def test_a_path_that_is_none_is_refused_by_every_command(
    run: Run, tmp_path: Path, words: tuple[str, ...], path: str
) -> None:
    code, error = run(*words, path)
    assert (code, error.count("\n")) == (2, 1) and error.startswith("error: ") and len(error) < 300
    assert list((tmp_path / "here").iterdir()) == []


def test_a_place_that_a_benchmark_cannot_write_to_is_said_before_it_measures(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, error = run("bench", "--seconds", "1e9", "--output", str(tmp_path / "file" / "x.json"))
    assert (code, error.count("\n")) == (2, 1) and error.startswith("error: cannot write")


@pytest.mark.parametrize("path", ["", "x" * 500, "~no-such-user/x"])
def test_the_python_api_reads_paths_as_the_commands_do(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for call in (
        lambda: mesozoic.train(checkpoint_dir=path, timesteps=64),
        lambda: mesozoic.train(load=path),
        lambda: mesozoic.curriculum(checkpoint_dir=path),
        lambda: mesozoic.evaluate(path),
        lambda: mesozoic.render("trex", output=path),
        lambda: mesozoic.load_policy(path),
    ):
        with pytest.raises(UserError, match=r"a path is|too long|nobody"):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["1e6", "1000000.0", "1000000", "1E6"])
def test_a_whole_number_however_it_is_written(run: Run, text: str) -> None:
    _, error = run("train", "--timesteps", text, "curriculum.eval_episodes=1", "ppo.gamma=2")
    assert error == "error: override 'ppo.gamma=2': ppo.gamma should be less than 1, but it is 2; correct that value\n"
    assert run("train", "--timesteps", "1.5")[0] == 2


@pytest.mark.parametrize(
    "words", [["--override", *SHORT], SHORT, ["--override", SHORT[0], "--override", SHORT[1]]], ids=len
)
def test_overrides_of_a_policys_stage_are_typed_as_in_training(run: Run, words: list[str]) -> None:
    assert run("eval", "trex", *words, "--stage", "1", "--episodes", "4") == (0, "")
    code, error = run("eval", "trex", *words, "nonsense")
    assert code == 2 and "override 'nonsense' is not of the form section.key=value" in error


@pytest.mark.parametrize("overrides", ["env.max_episode_steps=20", ["env.max_episode_steps=20"]])
def test_one_override_may_be_a_text(overrides: str | list[str]) -> None:
    both = [*SHORT] if isinstance(overrides, list) else " ".join(SHORT)
    env = gymnasium.make("mesozoic/Trex-Balance-v0", overrides=both)
    assert env.unwrapped.config.env.max_episode_steps == 20  # type: ignore[attr-defined]
    assert mesozoic.evaluate("trex", stage=1, episodes=4, overrides=both).config.env.max_episode_steps == 20
    with pytest.raises(UserError, match="override 'x' is not of the form"):
        gymnasium.make("mesozoic/Trex-Balance-v0", overrides="x")


@pytest.mark.parametrize("n_envs", [1, 8, 63, 256])
def test_the_number_of_worlds_alone_keeps_the_number_of_batches_and_says_so(n_envs: int) -> None:
    shipped = load_stage("velociraptor", 1)
    before = shipped.stage.n_envs * shipped.ppo.n_steps // shipped.ppo.batch_size
    spec = RunSpec(stage=1, overrides=(f"stage.n_envs={n_envs}",))
    (stage,) = stages = resolve(spec)
    ppo = stage.config.ppo
    assert n_envs * ppo.n_steps == before * ppo.batch_size
    (note,) = notes(spec, stages)
    assert f"ppo.batch_size is {ppo.batch_size} instead of {shipped.ppo.batch_size}" in note


@pytest.mark.parametrize("more", [("ppo.batch_size=64",), ("ppo.n_steps=8", "ppo.batch_size=64"), ("ppo.n_steps=32",)])
def test_whoever_speaks_of_batches_gets_them(more: tuple[str, ...]) -> None:
    spec = RunSpec(stage=1, overrides=("stage.n_envs=256", *more))
    (stage,) = stages = resolve(spec)
    expected = 64 if "ppo.batch_size=64" in more else load_stage("velociraptor", 1).ppo.batch_size
    assert stage.config.ppo.batch_size == expected
    assert notes(spec, stages) == []


def test_a_stage_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    shipped = stage_files("trex")[1]
    marked = tmp_path / shipped.name
    marked.write_bytes(b"\xef\xbb\xbf" + shipped.read_bytes())
    assert load_file(marked) == load_file(shipped)
