"""The one check of a training: everything that can be wrong with a `RunSpec`, all at once, a sentence each.

Whatever starts, rents or sweeps trainings asks here first, so what a rented machine would refuse is refused before it
is rented, in the same words. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import ParamSpec, TypeVar

from mesozoic import task
from mesozoic.config import Override, StageConfig, parse_override
from mesozoic.curricula.gate import gate_problems
from mesozoic.errors import Problems, UserError, plain, sentences_of, shown
from mesozoic.learn.kinds import AUTO, LearnerKind, find_kind, find_physics
from mesozoic.learn.policy import Policy, check_policy_fits, load_policy
from mesozoic.run.auto_physics import choose
from mesozoic.run.devices import devices_asked, sharing_problems
from mesozoic.run.folder import find_policy
from mesozoic.run.spec import RunSpec
from mesozoic.run.stage_spec import StageSpec
from mesozoic.sim.physics import PHYSICS
from mesozoic.species import Species, get_species, load_stage, stage_files
from mesozoic.species.anatomy import Anatomy, anatomy_of
from mesozoic.species.registry import is_built_in

SEEDS = 2**32
P = ParamSpec("P")
T = TypeVar("T")


def problems(spec: RunSpec, here: bool = True, gpu: bool = False) -> list[str]:
    """Everything that is wrong with a training; empty if it can start.

    Args:
        here: whether this machine will train; else what is not installed here does not matter.
        gpu: whether another machine, which will train, has an NVIDIA GPU.
    """
    return _examine(spec, here, gpu)[1]


def resolve(spec: RunSpec, here: bool = True, gpu: bool = False) -> tuple[StageSpec, ...]:
    """The stages that a training consists of, in order. Only the first one has a policy to begin from.

    Args:
        here, gpu: as for `problems`.

    Raises:
        UserError: a sentence for each thing that is wrong.
    """
    stages, found = _examine(spec, here, gpu)
    if found:
        raise Problems(found)
    return stages


def stage_problems(spec: StageSpec) -> list[str]:
    """Everything that is wrong with one stage beyond its configuration: gate, learner, gait, starting policy."""
    found = _Findings()
    species = found.attempt(get_species, spec.species)
    anatomy = None if species is None else found.attempt(_anatomy, species)
    found.sentences += _misfits(spec.config, spec.kind, anatomy)
    policy = None if spec.load is None else found.attempt(load_policy, spec.load)
    if spec.load is not None and policy is not None:
        found.sentences += _starting_policy(spec.load, policy, spec.species, anatomy, spec.kind, spec.config)
    return found.sentences


def notes(spec: RunSpec, stages: Sequence[StageSpec]) -> list[str]:
    """What a valid training makes of the request without being told to, a sentence each."""
    said = []
    overrides = [parse_override(text) for text in spec.overrides]
    for stage in stages:
        number, ppo = stage.config.stage.number, stage.config.ppo
        others = [one for one in overrides if one.path != "stage.n_envs"]
        shipped = load_stage(spec.species, number, others, bool(PHYSICS[stage.physics].impl)).ppo
        if stage.kind.section == "ppo" and ppo.batch_size != shipped.batch_size:
            said.append(
                f"stage {number}: ppo.batch_size is {ppo.batch_size} instead of {shipped.batch_size}, so that a rollout"
                f" of {stage.config.stage.n_envs} worlds has as many batches as before"
            )
    return said


@dataclass
class _Findings:
    """Problems found so far."""

    sentences: list[str] = field(default_factory=list)

    def attempt(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T | None:
        """What the function returns; None, and its sentences are kept, if it refuses."""
        try:
            return function(*arguments, **keywords)
        except UserError as error:
            self.sentences += sentences_of(error)
            return None


def _examine(spec: RunSpec, here: bool, gpu: bool) -> tuple[tuple[StageSpec, ...], list[str]]:
    found = _Findings()
    if not 0 <= spec.seed < SEEDS:
        found.sentences.append(
            f"seed {shown(str(spec.seed))} is out of range; give a whole number from 0 to {SEEDS - 1}"
        )
    kind = found.attempt(find_kind, spec.backend, spec.algorithm)
    physics = None if kind is None else found.attempt(_physics, spec, kind, None if here else gpu)
    if kind is not None and here and (missing := kind.missing()):
        found.sentences.append(missing)
    if physics is not None and here and (missing := PHYSICS[physics].missing()):
        found.sentences.append(missing)
    devices = None
    if physics is not None and not found.sentences:
        devices = found.attempt(devices_asked, spec, physics, here)
    overrides = [one for text in spec.overrides if (one := found.attempt(parse_override, text)) is not None]
    species = found.attempt(get_species, spec.species)
    device = physics is not None and bool(PHYSICS[physics].impl)
    configs: dict[int, StageConfig] = {}
    anatomy = None
    if species is not None:
        if not here and not is_built_in(spec.species):
            found.sentences.append(
                f"species '{spec.species}' comes from another package, which a rented machine does not have; train it"
                " here, or put its folder into mesozoic/species/"
            )
        for number in found.attempt(_stage_numbers, spec, overrides) or ():
            config = found.attempt(load_stage, spec.species, number, overrides, device)
            if config is not None:
                configs[number] = config
        anatomy = found.attempt(_anatomy, species)
    for config in configs.values():
        found.sentences += _misfits(config, kind, anatomy) + sharing_problems(config, devices or 1)
    if kind is not None:
        found.sentences += _widths(kind, list(configs.values()))
    looked_for = spec.load is not None and (here or spec.load.exists())  # it may lie on the machine that trains only
    load = found.attempt(find_policy, spec.load) if spec.load is not None and looked_for else None
    policy = None if load is None else found.attempt(load_policy, load)
    if load is not None and policy is not None:
        first = next(iter(configs.values()), None)
        found.sentences += _starting_policy(load, policy, spec.species, anatomy, kind, first)
    sentences = list(dict.fromkeys(map(plain, found.sentences)))
    if sentences or kind is None or physics is None:
        return (), sentences
    stages = [
        StageSpec(spec.species, spec.seed, kind, config, physics=physics, gpu_ids=spec.gpu_ids)
        for config in configs.values()
    ]
    stages[0] = replace(stages[0], load=load)
    return tuple(stages), []


def _physics(spec: RunSpec, kind: LearnerKind, gpu: bool | None) -> str:
    if spec.physics == AUTO:
        return choose(spec, kind, gpu).physics
    return find_physics(kind, spec.physics)


def _stage_numbers(spec: RunSpec, overrides: Sequence[Override]) -> list[int]:
    """The stages to train.

    Raises:
        UserError: one that is asked for, here or in an override, does not exist.
    """
    numbers = sorted(stage_files(spec.species))
    there = ", ".join(map(str, numbers))
    wrong = [
        f"{option} {shown(str(number))}: {spec.species} has no stage {shown(str(number))}; it has {there}"
        for option, number in (("stage", spec.stage), ("target", spec.target))
        if number is not None and number not in numbers
    ]
    wrong += [
        f"override '{shown(str(one))}': {spec.species} has no stage {one.stage}; it has {there}"
        for one in overrides
        if one.stage is not None and one.stage not in numbers
    ]
    if wrong:
        raise Problems(wrong)
    if spec.stage is not None:
        return [spec.stage]
    return [number for number in numbers if spec.target is None or number <= spec.target]


def _anatomy(species: Species) -> Anatomy:
    try:
        changed = species.model_path.stat().st_mtime_ns
    except OSError:  # loading it says what is wrong
        changed = 0
    return _anatomy_of_file(species.name, species.folder, changed)


@lru_cache(maxsize=8)
def _anatomy_of_file(name: str, folder: Path, changed: int) -> Anatomy:
    """A sweep is checked many times over; compiling the model takes longer than all the rest."""
    species = get_species(name)
    return anatomy_of(species, species.load_model())


def _misfits(config: StageConfig, kind: LearnerKind | None, anatomy: Anatomy | None) -> list[str]:
    """What in a valid configuration cannot be passed, learned or walked."""
    wrong = gate_problems(config.curriculum)
    wrong += [] if kind is None else kind.checks(config)
    wrong += [] if anatomy is None else _refusal(task.check_stage, anatomy, config.env)
    return [f"stage {config.stage.number}: {sentence}" for sentence in wrong]


def _refusal(check: Callable[P, object], *arguments: P.args, **keywords: P.kwargs) -> list[str]:
    found = _Findings()
    found.attempt(check, *arguments, **keywords)
    return found.sentences


def _widths(kind: LearnerKind, configs: Sequence[StageConfig]) -> list[str]:
    """Stages between which weights could not be handed on."""
    wrong = []
    for config in configs[1:]:
        if kind.hidden(config) != kind.hidden(configs[0]):
            key = f"{kind.section}.net_arch"
            wrong.append(
                f"stage {config.stage.number} has {key} = {kind.net_arch(config)}, stage {configs[0].stage.number} has"
                f" {kind.net_arch(configs[0])}: weights cannot be handed on; give all stages the same"
            )
    return wrong


def _starting_policy(
    file: Path,
    policy: Policy,
    species: str,
    anatomy: Anatomy | None,
    kind: LearnerKind | None,
    first: StageConfig | None,
) -> list[str]:
    """Why the first stage cannot begin with this policy."""
    wrong: list[str] = []
    if anatomy is not None:
        wrong += _refusal(check_policy_fits, policy, species, task.layout_of(anatomy), anatomy.nu)
    if kind is None:
        return wrong
    wrong += _refusal(kind.check_warm_start, policy)
    if first is not None and not wrong and policy.hidden != kind.hidden(first):
        key, widths = f"{kind.section}.net_arch", ",".join(map(str, policy.hidden))
        wrong.append(
            f"the policy {file} has hidden layers [{widths}], {key} is {list(kind.hidden(first))};"
            f" add --override {key}=[{widths}]"
        )
    return wrong
