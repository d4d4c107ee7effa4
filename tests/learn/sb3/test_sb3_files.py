"""One zip is the portable policy and SB3's own archive; neither it nor the file beside it needs this package."""

from __future__ import annotations

import base64
import json
import pickletools
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra [sb3]")

from support.learners import learn_until

from mesozoic.learn.policy import Policy, load_policy
from mesozoic.run.folder import save_policy

Make = Callable[..., tuple[Any, Any]]

CASES = {
    "ppo": ("ppo", ()),
    "averaged": ("ppo", ("ppo.average_updates=5", "ppo.learning_rate=1e-2", "ppo.log_std_end=-3.0")),
    "sac": ("sac", ("sac.learning_rate=1e-2",)),
    "fixed": ("sac", ("sac.ent_coef=0.1",)),
}

FORBID = """
    import importlib.abc, sys

    class Forbid(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "mesozoic":
                raise ModuleNotFoundError("No module named " + repr(name), name=name)

    sys.meta_path.insert(0, Forbid())
    try:
        import mesozoic
        raise SystemExit("mesozoic is importable")
    except ModuleNotFoundError:
        pass
"""

ANYWHERE = """
    import pickle, sys
    import numpy as np
    from stable_baselines3 import PPO, SAC

    folder = sys.argv[1]
    observations = np.load(f"{folder}/observations.npy")
    for name, algorithm in (("ppo", PPO), ("averaged", PPO), ("sac", SAC), ("fixed", SAC)):
        model = algorithm.load(f"{folder}/{name}.zip", device="cpu")
        with open(f"{folder}/{name}_vecnormalize.pkl", "rb") as file:
            statistics = pickle.load(file)
        actions, _ = model.predict(statistics.normalize_obs(observations), deterministic=True)
        np.save(f"{folder}/{name}_{sys.argv[2]}.npy", actions)
"""

IN_A_USERS_SCRIPT = """
    import sys
    import gymnasium, mesozoic
    from stable_baselines3 import PPO, SAC
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    folder = sys.argv[1]
    for name, algorithm in (("ppo", PPO), ("sac", SAC)):
        worlds = DummyVecEnv([lambda: gymnasium.make("mesozoic/Velociraptor-Balance-v0")])
        env = VecNormalize.load(f"{folder}/{name}_vecnormalize.pkl", worlds)
        env.training, env.norm_reward = False, False
        model = algorithm.load(f"{folder}/{name}.zip", env=env, device="cpu")
        reward, _ = evaluate_policy(model, env, n_eval_episodes=2, warn=False)
        assert reward > 0.0
        env.training, env.norm_reward = True, True
        steps = model.num_timesteps
        assert steps > 0 and model.get_vec_normalize_env() is env
        model.learn(64, reset_num_timesteps=False)  # and goes on learning there
        assert model.num_timesteps >= steps + 64
    assert not [name for name in sys.modules if name.startswith("mesozoic.learn.sb3")]
"""


@pytest.fixture(scope="module")
def trained(
    make: Make, observations: Callable[[Policy], np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Policy]]:
    """A folder with the files of every case, as a run writes them, and the policies in memory."""
    folder = tmp_path_factory.mktemp("policies")
    policies = {}
    for name, (algorithm, overrides) in CASES.items():
        _, learner = make(algorithm, *overrides)
        learn_until(learner, 256)
        policies[name] = learner.policy()
        save_policy(folder / f"{name}.zip", policies[name])
    np.save(folder / "observations.npy", observations(policies["ppo"]))
    return folder, policies


def run(script: str, *arguments: object) -> None:
    command = [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", CASES)
def test_the_file_is_the_portable_policy(trained: tuple[Path, dict[str, Policy]], name: str) -> None:
    folder, policies = trained
    policy, observation = load_policy(folder / f"{name}.zip"), np.load(folder / "observations.npy")
    assert policy.act(observation).tobytes() == policies[name].act(observation).tobytes()
    assert policy.output == ("tanh" if CASES[name][0] == "sac" else "clip")
    with zipfile.ZipFile(folder / f"{name}.zip") as archive:
        members = archive.namelist()
    assert len(members) == len(set(members)), "no name twice"
    assert {"policy.json", "actor/0/kernel.npy", "data", "policy.pth", "_stable_baselines3_version"} <= set(members)


def test_loads_where_this_package_is_not_installed(trained: tuple[Path, dict[str, Policy]]) -> None:
    """And gives the actions of the portable policy."""
    folder, policies = trained
    run(textwrap.dedent(FORBID) + textwrap.dedent(ANYWHERE), folder, "elsewhere")
    observation = np.load(folder / "observations.npy")
    for name, policy in policies.items():
        actions = np.load(folder / f"{name}_elsewhere.npy")
        assert np.abs(actions).max() <= 1.0 and actions.std() > 0.05, "they say something"
        np.testing.assert_allclose(actions, policy.act(observation), atol=1e-5, err_msg=name)


def test_loads_in_a_script_that_uses_the_environment_only(trained: tuple[Path, dict[str, Policy]]) -> None:
    run(textwrap.dedent(IN_A_USERS_SCRIPT), trained[0])


def names_in(pickled: bytes) -> list[str]:
    """Every text of a pickle: the modules and names that it imports are among them."""
    return [str(argument) for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, str | bytes)]


@pytest.mark.parametrize("name", CASES)
def test_no_pickle_in_them_needs_this_package(trained: tuple[Path, dict[str, Policy]], name: str) -> None:
    folder, _ = trained
    with zipfile.ZipFile(folder / f"{name}.zip") as archive:
        data = json.loads(archive.read("data"))
    pickles = {
        key: base64.b64decode(entry[":serialized:"])
        for key, entry in data.items()
        if isinstance(entry, dict) and ":serialized:" in entry
    }
    pickles["vecnormalize"] = (folder / f"{name}_vecnormalize.pkl").read_bytes()
    assert "policy_class" in pickles
    for key, pickled in pickles.items():
        texts = " ".join(names_in(pickled))
        assert "mesozoic" not in texts, key
        assert "_make_function" not in texts and "_builtin_type" not in texts, f"{key} is code, not a reference to it"
    assert not {"env", "_last_obs", "replay_buffer", "_logger", "start_time", "acts_at_once"} & data.keys()
    assert " at 0x" not in json.dumps(data)


def test_the_archive_is_the_whole_model(trained: tuple[Path, dict[str, Policy]], make: Make) -> None:
    """Critics, optimisers, schedules and counters, as they are in the learner."""
    from stable_baselines3 import PPO, SAC

    folder, _ = trained
    for name, algorithm in (("averaged", PPO), ("sac", SAC)):
        loaded = algorithm.load(folder / f"{name}.zip", device="cpu")
        _, learner = make(CASES[name][0], *CASES[name][1])
        learn_until(learner, 256)
        model = learner._model
        assert loaded.num_timesteps == 256 and loaded._n_updates == model._n_updates
        assert loaded.learning_rate == loaded.lr_schedule(0.5) == model.learning_rate
        shared = [
            key for key in model.policy.state_dict() if not key.startswith(("mlp_extractor.policy", "action_net"))
        ]
        assert len(shared) > 4
        for key in shared:
            assert (loaded.policy.state_dict()[key] == model.policy.state_dict()[key]).all(), key
    assert loaded.log_ent_coef.item() == model.log_ent_coef.item() != 0.0
