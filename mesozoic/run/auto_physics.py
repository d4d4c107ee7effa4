"""What `--physics auto` becomes, and why: on this machine, or on one that is to be rented."""

from __future__ import annotations

from dataclasses import dataclass

from mesozoic.errors import UserError
from mesozoic.learn.kinds import LearnerKind
from mesozoic.run.spec import RunSpec
from mesozoic.sim.physics import WARP, gpu_here
from mesozoic.species.stages import has_device_table, stage_files


@dataclass(frozen=True)
class Choice:
    """An engine, and the reason for it.

    Attributes:
        lost: whether there is a GPU that should simulate and cannot.
    """

    physics: str
    reason: str
    lost: bool = False

    def __str__(self) -> str:
        return f"physics auto is {self.physics}, because {self.reason}"

    @property
    def line(self) -> str:
        """For the log of a training: a warning where a GPU lies idle."""
        return f"warning: {self}; the processor simulates" if self.lost else f"note: {self}"


def choose(spec: RunSpec, kind: LearnerKind, gpu: bool | None = None) -> Choice:
    """The engine for a training that leaves the choice to the program.

    It is Warp where there is an NVIDIA GPU, the learner can use it, and every stage that is trained has a table
    `[device]`, which has the worlds, batches and budget for a GPU. Else it is the learner's first.

    Args:
        gpu: whether the machine that trains has one; None: look at this one.
    """
    otherwise = kind.physics[0]
    if WARP not in kind.physics:
        return Choice(otherwise, f"{kind.name} learns on no other" if len(kind.physics) == 1 else "it is the default")
    if without := _stages_without_table(spec):
        return Choice(otherwise, f"stage {without[0]} of {spec.species} has no [device] table for a GPU")
    if gpu is not None:
        return Choice(WARP, "the machine has a GPU") if gpu else Choice(otherwise, "the machine has no NVIDIA GPU")
    here = gpu_here()
    if here.problem:
        return Choice(otherwise, f"{here.name} cannot be used ({here.problem})", lost=True)
    return Choice(WARP, f"there is {here.name}") if here else Choice(otherwise, "there is no NVIDIA GPU")


def _stages_without_table(spec: RunSpec) -> list[int]:
    """Those of the stages to be trained; none of what does not exist, which is said elsewhere."""
    try:
        numbers = [number for number in stage_files(spec.species) if spec.stage in (None, number)]
    except UserError:
        return []
    wanted = [number for number in numbers if spec.target is None or number <= spec.target]
    return [number for number in wanted if not has_device_table(spec.species, number)]
