"""What a sweep searches: parameters with ranges and choices, and settings of the job; knows no engine and no file.

A point of a space is `{"ppo.learning_rate": 3e-4, "seed": 1, ...}`: a value for each parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mesozoic.config.override import SECTIONS, locate, section_keys, write_value
from mesozoic.errors import UserError, did_you_mean, shown
from mesozoic.run.spec import RunSpec

SETTINGS = ("trials", "timesteps", "parallel", "n_envs")
"""What a file may say of the job."""
SEED = "seed"
"""The one parameter that is no key of a stage."""
Method = Literal["random", "grid", "bayes"]
METHODS: tuple[Method, ...] = ("random", "grid", "bayes")
Point = Mapping[str, Any]


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both included.

    Attributes:
        log: what matters is the factor between two values; whole: whole numbers only.
        step: only multiples of it above `low`.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    step: float | None = None

    def samples(self) -> list[Any]:
        """Values to try: the least, the greatest, and of a range of floats one between that is no whole number."""
        ends: list[Any] = [self.low, self.high]
        if self.whole or self.step is not None:
            return ends
        return [*ends, self.low + (self.high - self.low) * 0.381966]


@dataclass(frozen=True)
class Choice:
    """A list of values: numbers, words, switches or lists of widths."""

    values: tuple[Any, ...]

    def samples(self) -> list[Any]:
        """All of them."""
        return list(self.values)


@dataclass(frozen=True)
class Parameter:
    """One thing that is searched; `path` is `section.key`, or `seed`."""

    path: str
    domain: Range | Choice


@dataclass(frozen=True)
class Search:
    """What is searched in one stage, and settings of the job, by name."""

    parameters: tuple[Parameter, ...] = ()
    settings: Mapping[str, int] = field(default_factory=dict)

    def over(self, other: Search) -> Search:
        """This, and what `other` says of everything that this does not name."""
        mine = {one.path for one in self.parameters}
        inherited = tuple(one for one in other.parameters if one.path not in mine)
        return Search((*inherited, *self.parameters), {**other.settings, **self.settings})

    @property
    def combinations(self) -> int | None:
        """How many points there are; None if they cannot be counted."""
        product = 1
        for one in self.parameters:
            if not isinstance(one.domain, Choice):
                return None
            product *= len(one.domain.values)
        return product


@dataclass(frozen=True)
class Hyperband:
    """W&B's early termination: a trial is judged for the first time at its evaluation `min_iter`; None: not said."""

    min_iter: int | None = None
    eta: int = 3


@dataclass(frozen=True)
class SearchFile:
    """What one file says.

    Attributes:
        where: its name, for sentences about it.
        everywhere: for each stage; stages: for one, over that.
        method, metric, early, run_cap: how to search, None where the file does not say.
        words: of the command that the file gives, after `mesozoic train`; they hold species, stage and overrides.
    """

    where: str
    everywhere: Search = Search()
    stages: Mapping[int, Search] = field(default_factory=dict)
    method: Method | None = None
    metric: str | None = None
    early: Hyperband | None = None
    run_cap: int | None = None
    words: tuple[str, ...] = ()

    def of_stage(self, stage: int) -> Search:
        """What is searched in one stage.

        Raises:
            UserError: nothing.
        """
        found = self.stages.get(stage, Search()).over(self.everywhere)
        if not found.parameters:
            named = ", ".join(f"stage{number}" for number in sorted(self.stages)) or "no stage"
            raise UserError(
                f"{self.where}: nothing is searched in stage {stage} (it names {named}); add parameters for it, for"
                ' example "ppo_learning_rate": {"type": "double", "min": 1e-5, "max": 3e-4, "scale": "log"}'
            )
        return found


def parameter_path(name: str, where: str) -> str:
    """The key that a parameter sets, from any spelling: `ppo_gamma`, `--ppo.gamma`, `env.strike_bonus`, `n_envs`.

    Raises:
        UserError: no key is called that.
    """
    bare = name.removeprefix("--").removeprefix("-")
    place = f"{where}: parameter '{shown(name)}'"
    if bare == SEED:
        return SEED
    bare = {"n_envs": "stage.n_envs", "n-envs": "stage.n_envs", "timesteps": "curriculum.timesteps"}.get(bare, bare)
    section, dot, key = bare.partition(".")
    if section.isdigit():
        raise UserError(f"{place} names a stage; leave the number out: a sweep searches one stage at a time")
    if not dot:
        section = next((one for one in SECTIONS if bare.startswith(f"{one}_")), "")
        key = bare.removeprefix(f"{section}_")
    if not section:
        known = [f"{one}_{key}" for one in SECTIONS for key in section_keys(one)]
        near = did_you_mean(bare, known) or "; write for example 'ppo_learning_rate'"
        raise UserError(f"{place} is no key of a stage{near}")
    return ".".join(locate(section, key, place))


def gather(
    entries: Iterable[tuple[str, Any]],
    where: str,
    wrong: list[str],
    domain_of: Callable[[str, Any], Range | Choice | None],
    any_name: bool = False,
) -> tuple[Parameter, ...]:
    """The parameters that entries of a file stand for; a sentence for each mistake is added to `wrong`.

    Args:
        entries: names, and what the file says of them; domain_of: reads that, and says itself what is wrong with it.
        any_name: they may be called anything.
    """
    found: dict[str, Parameter] = {}
    for name, entry in entries:
        try:
            path = name if any_name else parameter_path(name, where)
        except UserError as error:
            wrong.append(str(error))
            path = ""
        domain = domain_of(name, entry)
        if path in found:
            wrong.append(f"{where}: '{shown(name)}' is searched twice under two names; keep one")
        elif path and domain is not None:
            found[path] = Parameter(path, domain)
    return tuple(found.values())


def overrides_of(point: Point) -> tuple[str, ...]:
    """The overrides that a point stands for, as texts."""
    return tuple(f"{path}={write_value(value)}" for path, value in point.items() if path != SEED)


def with_point(spec: RunSpec, point: Point) -> RunSpec:
    """The training of one point."""
    seed = point.get(SEED, spec.seed)
    return replace(spec, seed=seed, overrides=(*spec.overrides, *overrides_of(point)))
