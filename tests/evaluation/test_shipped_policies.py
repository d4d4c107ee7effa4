"""The nine policies of the package do what their stages ask, on episodes that nothing was chosen on."""

from __future__ import annotations

import json
from pathlib import Path

import mujoco
import numpy as np
import pytest

from mesozoic.curricula.gate import Gate
from mesozoic.evaluation.actors import random_actor, statue
from mesozoic.evaluation.episodes import run_episodes
from mesozoic.learn.policy import load_policy
from mesozoic.policies import shipped_policy, shipped_stages
from mesozoic.sim.native_env import native_env
from mesozoic.sim.samples import Stream
from mesozoic.species import get_species, load_stage, species_names, stage_files
from mesozoic.species.underside import SOLE, TOLERANCE
from tests.support.lowest import lowest_point_but_feet

SEED = 1000
RECORDS = Path(__file__).parents[2] / "docs" / "results" / "records.json"
ALL = [(species, stage) for species in species_names() for stage in sorted(stage_files(species))]


def test_every_stage_of_every_animal_ships() -> None:
    assert {species: shipped_stages(species) for species in species_names()} == {
        species: tuple(sorted(stage_files(species))) for species in species_names()
    }


@pytest.mark.parametrize(("species", "stage"), ALL)
def test_a_shipped_policy_is_small_and_on_record(species: str, stage: int) -> None:
    file = shipped_policy(species, stage)
    policy = load_policy(file)
    assert file.stat().st_size < 1_000_000
    assert (policy.species, policy.stage) == (species, stage)
    records = {(one["species"], one["stage"]): one for one in json.loads(RECORDS.read_text())["shipped"]}
    assert records[species, stage]["timesteps"] == policy.info["step"]


@pytest.mark.parametrize(("species", "stage"), ALL)
def test_a_shipped_policy_passes_its_gate_and_a_statue_and_random_actions_do_not(species: str, stage: int) -> None:
    animal, config = get_species(species), load_stage(species, stage)
    policy = load_policy(shipped_policy(species, stage))
    actors = {
        "policy": policy.act,
        "statue": statue(policy.action_size),
        "random": random_actor(policy.action_size, SEED),
    }
    # One gate's worth of episodes decides by a fall or two; the policy gets more, the others need no more.
    counts = {"policy": 2 * config.curriculum.eval_episodes, "statue": 32, "random": 32}
    summaries = {
        name: run_episodes(actor, animal, config, SEED, Stream.EVAL, counts[name]).summary()
        for name, actor in actors.items()
    }
    gate = Gate(config.curriculum, summaries)
    verdicts = {name: gate.judge(summary) for name, summary in summaries.items()}
    assert verdicts["policy"].passed, verdicts["policy"].failures()
    assert not verdicts["statue"].passed
    assert not verdicts["random"].passed


@pytest.mark.parametrize(("species", "stage"), ALL)
def test_nothing_but_feet_passes_through_the_floor(species: str, stage: int) -> None:
    """Measured on all that can be seen, every fifth of a second and at the end, until an episode is over."""
    animal, config = get_species(species), load_stage(species, stage)
    policy, model = load_policy(shipped_policy(species, stage)), animal.load_model()
    data = mujoco.MjData(model)
    env = native_env(animal, config.env, 2, SEED, Stream.EVAL, auto_reset=False)
    observation, active, step = env.reset(), np.ones(2, dtype=bool), 0
    while active.any():
        result = env.step(policy.act(observation), active)
        observation, over = result.observation, result.terminated | result.truncated
        assert not result.reasons["touched"][active].any()
        for world in np.flatnonzero(active & (over | (step % 10 == 0))):
            data.qpos[:] = env.sensed.qpos[world]
            mujoco.mj_kinematics(model, data)
            assert lowest_point_but_feet(animal, model, data, SOLE)[1] > -TOLERANCE, f"world {world}, step {step}"
        active &= ~over
        step += 1
