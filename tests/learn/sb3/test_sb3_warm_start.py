"""Going on from a policy: with the same actions, or not at all and in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra [sb3]")

from support.learners import learn_until

from mesozoic.config import StageConfig
from mesozoic.errors import UserError
from mesozoic.learn.kinds import find_kind
from mesozoic.learn.policy import Policy, load_policy
from mesozoic.run.folder import save_policy
from mesozoic.run.stage_spec import StageSpec
from mesozoic.run.train_stage import train_stage

Make = Callable[..., tuple[Any, Any]]


@pytest.fixture(scope="module")
def files(make: Make, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A policy file of each algorithm."""
    folder = tmp_path_factory.mktemp("policies")
    found = {}
    for algorithm in ("ppo", "sac"):
        _, learner = make(algorithm)
        learn_until(learner, 192)
        found[algorithm] = folder / f"{algorithm}.zip"
        save_policy(found[algorithm], learner.policy())
    return found


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_acts_as_the_policy_does(
    make: Make, files: dict[str, Path], observations: Callable[[Policy], np.ndarray], algorithm: str
) -> None:
    policy = load_policy(files[algorithm])
    _, learner = make(algorithm, seed=5, warm_start=policy)
    assert learner.step == 0
    begun = learner.policy()
    observation = observations(policy)
    assert begun.act(observation).tobytes() == policy.act(observation).tobytes()
    assert begun.arrays.keys() == policy.arrays.keys()
    for name, array in policy.arrays.items():
        assert (begun.arrays[name] == array).all(), name
    native = learner._model.predict(learner._normalisation.venv.normalize_obs(observation), deterministic=True)[0]
    np.testing.assert_allclose(native, policy.act(observation), atol=1e-5)
    _, fresh = make(algorithm, seed=5)
    assert fresh.policy().act(observation).tobytes() != begun.act(observation).tobytes()


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_from_a_file_learns_as_from_memory(make: Make, files: dict[str, Path], algorithm: str) -> None:
    _, source = make(algorithm)
    learn_until(source, 192)
    made = []
    for policy in (load_policy(files[algorithm]), source.policy()):
        _, learner = make(algorithm, seed=5, warm_start=policy)
        learn_until(learner, 192)
        made.append(learner.policy().to_bytes())
    assert made[0] == made[1]


def test_another_stage_goes_on_from_it(make: Make, files: dict[str, Path]) -> None:
    env, learner = make("ppo", stage=2, warm_start=load_policy(files["ppo"]))
    learn_until(learner, 128)
    assert learner.policy().stage == 2 and learner.policy().observation_size == env.observation_size


def test_sac_explores_with_the_policy_it_was_given(make: Make, files: dict[str, Path]) -> None:
    """Instead of falling over with random actions until its buffer holds `learning_starts` transitions."""
    _, fresh = make("sac", seed=5)
    space = fresh.state()["generators"]["space"]
    learn_until(fresh, 64)
    random = fresh.state()["generators"]
    assert random["space"] != space, "these came from the action space"
    _, warm = make("sac", seed=5, warm_start=load_policy(files["sac"]))
    learn_until(warm, 64)
    assert warm.state()["generators"]["space"] == space
    assert warm.state()["generators"]["torch"].tobytes() != random["torch"].tobytes()


def test_sac_keeps_its_targets_and_its_entropy_coefficient(make: Make, files: dict[str, Path]) -> None:
    _, warm = make("sac", "sac.ent_coef=auto", warm_start=load_policy(files["sac"]))
    state = warm.state()
    assert state["log_ent_coef"][0] == load_policy(files["sac"]).arrays["log_ent_coef"][0] != 0.0
    critic = {name: value for name, value in state["policy"].items() if name.startswith("critic.")}
    assert critic
    for name, value in critic.items():
        assert (state["policy"][name.replace("critic.", "critic_target.")] == value).all()
    _, fixed = make("sac", "sac.ent_coef=0.3", warm_start=load_policy(files["sac"]))
    assert fixed._model.ent_coef_tensor.item() == pytest.approx(0.3)


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_a_resumed_run_that_began_from_a_policy(make: Make, files: dict[str, Path], algorithm: str) -> None:
    env, learner = make(algorithm, seed=5, warm_start=load_policy(files[algorithm]))
    learn_until(learner, 1)
    state = {"env": env.state(), "learner": learner.state()}
    learn_until(learner, 192)
    new_env, new = make(algorithm, seed=5, warm_start=load_policy(files[algorithm]))
    new_env.set_state(state["env"])
    new.set_state(state["learner"])
    learn_until(new, 192)
    assert new.policy().to_bytes() == learner.policy().to_bytes()


