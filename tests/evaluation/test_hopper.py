"""Hopping on both feet is no walk, however fast and steady: a hand-made hopper in real physics."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mesozoic.config import StageConfig
from mesozoic.curricula.gate import Gate
from mesozoic.evaluation.actors import random_actor, statue
from mesozoic.evaluation.episodes import Episodes, run_episodes
from mesozoic.sim.actor import Actor
from mesozoic.sim.samples import Stream
from mesozoic.species import Species, get_species, load_stage, species_names
from mesozoic.species.anatomy import CONTROL_PERIOD, anatomy_of
from mesozoic.species.stages import configs_folder
from mesozoic.task.observe import observation_layout

EPISODES = 16


def walkers() -> list[str]:
    """Species that have a stage of locomotion."""
    return [name for name in species_names() if list((configs_folder() / name).glob("stage2_*.toml"))]


def in_phase(
    species: Species, motion: Callable[[float, dict[str, NDArray[np.float32]]], dict[str, NDArray | float]]
) -> Actor:
    """Moves all legs alike: `motion(seconds, observation blocks)` gives an action for each joint-name suffix."""
    model = species.load_model()
    names = [model.actuator(i).name for i in range(model.nu)]
    blocks, end = {}, 0
    for block in observation_layout(anatomy_of(species, model)):
        blocks[block.name], end = slice(end, end + block.size), end + block.size
    step = -1

    def act(observation: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal step
        step += 1
        seen = {name: observation[:, part] for name, part in blocks.items()}
        action = np.zeros((len(observation), len(names)), dtype=np.float32)
        for suffix, value in motion(step * CONTROL_PERIOD, seen).items():
            for i, name in enumerate(names):
                if name.endswith(suffix):
                    action[:, i] = value
        return np.clip(action, -1.0, 1.0)

    return act


def velociraptor_hop(seconds: float, seen: dict[str, NDArray[np.float32]]) -> dict[str, NDArray | float]:
    """Both legs crouch and push off together 2.4 times a second; reflexes keep the trunk level and the tail up.

    Found by random search (cross-entropy method) over its numbers; the last one of the hip sets the speed.
    """
    pitch, roll = seen["gravity"][:, 0], seen["gravity"][:, 1]
    roll_rate, pitch_rate = seen["ang_vel"][:, 0], seen["ang_vel"][:, 1]
    hip, knee, ankle = (math.cos(2.0 * math.pi * (2.43 * seconds + shift)) for shift in (-0.052, 0.0, -0.007))
    level = 0.855 * pitch + 0.312 * pitch_rate
    upright = 2.87 * roll - 0.244 * roll_rate
    return {
        "hip_pitch": 0.566 * hip + level + 1.262 * seen["lin_vel"][:, 0] - 0.17,
        "knee": -0.495 * knee - 1.086,
        "ankle": 0.535 * ankle - 2.382 * pitch - 0.571 * pitch_rate + 0.303,
        "toe": -0.161,
        "tail_pitch": 2.028 * level + 0.7,
        "left_hip_roll": upright,
        "right_hip_roll": -upright,
    }


def jump(seconds: float, seen: dict[str, NDArray[np.float32]]) -> dict[str, NDArray | float]:
    """All legs flex and stretch together, twice a second."""
    flex = math.sin(2.0 * math.pi * 2.0 * seconds)
    return {"hip_pitch": flex, "knee": -flex, "ankle": flex, "shoulder_pitch": flex, "elbow": -flex}


def evaluate(species: Species, config: StageConfig, actor: Actor) -> Episodes:
    return run_episodes(actor, species, config, 0, Stream.EVAL, EPISODES)


@pytest.fixture(scope="module")
def hopper(species: Species) -> Episodes:
    return evaluate(species, load_stage("velociraptor", 2), in_phase(species, velociraptor_hop))


class TestHopper:
    def test_really_hops(self, hopper: Episodes) -> None:
        figures = hopper.summary()
        assert figures["survival"] > 0.5
        assert figures["gait/flight"] > 0.4
        assert 2.0 < figures["gait/stride_frequency"] < 3.0
        assert hopper.gait is not None
        together = np.exp(2j * np.pi * hopper.gait.phase[:, 1]).real
        assert (together[hopper.survived] > 0.8).all(), "both feet should land together"

    def test_is_on_speed_and_yet_never_a_success(self, hopper: Episodes) -> None:
        figures = hopper.summary()
        assert figures["criterion/on_speed"] > 0.5, "the hopper should be what a speed reward alone would take"
        assert not hopper.criteria["alternating"].any()
        assert not hopper.criteria["grounded"].any()
        assert figures["success"] == 0.0
        assert figures["score"] < 0.02

    def test_fails_the_gate(self, species: Species, hopper: Episodes) -> None:
        config = load_stage("velociraptor", 2)
        still = evaluate(species, config, statue(species.load_model().nu)).summary()
        verdict = Gate(config.curriculum, {"statue": still}).judge(hopper.summary())
        assert not verdict.passed
        assert "success" in {criterion.name for criterion in verdict.criteria if not criterion.passed}


@pytest.mark.parametrize("name", walkers())
class TestNoWalk:
    def run(self, name: str, actor: Callable[[Species, int], Actor]) -> Episodes:
        species = get_species(name)
        return evaluate(species, load_stage(name, 2), actor(species, species.load_model().nu))

    def test_legs_in_phase(self, name: str) -> None:
        episodes = self.run(name, lambda species, size: in_phase(species, jump))
        assert not episodes.success.any()
        assert not episodes.criteria["alternating"].any()
        assert episodes.score.max() < 0.1

    def test_statue(self, name: str) -> None:
        episodes = self.run(name, lambda species, size: statue(size))
        assert not episodes.success.any()
        assert not episodes.criteria["on_speed"].any()
        assert not episodes.criteria["alternating"].any()
        assert episodes.score.max() < 0.02

    def test_random_actions(self, name: str) -> None:
        episodes = self.run(name, lambda species, size: random_actor(size, seed=1))
        assert not episodes.success.any()
        assert episodes.score.mean() < 0.02
