"""Prepares an animal's model for MJX: what it simulates, how it is solved, how many contacts it can have."""

from __future__ import annotations

from dataclasses import dataclass

from mujoco import mjx

from mesozoic.errors import UserError
from mesozoic.species import Species
from mesozoic.species.simulator import mujoco

MINDIST = 1
"""`reduce` of a contact sensor in its `intprm[1]`: 0 none, 1 mindist, 2 maxforce, 3 netforce."""


@dataclass(frozen=True)
class Solver:
    """Options of the constraint solver; None leaves what the model says.

    Attributes:
        iterations: Newton steps at most; ls_iterations: steps of a line search at most.
        tolerance: improvement of the scaled cost below which it stops.
    """

    iterations: int | None = None
    ls_iterations: int | None = None
    tolerance: float | None = None


FAST: dict[str, Solver] = {
    # Under vmap every line search of `jax` runs to its limit; 8 steps differ from 20 by 2e-3 rad/s in rare worlds.
    "jax": Solver(ls_iterations=8, tolerance=1e-6),
    # A smaller tolerance is out of reach of float32.
    "warp": Solver(tolerance=1e-6),
}
"""What each implementation of MJX trains with: `jax` runs wherever JAX does, `warp` is made for NVIDIA GPUs."""


@dataclass(frozen=True)
class Limits:
    """What one world can have at most: `contacts`, and `constraints`, the rows of the solver."""

    contacts: int
    constraints: int


def device_model(species: Species, impl: str, solver: Solver) -> mujoco.MjModel:
    """The physics model of `species` as MJX takes it; it moves like the one that the native engine simulates.

    - Contact sensors reduce by `mindist`: with `maxforce`, MJX in JAX reports another foot's force where a
      contact touches without force, as it ties with contacts that do not match. All slots are summed, so
      their order is free.
    - `warp` refuses the flag `autoreset="disable"`; it never resets by itself, so nothing changes.
    """
    model = species.load_physics_model()
    contact_sensors = model.sensor_type == mujoco.mjtSensor.mjSENS_CONTACT
    model.sensor_intprm[contact_sensors, 1] = MINDIST
    if impl == "warp":
        model.opt.disableflags &= ~int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    for name in ("iterations", "ls_iterations", "tolerance"):
        value = getattr(solver, name)
        if value is not None:
            setattr(model.opt, name, value)
    return model


def limits_of(model: mujoco.MjModel) -> Limits:
    """The most that the model's geometry allows, which no world can exceed.

    Raises:
        UserError: MJX cannot simulate the model.
    """
    try:
        data = mjx.make_data(model, impl="jax")
    except NotImplementedError as error:
        raise UserError(f"MJX cannot simulate this animal ({error}); use --physics native") from None
    return Limits(int(data._impl.ncon), int(data._impl.nefc))
