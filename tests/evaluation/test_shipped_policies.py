"""The nine policies of the package do what their stages ask, on episodes that nothing was chosen on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mesozoic.curricula.gate import Gate
from mesozoic.evaluation.actors import random_actor, statue
from mesozoic.evaluation.episodes import run_episodes
from mesozoic.learn.policy import load_policy
from mesozoic.policies import shipped_policy, shipped_stages
from mesozoic.sim.samples import Stream
from mesozoic.species import get_species, load_stage, species_names, stage_files

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
