"""A sweep as it was asked for, checked: what a file says, what options say over it, and what neither says.

Precedence: options, then the file, then defaults.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mesozoic.config.override import write_value
from mesozoic.errors import Problems, UserError, did_you_mean, sentences_of, shown
from mesozoic.run.problems import resolve
from mesozoic.run.spec import DEFAULT_SPECIES, RunSpec
from mesozoic.run.words import spec_of_words, stage_flags
from mesozoic.species.stages import configs_folder
from mesozoic.sweep.check import seeds_problems, space_problems
from mesozoic.sweep.formats import read_search_file, read_search_text
from mesozoic.sweep.objective import REWARD_GATE, Objective, fixed_overrides, known_objective, warnings
from mesozoic.sweep.space import SEED, Hyperband, Method, Parameter, Point, SearchFile
from mesozoic.sweep.wandb_format import trial_spec_words, without_macros

Pruner = Literal["asha", "hyperband", "median", "none"]
PRUNERS: tuple[Pruner, ...] = ("asha", "hyperband", "median", "none")
SAMPLERS: Mapping[str, Method] = {"tpe": "bayes", "random": "random", "grid": "grid"}
BUDGET = "curriculum.timesteps"
TRIALS = 20
"""Where neither options nor the file say."""
MOST_TRIALS = 100_000
MOST_PARALLEL = 1024
"""Trials side by side; a typing error should not start a hundred thousand processes."""
JUDGED_AT = 0.4
"""Share of the budget after which a trial is judged for the first time. At a sixth of it, those that are ahead are
others than those that end ahead, and the best one is lost: docs/sweeps.md has the figures."""


@dataclass(frozen=True)
class SweepRequest:
    """All that `mesozoic sweep launch` takes; None is what was not said.

    Attributes:
        here, gpu: whether this machine trains, and whether another one, which does, has an NVIDIA GPU.
    """

    species: str | None = None
    stage: int | None = None
    file: Path | None = None
    text: str | None = None
    trials: int | None = None
    timesteps: int | None = None
    n_envs: int | None = None
    eval_freq: int | None = None
    parallel: int | None = None
    sampler: str | None = None
    pruner: str | None = None
    objective: str | None = None
    seeds: int = 1
    seed: int = 0
    backend: str | None = None
    algorithm: str | None = None
    physics: str | None = None
    load: Path | None = None
    overrides: tuple[str, ...] = ()
    default_pruner: Pruner = "asha"
    here: bool = True
    gpu: bool = False


@dataclass(frozen=True)
class SweepPlan:
    """A sweep of one stage that can start.

    Attributes:
        spec: the training without the searched values; trials: how many points are tried.
        first, eta: steps after which a trial is judged for the first time, and the factor between two judgements.
        first_evaluation: which evaluation that is, from 1.
        budget: steps of one training; parallel: trials side by side, None if nobody said.
        notes: what is worth saying before it starts.
    """

    spec: RunSpec
    parameters: tuple[Parameter, ...]
    trials: int
    method: Method
    pruner: Pruner
    first: int
    eta: int
    objective: Objective
    seeds: int
    budget: int
    parallel: int | None = None
    notes: tuple[str, ...] = ()
    first_evaluation: int = 1

    @property
    def stage(self) -> int:
        """The stage that is trained."""
        assert self.spec.stage is not None
        return self.spec.stage

    def identity(self) -> dict[str, Any]:
        """What makes it this sweep and no other; the number of trials does not, so that more can be added."""
        kept = ("method", "pruner", "first", "eta", "objective", "seeds")
        return {
            "spec": self.spec.to_json(),
            "parameters": {one.path: asdict(one.domain) for one in self.parameters},
            **{name: getattr(self, name) for name in kept},
        }

    def digest(self) -> str:
        """Eight letters that stand for the identity."""
        text = json.dumps(json.loads(json.dumps(self.identity())), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def trial_words(self, point: Point) -> list[str]:
        """The arguments of `mesozoic sweep trial` for a point."""
        spec = self.spec
        options = {
            "species": spec.species,
            "stage": self.stage,
            "seed": point.get(SEED, spec.seed),
            "seeds-per-trial": self.seeds,
            "objective": self.objective,
            "backend": spec.backend,
            "algorithm": spec.algorithm,
            "physics": spec.physics,
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        words += [] if spec.load is None else [f"--load={spec.load}"]
        words += [f"--gpu-ids={spec.gpu_ids}"] if spec.gpu_ids else []
        words += [f"--override={text}" for text in spec.overrides]
        return words + [f"--{path}={write_value(value)}" for path, value in point.items() if path != SEED]


def plan_sweep(request: SweepRequest) -> SweepPlan:
    """Check a sweep as a whole; nothing is written or started.

    Raises:
        UserError: a sentence for everything that is wrong.
    """
    file = _search_file(request)
    wrong: list[str] = []
    base = _base(request, file)
    assert base.stage is not None
    search = file.of_stage(base.stage)
    timesteps = _first(request.timesteps, search.settings.get("timesteps"))
    n_envs = _first(request.n_envs, search.settings.get("n_envs"))
    objective = known_objective(request.objective or "score")
    overrides = [*base.overrides, *request.overrides]
    gate = [] if any(REWARD_GATE in text for text in overrides) else fixed_overrides(objective, search.parameters)
    flags = stage_flags({"timesteps": timesteps, "n-envs": n_envs, "eval-freq": request.eval_freq})
    spec = replace(base, overrides=(*gate, *overrides, *flags))
    method = _method(request, file, wrong)
    pruner, early = _pruner(request, file, wrong)
    if any(one.path == BUDGET for one in search.parameters):
        wrong.append(f"{file.where}: timesteps is the budget of every trial, and cannot be searched; give --timesteps")
    wrong += space_problems(spec, search.parameters, file.where, request.here, request.gpu)
    wrong += seeds_problems(spec, search.parameters, request.seeds)
    trials = _first(request.trials, file.run_cap, search.settings.get("trials"), TRIALS) or 0
    if method == "grid" and not wrong:
        points = search.combinations
        if points is None:
            wrong.append(f"{file.where}: a grid takes lists of values only; write discrete or categorical parameters")
        else:
            trials = min(_first(request.trials, file.run_cap, points) or 0, points)
    if not 1 <= trials <= MOST_TRIALS:
        wrong.append(f"--trials {trials} is out of range; give a number from 1 to {MOST_TRIALS}")
    parallel = _first(request.parallel, search.settings.get("parallel"))
    if parallel is not None and not 1 <= parallel <= MOST_PARALLEL:
        wrong.append(f"--parallel {parallel} is out of range; give auto, or a number from 1 to {MOST_PARALLEL}")
    if wrong:
        raise Problems(wrong)
    first_point = {one.path: one.domain.samples()[0] for one in search.parameters}
    at_first = replace(spec, overrides=(*spec.overrides, *_texts(first_point)))
    (stage,) = resolve(at_first, request.here, request.gpu)
    plan = stage.config.curriculum
    judged = early.min_iter or max(1, math.ceil(JUDGED_AT * plan.timesteps / plan.eval_freq))
    notes = [f"warning: {one}" for one in warnings(objective, search.parameters)]
    first, whole = plan.eval_freq * judged, plan.timesteps * request.seeds
    if pruner != "none" and first >= whole:
        notes.append(
            f"warning: no trial will be pruned: {pruner} judges for the first time at {first:,} steps, and a trial has"
            f" {whole:,}; give a smaller --eval-freq, or --pruner none"
        )
    if gate:
        notes.append(f"note: reward weights are searched, so {REWARD_GATE} is left out of every trial's gate")
    return SweepPlan(
        spec=spec,
        parameters=search.parameters,
        trials=trials,
        method=method,
        pruner=pruner,
        first=first,
        eta=early.eta,
        objective=objective,
        seeds=request.seeds,
        budget=plan.timesteps,
        parallel=parallel,
        notes=tuple(notes),
        first_evaluation=judged,
    )


def _first(*values: int | None) -> int | None:
    """The first that was said."""
    return next((value for value in values if value is not None), None)


def _texts(point: Point) -> list[str]:
    return [f"{path}={write_value(value)}" for path, value in point.items() if path != SEED]


def _search_file(request: SweepRequest) -> SearchFile:
    if request.file is not None and request.text is not None:
        raise UserError("--search-space and --search-space-file are both given; leave one of them out")
    if request.text is not None:
        return read_search_text(request.text)
    if request.file is not None:
        return read_search_file(request.file)
    algorithm = request.algorithm or "ppo"
    shipped = configs_folder() / f"sweep_{algorithm}.json"
    if not shipped.is_file():
        raise UserError(f"there is no search space for algorithm '{shown(algorithm)}'; give one: --search-space-file")
    return read_search_file(shipped)


def _base(request: SweepRequest, file: SearchFile) -> RunSpec:
    """The training that the file's command names, if it has one, with what the options say."""
    try:
        spec = spec_of_words(trial_spec_words(without_macros(file.words)))
    except UserError as error:
        raise Problems(f"{file.where}: {sentence}" for sentence in sentences_of(error)) from None
    given = {
        "species": request.species,
        "stage": request.stage,
        "backend": request.backend,
        "algorithm": request.algorithm,
        "physics": request.physics,
        "load": request.load,
        "seed": request.seed or None,
    }
    spec = replace(spec, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    load = None if spec.load is None else spec.load.expanduser().resolve()  # the same policy however it is spelled
    return replace(spec, species=spec.species or DEFAULT_SPECIES, stage=spec.stage or 1, load=load)


def _method(request: SweepRequest, file: SearchFile, wrong: list[str]) -> Method:
    if request.sampler is None:
        return file.method or "bayes"
    if request.sampler not in SAMPLERS:
        near = did_you_mean(request.sampler, SAMPLERS) or f"; give one of {', '.join(SAMPLERS)}"
        wrong.append(f"unknown sampler '{shown(request.sampler)}'{near}")
        return "bayes"
    return SAMPLERS[request.sampler]


def _pruner(request: SweepRequest, file: SearchFile, wrong: list[str]) -> tuple[Pruner, Hyperband]:
    early = file.early or Hyperband()
    if request.pruner is None:
        return ("hyperband" if file.early else "none" if file.words else request.default_pruner), early
    for one in PRUNERS:
        if request.pruner == one:
            return one, early
    near = did_you_mean(request.pruner, PRUNERS) or f"; give one of {', '.join(PRUNERS)}"
    wrong.append(f"unknown pruner '{shown(request.pruner)}'{near}")
    return "none", early
