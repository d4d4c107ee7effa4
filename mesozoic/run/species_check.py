"""Holds a species folder against everything that is asked of an animal: its body, its stages and its policies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mesozoic import task
from mesozoic.config import StageConfig
from mesozoic.errors import UserError
from mesozoic.learn.policy import check_policy_fits, load_policy
from mesozoic.policies import shipped_policy, shipped_stages
from mesozoic.run.problems import problems
from mesozoic.run.spec import RunSpec
from mesozoic.sim.native_env import native_env
from mesozoic.species import Species, load_species, load_stage, species_names, stage_files
from mesozoic.species.acceptance import CHECKS, Body
from mesozoic.species.acceptance.body import check_name
from mesozoic.species.registry import known_here, species_folder

WORLDS, STEPS = 8, 100
"""Worlds and control steps in which a stage is tried with random actions."""


class Finding(NamedTuple):
    """What one check found: its name, whether it passed, and the figures or the sentence that say why."""

    name: str
    passed: bool
    figures: str


def check_species_folder(folder: Path) -> Iterator[Finding]:
    """Every check of the animal in a folder, one after the other; the folder need not be registered.

    Raises:
        UserError: its facts or its model cannot be read, or do not fit together.
    """
    folder = folder.resolve()
    species = load_species(folder)
    body = Body(species)
    for check in CHECKS:
        yield Finding(check_name(check), *check(body))
    yield _check_name(species)
    with known_here(species.name, folder):
        yield from _check_stages(species, body)
        yield from _check_policies(species, body)


def _check_name(species: Species) -> Finding:
    """Whether the name stands for this folder wherever animals are named."""
    name = "the name is not taken"
    if species.name not in species_names():
        return Finding(name, True, f"'{species.name}' is free; register it to use it by name")
    try:
        other = species_folder(species.name).resolve()
    except UserError as error:
        return Finding(name, False, str(error))
    ours = other == species.folder
    return Finding(name, ours, f"'{species.name}' is {'this folder' if ours else f'{other}; choose another name'}")


def _check_stages(species: Species, body: Body) -> Iterator[Finding]:
    try:
        files = stage_files(species.name)
    except UserError as error:
        yield Finding("stages are there", False, str(error))
        return
    complete = list(files) == list(range(1, len(files) + 1))
    names = ", ".join(path.name for path in files.values())
    yield Finding("stages are there", complete, names if complete else f"{names}; number them from 1 without gaps")
    configs: dict[int, StageConfig] = {}
    for number, path in files.items():
        try:
            configs[number] = load_stage(species.name, number)
        except UserError as error:
            yield Finding(f"stage {number} is valid", False, str(error))
        else:
            yield Finding(f"stage {number} is valid", True, f"{path.name}, {configs[number].env.task}")
    if len(configs) < len(files):
        return
    wrong = problems(RunSpec(species=species.name))
    yield Finding("all stages can be trained", not wrong, "; ".join(wrong) or "one after the other, by PPO on JAX")
    if wrong:
        return
    for number, config in configs.items():
        yield _try_stage(species, number, config)


def _try_stage(species: Species, number: int, config: StageConfig) -> Finding:
    """Begin episodes and take random actions."""
    env = native_env(species, config.env, WORLDS, seed=0, threads=1)
    observation, actions = env.reset(), np.random.default_rng(0)
    finite, broken = bool(np.isfinite(observation).all()), 0
    for _ in range(STEPS):
        outcome = env.step(actions.uniform(-1.0, 1.0, (WORLDS, env.action_size)).astype(np.float32))
        finite = finite and bool(np.isfinite(outcome.observation).all() and np.isfinite(outcome.reward).all())
        broken += int(outcome.reasons["diverged"].sum())
    text = f"{observation.shape[1]} observations, {env.action_size} actions, {broken} episodes of broken physics"
    return Finding(f"stage {number} runs with random actions", finite and not broken, text)


def _check_policies(species: Species, body: Body) -> Iterator[Finding]:
    for number in shipped_stages(species.name):
        try:
            policy = load_policy(shipped_policy(species.name, number))
            check_policy_fits(policy, species.name, task.layout_of(body.anatomy), body.anatomy.nu)
        except UserError as error:
            yield Finding(f"policy of stage {number} fits", False, str(error))
        else:
            good = policy.stage == number
            yield Finding(f"policy of stage {number} fits", good, f"it is a policy of stage {policy.stage}")
