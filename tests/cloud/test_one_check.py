"""What cannot be trained is refused in the same sentence wherever it is asked for, and nothing is written or rented."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mesozoic.cli.app import main
from mesozoic.learn import kinds
from mesozoic.run.problems import problems
from mesozoic.run.spec import RunSpec
from mesozoic.sweep.wandb_file import read_sweep

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Wrong:
    """A training that cannot be, and what is said of it.

    Attributes:
        only: the commands that it can be asked of; empty: all.
    """

    sentence: str
    overrides: tuple[str, ...] = ()
    species: str = "velociraptor"
    stage: int = 1
    seed: str = "0"
    backend: str = "auto"
    algorithm: str = "ppo"
    physics: str = "native"
    only: tuple[str, ...] = ()


def override(text: str, what: str) -> Wrong:
    """An override whose value is refused."""
    path, _, value = text.partition("=")
    shown = repr(value) if value.isalpha() and value != "nan" else value
    return Wrong(f"override '{text}': {path} {what}, but it is {shown}; correct that value", (text,))


WRONG = [
    Wrong("unknown species 'tyrex'; did you mean 'trex'? (known: brachiosaurus, trex, velociraptor)", species="tyrex"),
    Wrong("stage 7: velociraptor has no stage 7; it has 1, 2, 3", stage=7, only=("train", "cloud", "sweep")),
    Wrong("override '9.ppo.gamma=0.9': velociraptor has no stage 9; it has 1, 2, 3", ("9.ppo.gamma=0.9",)),
    Wrong("seed 99999999999 is out of range; give a whole number from 0 to 4294967295", seed="99999999999"),
    Wrong("unknown backend 'torch'; this version has: auto, jax, sb3", backend="torch"),
    Wrong("unknown backend 'jaxx'; did you mean 'jax'? this version has: auto, jax, sb3", backend="jaxx"),
    Wrong("unknown algorithm 'spo'; did you mean 'ppo'? this version has: ppo, sac", algorithm="spo"),
    Wrong(
        "backend 'jax' has no algorithm 'sac'; it has: ppo; leave --backend out, or give one of these",
        backend="jax",
        algorithm="sac",
    ),
    Wrong(
        "unknown physics 'mjx'; did you mean 'mjx-jax'? this version has: auto, native, mjx-warp, mjx-jax",
        physics="mjx",
    ),
    Wrong(
        "sb3-ppo cannot learn on physics 'mjx-jax'; it has: native",
        backend="sb3",
        physics="mjx-jax",
    ),
    Wrong(
        "override 'ppo.learning_rte=1': unknown key 'ppo.learning_rte'; did you mean 'ppo.learning_rate'?",
        ("ppo.learning_rte=1",),
    ),
    Wrong("override 'pppo.gamma=1': unknown section 'pppo'; did you mean 'ppo'?", ("pppo.gamma=1",)),
    Wrong(
        "override 'env.forward_vel_max=1': 'env.forward_vel_max' is set by 'env.target_froude' here; use that key",
        ("env.forward_vel_max=1",),
    ),
    Wrong(
        "override 'jax.num_minibatches=5': jax.num_minibatches is 5, but a rollout of stage.n_envs * ppo.n_steps"
        " = 64 * 16 = 1024 steps does not divide into so many batches; give 4",
        ("jax.num_envs=64", "jax.rollout_len=16", "jax.num_minibatches=5"),
    ),
    Wrong(
        "override 'jax.warmup_updates=-1': jax.warmup_updates should be a whole number of at least 0, but it is -1;"
        " correct that value",
        ("jax.warmup_updates=-1",),
    ),
    override("ppo.gamma=1.5", "should be less than 1"),
    override("ppo.n_steps=3.5", "should be a valid integer"),
    override("ppo.learning_rate=0", "should be greater than 0"),
    override("ppo.learning_rate=fast", "should be a valid number"),
    override("stage.n_envs=0", "should be greater than or equal to 1"),
    override("curriculum.timesteps=-5", "should be greater than or equal to 1"),
    override("jax.mirror=1", "should be a valid boolean"),
    override("jax.matmul_precision=low", "should be 'default', 'high' or 'highest'"),
    override("sac.buffer_size=0", "should be greater than or equal to 1"),
    override("env.alive_bonus=1e+38", "should be less than or equal to 1000"),
    override("env.energy_penalty_weight=1e+30", "should be less than or equal to 1000"),
    override("env.task_bonus=100001", "should be less than or equal to 10000"),
    override("ppo.vf_coef=1e+38", "should be less than or equal to 1000"),
    override("curriculum.min_avg_reward=nan", "should be a finite number"),
    Wrong(
        "override 'ppo.net_arch=[0]': ppo.net_arch should be one of small, medium, large, deep, tapered, deep_tapered"
        " or a list of 1 to 16 widths like [64, 64], but it is [0]; correct that value",
        ("ppo.net_arch=[0]",),
    ),
    Wrong(
        "stage 1: a rollout of stage.n_envs * ppo.n_steps = 64 * 16 = 1024 steps does not divide into batches of"
        " ppo.batch_size = 1000; set ppo.batch_size=512 or change n_envs",
        ("stage.n_envs=64", "ppo.n_steps=16", "ppo.batch_size=1000"),
    ),
    Wrong(
        "stage 1: ppo.batch_size = 1 is too small for backend 'sb3', which standardises the advantages of each batch;"
        " set ppo.batch_size=2 or more",
        ("ppo.batch_size=1",),
        backend="sb3",
    ),
    Wrong(
        "stage 1: curriculum.min_success_low = 0.9 cannot be reached with 4 episodes: all of them have the lower bound"
        " 0.510; raise curriculum.eval_episodes",
        ("curriculum.eval_episodes=4", "curriculum.min_success_low=0.9"),
    ),
    Wrong(
        "stage 1: curriculum.min_survival = 0.99 cannot be reached with 64 episodes: all of them have the lower bound"
        " 0.943; raise curriculum.eval_episodes",
        ("curriculum.min_survival=0.99",),
    ),
    Wrong(
        "stage1_balance.toml with overrides: curriculum.min_avg_episode_length = 480 can never be exceeded by episodes"
        " of env.max_episode_steps = 100; lower it below 100",
        ("1.env.max_episode_steps=100", "1.curriculum.min_avg_episode_length=480"),
    ),
    Wrong(
        "stage1_balance.toml with overrides: push_velocity_min = 0.5 exceeds push_velocity_max = 0.2;"
        " lower the first or raise the second",
        ("env.push_velocity_min=0.5", "env.push_velocity_max=0.2"),
    ),
    Wrong(
        "stage1_balance.toml with overrides: prey_distance_range = [0.0, 2.0] should be [smallest, largest] with the"
        " smallest at least 0.1 and the largest at most 100; correct it",
        ("env.prey_distance_range=[0.0, 2.0]",),
    ),
    Wrong(
        "stage 1: env.gait_offsets has 3 numbers, but velociraptor has 2 feet (left, right); give one for each",
        ("env.gait_frequency=0.2", "env.gait_offsets=[0.0, 0.5, 0.5]"),
    ),
    Wrong(
        "stage 1: env.gait_offsets = [0.0, 0.2] must put left and right feet half a stride apart, in the order left,"
        " right; change one of each pair by 0.5",
        ("env.gait_frequency=0.2", "env.gait_offsets=[0.0, 0.2]"),
    ),
    Wrong(
        "stage 2 has ppo.net_arch = (32, 32), stage 1 has small: weights cannot be handed on; give all stages the same",
        ("2.ppo.net_arch=[32, 32]",),
        only=("curriculum", "cloud all"),
    ),
    Wrong(
        "stage 3 has sac.net_arch = large, stage 1 has medium: weights cannot be handed on; give all stages the same",
        ("3.sac.net_arch=large",),
        algorithm="sac",
        only=("curriculum", "cloud all"),
    ),
]

Command = Callable[[Wrong], list[str]]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """Lines of the refusal of a command, which must be one."""

    def run(*arguments: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["mesozoic", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        assert (caught.value.code, captured.out) == (2, ""), captured
        return sentences(captured.err)

    return run


def sentences(error: str) -> list[str]:
    """What is wrong, from the output of the command line."""
    first, *rest = error.strip().splitlines()
    assert first.startswith("error: ")
    if not rest:
        return [first.removeprefix("error: ")]
    assert first == f"error: {len(rest)} things are wrong"
    assert all(line.startswith("  - ") for line in rest)
    return [line.removeprefix("  - ") for line in rest]


def words(one: Wrong) -> list[str]:
    learner = ["--backend", one.backend, "--algorithm", one.algorithm, "--physics", one.physics]
    return [one.species, "--seed", one.seed, *learner, *one.overrides]


def settings(one: Wrong, stage: str) -> list[str]:
    envs = {
        "SPECIES": one.species,
        "STAGE": stage,
        "SEED": one.seed,
        "BACKEND": one.backend,
        "ALGORITHM": one.algorithm,
        "PHYSICS": one.physics,
        "OVERRIDES": " ".join(one.overrides),
    }
    return [word for name, value in envs.items() for word in ("--env", f"{name}={value}")]


def sweep_file(one: Wrong, folder: Path) -> Path:
    import yaml

    config = {
        "method": "random",
        "run_cap": 1,
        "command": [
            *("${env}", "mesozoic", "train", *words(one), "--stage", str(one.stage), "--wandb", "${args}"),
        ],
        "parameters": {"ppo.ent_coef": {"value": 0.0}},
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def applicable(command: str) -> Any:
    found = [one for one in WRONG if not one.only or command in one.only]
    return pytest.mark.parametrize("one", found, ids=lambda one: one.sentence[:60])


def test_the_table_is_long_enough() -> None:
    assert len(WRONG) >= 30
    assert len({one.sentence for one in WRONG}) == len(WRONG)


@applicable("train")
def test_train(one: Wrong, run: Callable[..., list[str]], tmp_path: Path) -> None:
    if one.backend == "sb3":  # without it there is one more thing wrong
        pytest.importorskip("stable_baselines3", reason="needs the extra [sb3]")
    folder = tmp_path / "run"
    assert run("train", *words(one), "--stage", str(one.stage), "--output-dir", str(folder)) == [one.sentence]
    assert not folder.exists()


@applicable("curriculum")
def test_curriculum(one: Wrong, run: Callable[..., list[str]], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert one.sentence in run("curriculum", *words(one), "--output-dir", str(folder))
    assert not folder.exists()


@applicable("cloud")
def test_cloud_launch(one: Wrong, run: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sky", reason="needs the extra [cloud]")
    monkeypatch.chdir(CHECKOUT)
    assert run("cloud", "launch", "--dry-run", *settings(one, str(one.stage))) == [one.sentence]


@applicable("cloud all")
def test_cloud_launch_of_all_stages(one: Wrong, run: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sky", reason="needs the extra [cloud]")
    monkeypatch.chdir(CHECKOUT)
    assert one.sentence in run("cloud", "launch", "--dry-run", *settings(one, "all"))


@applicable("sweep")
def test_sweep(one: Wrong, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("yaml", reason="needs the extra [sweep]")
    from mesozoic.errors import UserError, sentences_of

    with pytest.raises(UserError) as caught:
        read_sweep(sweep_file(one, tmp_path))
    assert sentences_of(caught.value) == (f"sweep.yaml: {one.sentence}",)


@pytest.mark.parametrize("command", [["train"], ["curriculum"], ["cloud", "launch", "--dry-run"]], ids=" ".join)
def test_as_it_is_typed(command: Sequence[str], tmp_path: Path) -> None:
    """In a process of its own; several mistakes are a list, in the same words and order."""
    if "cloud" in command:
        pytest.importorskip("sky", reason="needs the extra [cloud]")
    one = Wrong("", ("ppo.gama=1", "ppo.gamma=2"), seed="-1" if "cloud" not in command else "4294967296", stage=1)
    more = settings(one, "1") if "cloud" in command else [*words(one), "--output-dir", str(tmp_path / "run")]
    result = subprocess.run(
        [sys.executable, "-m", "mesozoic", *command, *more], cwd=CHECKOUT, capture_output=True, text=True, timeout=300
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert sentences(result.stderr) == [
        f"seed {one.seed} is out of range; give a whole number from 0 to 4294967295",
        "override 'ppo.gama=1': unknown key 'ppo.gama'; did you mean 'ppo.gamma'?",
        "override 'ppo.gamma=2': ppo.gamma should be less than 1, but it is 2; correct that value",
    ]
    assert not (tmp_path / "run").exists()


def test_what_is_missing_here_matters_only_where_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "find_spec", lambda name: None if name == "torch" else object())
    spec = RunSpec(stage=1, backend="sb3")
    assert problems(spec, here=False) == []
    (sentence,) = problems(spec)
    assert sentence.startswith("backend 'sb3' needs torch") and sentence.endswith("pip install 'mesozoic[sb3]'")


def test_a_starting_policy_is_looked_at_only_where_it_is(tmp_path: Path) -> None:
    spec = RunSpec(stage=1, load=tmp_path / "none.zip")
    assert problems(spec, here=False) == []
    assert problems(spec) == [f"no policy file {tmp_path / 'none.zip'}; give a run folder or a models/*.zip of one"]
    (tmp_path / "none.zip").write_text("not a zip")
    for here in (True, False):
        (sentence,) = problems(spec, here=here)
        assert "not a readable policy" in sentence


def test_everything_that_is_wrong_is_said_at_once() -> None:
    spec = RunSpec(
        species="velociraptor",
        seed=-1,
        backend="torch",
        overrides=("ppo.gama=1", "nonsense", "ppo.gamma=2", "1.ppo.n_steps=0.5", "2.curriculum.eval_episodes=4"),
    )
    found = problems(spec)
    starts = ["seed -1", "unknown backend 'torch'", "override 'ppo.gama=1'", "override 'nonsense' is not of the form"]
    starts += ["override 'ppo.gamma=2': ppo.gamma should be", "override '1.ppo.n_steps=0.5': ppo.n_steps should be"]
    assert [any(one.startswith(start) for one in found) for start in starts] == [True] * len(starts)
    assert len(found) == len(starts)
