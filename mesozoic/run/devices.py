"""Which devices a training uses, and what in its configuration they cannot share."""

from __future__ import annotations

from mesozoic.config import StageConfig
from mesozoic.errors import UserError, shown
from mesozoic.learn.gpu_ids import chosen, machines, numbers_in
from mesozoic.learn.kinds import AUTO
from mesozoic.run.spec import RunSpec
from mesozoic.sim.physics import PHYSICS, WARP


def devices_asked(spec: RunSpec, physics: str, here: bool) -> int | None:
    """How many devices share the worlds; None if only the machine that will train knows.

    Raises:
        UserError: they are not there, or this physics uses none.
    """
    numbers = numbers_in(spec.gpu_ids)
    if not PHYSICS[physics].impl:
        if spec.gpu_ids.strip():
            raise UserError(
                f"--gpu-ids {shown(spec.gpu_ids)} chooses devices that simulate, and physics '{physics}' simulates on"
                " the processor's cores; leave --gpu-ids out, or choose --physics mjx-warp or mjx-jax"
            )
        if machines() > 1:
            raise UserError(
                f"physics '{physics}' simulates on one machine, and there are {machines()}; give --physics mjx-warp or"
                " mjx-jax, or train on one machine"
            )
        return 1
    if not here:
        return None if numbers is None else len(numbers)
    prepare_jax(physics)
    return machines() * (len(chosen(spec.gpu_ids)) if spec.gpu_ids.strip() else 1)


def sharing_problems(config: StageConfig, devices: int) -> list[str]:
    """What several devices cannot share equally."""
    n, batch, number = config.stage.n_envs, config.ppo.batch_size, config.stage.number
    wrong = []
    if n % devices:
        wrong.append(
            f"stage {number}: {n} worlds cannot be shared equally by {devices} devices; give a multiple of {devices},"
            f" for example --n-envs {-(-n // devices) * devices}"
        )
    if batch % devices:
        wrong.append(
            f"stage {number}: ppo.batch_size = {batch} cannot be shared equally by {devices} devices; set"
            f" ppo.batch_size to a multiple of {devices}"
        )
    return wrong


def prepare_jax(physics: str) -> None:
    """Call it before JAX is asked for its devices: on Warp, or if that may be chosen, JAX leaves memory for it."""
    if physics in (WARP, AUTO):
        from mesozoic.sim.mjx.warp_module import leave_room  # brings MuJoCo

        leave_room()


def devices_of(physics: str, gpu_ids: str) -> str:
    """The devices that `--gpu-ids` chooses, on all machines, for example `2 x NVIDIA H200`; see `learn/gpu_ids.py`."""
    prepare_jax(physics)
    import jax

    numbers = chosen(gpu_ids)
    return f"{len(numbers) * machines()} x {jax.local_devices()[numbers[0]].device_kind}"