@pytest.mark.parametrize(
    ("algorithm", "part"),
    [("ppo", "critic/0/kernel"), ("ppo", "log_std"), ("sac", "log_std/0/bias"), ("sac", "critic1/1/kernel")],
)
@pytest.mark.parametrize("common", [False, True])
def test_a_policy_that_can_only_act_is_refused(
    make: Make, files: dict[str, Path], algorithm: str, part: str, common: bool
) -> None:
    policy, missing = load_policy(files[algorithm]), "reward/var" if common else part
    del policy.arrays[missing]
    with pytest.raises(UserError, match=missing):
        make(algorithm, warm_start=policy)


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
@pytest.mark.parametrize("widths", ["[16, 8]", "[16]", "[16, 16, 16]"])
def test_other_widths_are_refused_by_the_learner(
    make: Make, files: dict[str, Path], algorithm: str, widths: str
) -> None:
    with pytest.raises(UserError, match="net_arch"):
        make(algorithm, f"{algorithm}.net_arch={widths}", warm_start=load_policy(files[algorithm]))


def test_a_network_with_surplus_layers_is_refused(make: Make) -> None:
    """Also where the widths happen to fit: a hidden layer as wide as the output."""
    actions = make("ppo")[0].action_size
    _, deep = make("ppo", f"ppo.net_arch=[{actions}, {actions}]")
    with pytest.raises(UserError, match="net_arch"):
        make("ppo", f"ppo.net_arch=[{actions}]", warm_start=deep.policy())


@pytest.mark.parametrize(("given", "wanted"), [("ppo", "sac"), ("sac", "ppo")])
def test_the_learner_refuses_another_algorithm(make: Make, files: dict[str, Path], given: str, wanted: str) -> None:
    with pytest.raises(UserError, match=f"sb3-{given}.*sb3-{wanted}.*--algorithm"):
        make(wanted, warm_start=load_policy(files[given]))


def test_the_learner_refuses_another_backend(make: Make, files: dict[str, Path]) -> None:
    policy = load_policy(files["ppo"])
    policy.info["learner"] = "jax-ppo"
    with pytest.raises(UserError, match=r"jax-ppo.*--backend"):
        make("ppo", warm_start=policy)


def with_another_layout(file: Path, folder: Path) -> Path:
    """The policy, with its observations in another order."""
    policy = load_policy(file)
    changed = Policy(policy.species, 1, policy.layout[::-1], policy.activation, policy.arrays, policy.info)
    save_policy(folder / "other.zip", changed)
    return folder / "other.zip"


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("species", "velociraptor"),
        ("layout", "order"),
        ("net_arch", "hidden layers"),
        ("algorithm", "sb3-ppo"),
        ("backend", "sb3-ppo"),
    ],
)
def test_a_run_that_cannot_begin_writes_nothing(
    files: dict[str, Path], config: Callable[..., StageConfig], tmp_path: Path, case: str, words: str
) -> None:
    changes: dict[str, Any] = {"species": "velociraptor", "seed": 0, "kind": find_kind("sb3", "ppo")}
    changes |= {"config": config(), "load": files["ppo"]}
    if case == "species":
        changes |= {"species": "trex", "config": config(species="trex")}
    elif case == "layout":
        changes["load"] = with_another_layout(files["ppo"], tmp_path)
    elif case == "net_arch":
        changes["config"] = config("ppo.net_arch=[8, 16]")
    elif case == "algorithm":
        changes["kind"] = find_kind("sb3", "sac")
    else:
        changes["kind"] = find_kind("jax", "ppo")
    with pytest.raises(UserError, match=words) as refusal:
        train_stage(StageSpec(**changes), tmp_path / "run")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "run").exists()
