"""The device engine: MuJoCo MJX as pure functions of batched arrays.

Only what the next step needs is carried, about 0.6 kB a world. The rest of `mjx.Data` is scratch, made anew
from a blank inside each call, so that resets, checkpoints and scans move little.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from mujoco import mjx

from mesozoic.sim.clearance import clearance
from mesozoic.sim.divergence import broken
from mesozoic.sim.mjx.model import FAST, Solver, device_model, limits_of
from mesozoic.sim.mjx.warp_module import leave_room, load_warp
from mesozoic.species import Species
from mesozoic.species.anatomy import anatomy_of
from mesozoic.task import Sensed

GRAPH_MODE = "WARP_STAGED"
"""How Warp records CUDA graphs. Under `WARP`, placing bodies inside a loop touches memory that is not its own
(seen with warp-lang 1.17.0, mujoco-mjx 3.14.0, jax 0.11.2 on an H200)."""
KNOWN_FIELDS = frozenset({"friction"})
PRECISION = "highest"
"""Of matrix products in the physics: TF32, which GPUs take by default, breaks trainings."""


class Physics(NamedTuple):
    """What continues, and what was sensed last; [n, ...], float32 (float64 where JAX has 64 bits enabled).

    Attributes:
        qpos, qvel: position and velocity; warm: the acceleration that the solver begins from.
        foot_force, actuator_force, site_pos, foot_pos, clearance: as in `Sensed`.
        fields: what differs from the model in each world, name -> [n].
    """

    qpos: Any
    qvel: Any
    warm: Any
    foot_force: Any
    actuator_force: Any
    site_pos: Any
    foot_pos: Any
    clearance: Any
    fields: dict[str, Any]


class MjxEngine:
    """A `PureEngine` on MuJoCo MJX.

    Args:
        impl: `jax` or `warp`.
        n: worlds that are stepped together; `warp` reserves its contacts for that many.
        solver: None takes `FAST`.
        graph_mode: how `warp` records CUDA graphs, a name of `warp.JaxCallableGraphMode`; None is `GRAPH_MODE`.
        device: a device of this machine on which constants lie; None leaves it to MJX.
    """

    def __init__(
        self,
        species: Species,
        n: int,
        impl: str,
        solver: Solver | None = None,
        graph_mode: str | None = None,
        device: Any = None,
    ) -> None:
        if impl == "warp":
            leave_room()
        self.impl = impl
        self.solver = FAST[impl] if solver is None else solver
        self.model = device_model(species, impl, self.solver)
        self.anatomy = anatomy_of(species, self.model)
        self.limits = limits_of(self.model)
        if impl == "warp":
            self._device_model = _warp_model(self.model, graph_mode, device)
            contacts, rows = self.limits.contacts * n, self.limits.constraints
            self._blank = mjx.make_data(self.model, impl=impl, device=device, naconmax=contacts, njmax=rows)
        else:
            self._device_model = mjx.put_model(self.model, impl=impl, device=device)
            self._blank = mjx.make_data(self.model, impl=impl, device=device)
        self._touching = np.flatnonzero(self.model.geom_contype | self.model.geom_conaffinity)
        self._sites = np.array(self.anatomy.strike_site_ids)

    def place(self, qpos: jax.Array, qvel: jax.Array, fields: dict[str, jax.Array]) -> Physics:
        """Worlds at `qpos` [n, nq], `qvel` [n, nv] under the home servo targets.

        `fields` may hold `friction` [n], the sliding friction of floor and feet.
        """
        if unknown := fields.keys() - KNOWN_FIELDS:
            raise ValueError(f"the MJX engine cannot vary {min(unknown)}")
        with jax.default_matmul_precision(PRECISION):
            return jax.vmap(self._place)(qpos, qvel, fields)

    def step(self, state: Physics, ctrl: jax.Array, push: jax.Array) -> Physics:
        """One control period later, under servo targets [n, nu] and torso forces [n, 3] in newtons."""
        with jax.default_matmul_precision(PRECISION):
            return jax.vmap(self._step)(state, ctrl, push)

    def sensed(self, state: Physics) -> Sensed:
        """What the worlds look like, float32."""
        names = (name for name in Sensed._fields if name != "diverged")
        seen = {name: getattr(state, name).astype(jnp.float32) for name in names}
        return Sensed(**seen, diverged=broken(jnp, state.qpos, state.qvel))

    def _place(self, qpos: jax.Array, qvel: jax.Array, fields: dict[str, jax.Array]) -> Physics:
        kind = self._blank.qpos.dtype
        qpos, qvel = qpos.astype(kind), qvel.astype(kind)
        data = self._blank.replace(qpos=qpos, qvel=qvel, ctrl=jnp.asarray(self.anatomy.home_ctrl, kind))
        data = mjx.forward(self._varied(fields), data)
        # As on the native engine, placing leaves the solver's beginning at zero.
        data = data.replace(qpos=qpos, qvel=qvel, qacc_warmstart=self._blank.qacc_warmstart)
        return self._read(data, self._feet(data), fields)

    def _step(self, state: Physics, ctrl: jax.Array, push: jax.Array) -> Physics:
        model, kind = self._varied(state.fields), self._blank.qpos.dtype
        force = self._blank.xfrc_applied.at[self.anatomy.torso_id, :3].set(push.astype(kind))
        data = self._blank.replace(
            qpos=state.qpos, qvel=state.qvel, qacc_warmstart=state.warm, ctrl=ctrl.astype(kind), xfrc_applied=force
        )
        total = jnp.zeros_like(state.foot_force)
        for _ in range(self.anatomy.substeps):
            data = mjx.step(model, data)
            total = total + self._feet(data)
        return self._read(data, total / self.anatomy.substeps, state.fields)

    def _varied(self, fields: dict[str, jax.Array]) -> Any:
        """The model of one world. All geoms that touch get the friction, as a contact takes the larger of its two."""
        if "friction" not in fields:
            return self._device_model
        friction = jnp.asarray(self._device_model.geom_friction).at[self._touching, 0].set(fields["friction"])
        return self._device_model.replace(geom_friction=friction)

    def _feet(self, data: Any) -> jax.Array:
        """Vertical floor force on each foot, [nfeet]."""
        return jnp.stack([jnp.sum(data.sensordata[np.array(slots)]) for slots in self.anatomy.foot_sensors])

    def _read(self, data: Any, foot_force: jax.Array, fields: dict[str, jax.Array]) -> Physics:
        return Physics(
            qpos=data.qpos,
            qvel=data.qvel,
            warm=data.qacc_warmstart,
            foot_force=foot_force,
            actuator_force=data.actuator_force,
            site_pos=data.site_xpos[self._sites],
            foot_pos=jnp.stack([data.geom_xpos[np.array(g)].mean(axis=0) for g in self.anatomy.foot_geoms]),
            clearance=clearance(jnp, self.anatomy, data.xpos, data.xmat.reshape(-1, 9)),
            fields=fields,
        )


def _warp_model(model: Any, graph_mode: str | None, device: Any) -> Any:
    """The model on Warp, which prints only where a limit was too small, not where a search took long."""
    warp = load_warp()
    from mujoco.mjx.third_party.mujoco_warp import OverflowType

    on_host = jax.default_backend() == "cpu"  # where no graph is recorded
    mode = None if on_host else warp.JaxCallableGraphMode[graph_mode or GRAPH_MODE]
    on_device = mjx.put_model(model, impl="warp", device=device, graph_mode=mode)
    shown = int(OverflowType.NEFC | OverflowType.NARROWPHASE)
    return on_device.tree_replace({"opt._impl.warn_overflow": shown})
