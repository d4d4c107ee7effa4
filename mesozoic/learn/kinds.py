"""The table of learners: what each is called, which part of a stage it reads, what it needs, and where its code is.

Everything that depends on the choice of a learner is read from here. A new one is a new row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mesozoic.config import StageConfig
from mesozoic.errors import UserError, did_you_mean, shown
from mesozoic.learn import warm_start as begins
from mesozoic.learn.network_presets import hidden_widths
from mesozoic.learn.policy import check_learner
from mesozoic.learn.surroundings import jax_problem, memory_problem

if TYPE_CHECKING:
    from mesozoic.learn.learner import Learner
    from mesozoic.learn.policy import Policy
    from mesozoic.species import Species

AUTO = "auto"
"""Leaves the choice of a backend, or of the physics (`run/auto_physics.py`), to the program."""


@dataclass(frozen=True)
class LearnerKind:
    """One row of the table.

    Attributes:
        backend, algorithm: how users choose it; together they are its name, which policies carry.
        section: of a stage file, with the hyperparameters of the algorithm and its `net_arch`.
        own_section: of a stage file, with what only this backend has.
        physics: the engines it learns on, the default one first.
        modules: what must be importable; extra: of the package, which installs them; empty: the package alone does.
        code: module and class of the learner; its `for_stage` builds one.
        checks: a sentence for each thing in a stage that this learner cannot do.
        begins_from: what a policy must hold for this learner to go on from it.
    """

    backend: str
    algorithm: str
    section: str
    own_section: str
    physics: tuple[str, ...]
    modules: tuple[str, ...]
    extra: str
    code: str
    checks: Callable[[StageConfig], list[str]]
    begins_from: Callable[[Policy], begins.Shapes]

    @property
    def name(self) -> str:
        return f"{self.backend}-{self.algorithm}"

    @property
    def sections(self) -> tuple[str, ...]:
        """Sections of a stage file that decide what this learner does; the others decide nothing."""
        return ("stage", "env", self.section, self.own_section, "curriculum")

    def net_arch(self, config: StageConfig) -> str | tuple[int, ...]:
        """The network as the stage file writes it."""
        found: str | tuple[int, ...] = getattr(config, self.section).net_arch
        return found

    def hidden(self, config: StageConfig) -> tuple[int, ...]:
        """Hidden layer widths."""
        return hidden_widths(self.net_arch(config))

    def missing(self) -> str:
        """What to install or to set here before it can run; empty if nothing is missing."""
        absent = [name for name in self.modules if find_spec(name) is None]
        if not absent:
            return jax_problem() if "jax" in self.modules else memory_problem("PyTorch")
        package = f"'mesozoic[{self.extra}]'" if self.extra else "mesozoic"
        return (
            f"backend '{self.backend}' needs {' and '.join(absent)}, which {'is' if len(absent) == 1 else 'are'}"
            f" not installed; run: pip install {package}"
        )

    def check_warm_start(self, policy: Policy) -> None:
        """Refuse a policy that this learner cannot go on from.

        Raises:
            UserError: another learner trained it, or it lacks what only training needs.
        """
        check_learner(policy, self.name)
        begins.check_complete(policy, self.begins_from(policy))

    def make(
        self,
        species: Species,
        config: StageConfig,
        seed: int,
        warm_start: Policy | None = None,
        physics: str | None = None,
        gpu_ids: str = "",
    ) -> Learner:
        """Build the learner with its training environment.

        Args:
            warm_start: policy to begin from.
            physics: one of `self.physics`; None is the first.
            gpu_ids: devices of an engine that runs on some, see `learn/gpu_ids.py`.

        Raises:
            UserError: it is not installed, or the policy does not fit.
        """
        if missing := self.missing():
            raise UserError(missing)
        if warm_start is not None:
            self.check_warm_start(warm_start)
        module, _, name = self.code.partition(":")
        build = getattr(import_module(module), name).for_stage
        where = [gpu_ids] if gpu_ids else []  # only learners that have such an engine are asked for devices
        learner: Learner = build(species, config, seed, warm_start, physics or self.physics[0], *where)
        return learner


def _whole_batches(config: StageConfig) -> list[str]:
    try:
        config.check_ppo_batches()
    except UserError as error:
        return [str(error)]
    return []


def _sb3_ppo(config: StageConfig) -> list[str]:
    if config.ppo.batch_size < 2:
        return [
            "ppo.batch_size = 1 is too small for backend 'sb3', which standardises the advantages of each batch;"
            " set ppo.batch_size=2 or more"
        ]
    return _whole_batches(config)


def _nothing(_: StageConfig) -> list[str]:
    return []


KINDS: tuple[LearnerKind, ...] = (
    LearnerKind(
        backend="jax",
        algorithm="ppo",
        section="ppo",
        own_section="jax",
        physics=("native", "mjx-warp", "mjx-jax"),
        modules=("jax", "flax", "optax"),
        extra="",
        code="mesozoic.learn.ppo.learner:PPO",
        checks=_whole_batches,
        begins_from=begins.jax_ppo,
    ),
    LearnerKind(
        backend="sb3",
        algorithm="ppo",
        section="ppo",
        own_section="sb3",
        physics=("native",),
        modules=("stable_baselines3", "torch"),
        extra="sb3",
        code="mesozoic.learn.sb3.ppo:SB3PPO",
        checks=_sb3_ppo,
        begins_from=begins.sb3_ppo,
    ),
    LearnerKind(
        backend="sb3",
        algorithm="sac",
        section="sac",
        own_section="sb3",
        physics=("native",),
        modules=("stable_baselines3", "torch"),
        extra="sb3",
        code="mesozoic.learn.sb3.sac:SB3SAC",
        checks=_nothing,
        begins_from=begins.sb3_sac,
    ),
)
"""In the order in which `auto` chooses: the first one that has the algorithm."""


def backends() -> list[str]:
    """What `--backend` takes."""
    return [AUTO, *dict.fromkeys(kind.backend for kind in KINDS)]


def algorithms(backend: str = AUTO) -> list[str]:
    """What `--algorithm` takes with this backend."""
    return list(dict.fromkeys(kind.algorithm for kind in KINDS if backend in (AUTO, kind.backend)))


def find_kind(backend: str, algorithm: str) -> LearnerKind:
    """The learner of a backend and an algorithm, installed here or not; `auto` is the first backend that has it.

    Raises:
        UserError: one of them is unknown, or the backend lacks the algorithm.
    """
    known = backends()
    if backend not in known:
        near = did_you_mean(backend, known) or ";"
        raise UserError(f"unknown backend '{shown(backend)}'{near} this version has: {', '.join(known)}")
    if algorithm not in algorithms():
        near = did_you_mean(algorithm, algorithms()) or ";"
        raise UserError(f"unknown algorithm '{shown(algorithm)}'{near} this version has: {', '.join(algorithms())}")
    for kind in KINDS:
        if backend in (AUTO, kind.backend) and algorithm == kind.algorithm:
            return kind
    has = ", ".join(algorithms(backend))
    raise UserError(
        f"backend '{backend}' has no algorithm '{algorithm}'; it has: {has}; leave --backend out, or give one of these"
    )


def find_physics(kind: LearnerKind, physics: str) -> str:
    """The engine that is asked for by name.

    Raises:
        UserError: no learner, or not this one, has it.
    """
    known = list(dict.fromkeys(name for one in KINDS for name in one.physics))
    if physics not in known:
        near = did_you_mean(physics, known) or ";"
        raise UserError(f"unknown physics '{shown(physics)}'{near} this version has: {', '.join([AUTO, *known])}")
    if physics not in kind.physics:
        raise UserError(f"{kind.name} cannot learn on physics '{physics}'; it has: {', '.join(kind.physics)}")
    return physics
