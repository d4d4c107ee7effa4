"""What a rented machine will train: `auto` physics makes it another training with a GPU than without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mesozoic.cloud.offer import Placement
from mesozoic.errors import Problems, UserError, sentences_of
from mesozoic.learn.gpu_ids import numbers_in
from mesozoic.run.spec import RunSpec
from mesozoic.sim.physics import WARP

if TYPE_CHECKING:
    from mesozoic.run.stage_spec import StageSpec

NO_GPU = f"physics '{WARP}' simulates on an NVIDIA GPU, and this machine has none; give --gpus, or --physics native"
Stages = tuple["StageSpec", ...]


@dataclass(frozen=True)
class Trainings:
    """The stages on a machine with an NVIDIA GPU and on one without, or why they cannot be trained there.

    Attributes:
        reasons: why `auto` becomes what it becomes, by whether there is a GPU; empty if it was not asked for.
        gpu_ids: the devices that were asked for by their numbers; empty if none were.
    """

    with_gpu: Stages | UserError = ()
    without: Stages | UserError = ()
    physics: str = ""
    reasons: dict[bool, str] = field(default_factory=dict)
    gpu_ids: tuple[int, ...] = ()

    def on(self, gpu: bool) -> Stages:
        """The stages on a machine with an NVIDIA `gpu`, or on one without.

        Raises:
            UserError: what is wrong with them there.
        """
        found = self.with_gpu if gpu else self.without
        if isinstance(found, UserError):
            raise found
        return found

    def there(self, placement: Placement) -> Stages:
        """The stages on a machine of this kind.

        Raises:
            UserError: what is wrong with them there.
        """
        stages = self.on(placement.has_gpu)
        if not self._has_devices(placement):
            raise UserError(
                f"GPU_IDS {','.join(map(str, self.gpu_ids))} names device {max(self.gpu_ids)}, and {placement} has"
                f" {placement.devices}, counted from 0; give --gpus with more of them, or GPU_IDS=all"
            )
        return stages

    def possible(self, placement: Placement) -> bool:
        """Whether a machine of this kind has what the physics needs."""
        return (placement.has_gpu or self.physics != WARP) and self._has_devices(placement)

    def _has_devices(self, placement: Placement) -> bool:
        counted = placement.has_gpu or not placement.gpu  # one of another maker may be several devices
        return not counted or max(self.gpu_ids, default=0) < placement.devices

    def lines(self, placements: Sequence[Placement]) -> list[str]:
        """Which engine simulates on these machines, in lines for a person."""
        return [self._line(gpu) for gpu in dict.fromkeys(one.has_gpu for one in placements)]

    def _line(self, gpu: bool) -> str:
        stages = self.on(gpu)
        worlds = " and ".join(f"{n:,}" for n in dict.fromkeys(one.config.stage.n_envs for one in stages))
        steps = sum(one.config.curriculum.timesteps for one in stages)
        where = "with a GPU" if gpu else "without a GPU"
        because = f", because {self.reasons[gpu]}" if self.reasons else ""
        return f"physics {where}: {stages[0].physics}{because}; {worlds} worlds, {steps:,} steps at most"


def trainings_of(spec: RunSpec, gpu: bool | None = None) -> Trainings:
    """Check a training for the machines that may be rented for it.

    Args:
        gpu: whether they have a GPU; None: it is not known yet.

    Raises:
        UserError: what is wrong with it there, and where that is not known yet, what is wrong with it everywhere.
    """
    found = Trainings(_checked(spec, True), _checked(spec, False), spec.physics, _reasons(spec), _numbers(spec))
    wrong = [one for one in (found.with_gpu, found.without) if isinstance(one, UserError)]
    if gpu is not None:
        found.on(gpu)
    elif len(wrong) == 2:
        raise Problems(dict.fromkeys(sentence for one in wrong for sentence in sentences_of(one)))
    return found


def _checked(spec: RunSpec, gpu: bool) -> Stages | UserError:
    from mesozoic.run.problems import resolve

    try:
        stages = resolve(spec, here=False, gpu=gpu)
    except UserError as error:
        return error
    return stages if gpu or spec.physics != WARP else UserError(NO_GPU)


def _numbers(spec: RunSpec) -> tuple[int, ...]:
    try:
        return numbers_in(spec.gpu_ids) or ()
    except UserError:  # said by the check
        return ()


def _reasons(spec: RunSpec) -> dict[bool, str]:
    from mesozoic.learn.kinds import AUTO, find_kind
    from mesozoic.run.auto_physics import choose

    if spec.physics != AUTO:
        return {}
    try:
        kind = find_kind(spec.backend, spec.algorithm)
    except UserError:  # said by the check
        return {}
    return {gpu: choose(spec, kind, gpu).reason for gpu in (True, False)}
