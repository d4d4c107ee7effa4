"""Everything that is wrong with a sweep, before anything starts: points are held against the one check of trainings.

Values are tried alone, so that one mistake does not hide another; keys that only fit together are tried in every
combination; and if all that is well, some whole points are tried as the net below it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from mesozoic.config import parse_override
from mesozoic.errors import UserError
from mesozoic.run.problems import problems
from mesozoic.run.spec import RunSpec
from mesozoic.sweep.space import SEED, Choice, Parameter, Point, Range, with_point

COUPLED: tuple[frozenset[str], ...] = (
    frozenset({"stage.n_envs", "ppo.n_steps", "ppo.batch_size", "jax.num_minibatches"}),
    frozenset({"env.push_velocity_min", "env.push_velocity_max"}),
    frozenset({"env.push_duration", "env.push_interval"}),
    frozenset({"env.max_episode_steps", "curriculum.min_avg_episode_length"}),
    frozenset({"env.gait_frequency", "env.gait_offsets"}),
    frozenset({"curriculum.eval_episodes", "curriculum.min_success_low", "curriculum.min_survival"}),
)
"""Keys that a check of the stage looks at together. A test holds this against all of its checks."""
MOST_COMBINATIONS = 2000
"""Of coupled keys; more would take longer to check than people wait."""
MOST_VALUES = 500
"""Of one parameter."""
WHOLE_POINTS = 24
"""Drawn in the end."""
MOST_SENTENCES = 40


def space_problems(
    spec: RunSpec, parameters: Sequence[Parameter], where: str, here: bool = True, gpu: bool = False
) -> list[str]:
    """Everything that is wrong with the trainings that a sweep could start, a sentence each.

    Args:
        spec: the training without the searched values; where: what its sentences begin with.
        here, gpu: whether this machine trains, and whether another one, which does, has an NVIDIA GPU.
    """

    def wrong_with(point: Point) -> list[str]:
        return problems(with_point(spec, point), here, gpu)

    found = dict.fromkeys(_common(spec, parameters))
    found |= dict.fromkeys(wrong_with({})) if not parameters else {}
    tried = found or dict.fromkeys(_sizes(parameters))
    if not tried:
        for group in _groups(parameters):
            tried |= dict.fromkeys(_group_problems(group, wrong_with))
    if not tried:
        for point in _whole(parameters):
            tried |= dict.fromkeys(wrong_with(point))
    sentences = [f"{where}: {sentence}" for sentence in tried]
    left = len(sentences) - MOST_SENTENCES
    return [*sentences[:MOST_SENTENCES], *([f"{where}: and {left} more like these"] if left > 0 else [])]


def _common(spec: RunSpec, parameters: Sequence[Parameter]) -> list[str]:
    """Keys that are searched and set as well."""
    fixed = set()
    for text in spec.overrides:
        try:
            fixed.add(parse_override(text).path)
        except UserError:  # said with the rest
            continue
    return [
        f"{one.path} is searched, and set by an option or --override as well; leave one of them out"
        for one in parameters
        if one.path in fixed
    ]


def _sizes(parameters: Sequence[Parameter]) -> list[str]:
    wrong = [
        f"{one.path} has {len(one.domain.values):,} values, more than the {MOST_VALUES} that can be checked; list fewer"
        for one in parameters
        if isinstance(one.domain, Choice) and len(one.domain.values) > MOST_VALUES
    ]
    for group in _groups(parameters):
        size = math.prod(len(one.domain.samples()) for one in group)
        if size > MOST_COMBINATIONS:
            names = ", ".join(one.path for one in group)
            wrong.append(
                f"{names} have {size:,} combinations, more than the {MOST_COMBINATIONS:,} that can be checked; list"
                " fewer values"
            )
    return wrong


def _groups(parameters: Sequence[Parameter]) -> list[list[Parameter]]:
    """Parameters that must be tried together; one that is coupled to nothing is alone."""
    left = list(parameters)
    groups = []
    for coupled in COUPLED:
        groups.append([one for one in left if one.path in coupled])
        left = [one for one in left if one.path not in coupled]
    return [group for group in [*groups, *([one] for one in left)] if group]


def _group_problems(group: Sequence[Parameter], wrong_with: Callable[[Point], list[str]]) -> list[str]:
    """What is wrong with the values of one parameter, or of some that are coupled.

    Of a range, what lies between its ends is tried if they are well: only whole numbers may be asked for.
    """
    found: dict[str, None] = {}
    for values in product(*(one.domain.samples()[:2] if _is_range(one) else one.domain.samples() for one in group)):
        point = {one.path: value for one, value in zip(group, values, strict=True)}
        found |= dict.fromkeys(wrong_with(point))
    if not found and len(group) == 1 and _is_range(group[0]):
        between = {group[0].path: group[0].domain.samples()[-1]}
        found |= dict.fromkeys(wrong_with(between))
    return list(found)


def _is_range(one: Parameter) -> bool:
    return isinstance(one.domain, Range)


def _whole(parameters: Sequence[Parameter]) -> Iterator[Point]:
    draw = random.Random(0)
    yield {one.path: one.domain.samples()[0] for one in parameters}
    for _ in range(WHOLE_POINTS):
        yield {one.path: draw.choice(one.domain.samples()) for one in parameters}


def seeds_problems(spec: RunSpec, parameters: Sequence[Parameter], seeds: int) -> list[str]:
    """What is wrong with judging each point by several seeds, which are counted from that of the training."""
    if seeds == 1:
        return []
    if any(one.path == SEED for one in parameters):
        return ["seed is searched, so --seeds-per-trial makes no sense; leave one of them out"]
    last = problems(replace(spec, seed=spec.seed + seeds - 1), here=False)
    return [sentence for sentence in last if sentence.startswith("seed ")]
