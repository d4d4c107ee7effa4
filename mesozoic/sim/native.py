"""The CPU engine: native MuJoCo, stepped in batches on a thread pool by mjbatch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesozoic.sim.clearance import clearance
from mesozoic.sim.divergence import broken
from mesozoic.sim.engine import State
from mesozoic.species import Species
from mesozoic.species.anatomy import Anatomy, anatomy_of
from mesozoic.species.simulator import mujoco
from mesozoic.task.arrays import Sensed

ModelChange = Callable[[mujoco.MjModel], None]
"""Changes a compiled model in place, for worlds that differ from the one an animal was trained in."""


class NativeEngine:
    """`n` worlds on `threads` cores (0: all). Every world steps bit for bit like `mujoco.mj_step`.

    Args:
        change: applied to the simulated body only; `anatomy` is read before it.

    Attributes:
        n: worlds; dt: control period in seconds; anatomy: constants of the unchanged body.
    """

    def __init__(self, species: Species, n: int, threads: int = 0, change: ModelChange | None = None) -> None:
        from mjbatch import Batch  # it imports MuJoCo, which has to be there already

        self._made_of = (species, n, threads, change)
        self.model = species.load_physics_model()
        self.anatomy: Anatomy = anatomy_of(species, self.model)
        if change is not None:
            change(self.model)
        self.n = n
        self.dt = self.anatomy.dt
        self._batch = Batch(self.model, n, threads)
        self._state = self._batch.bind("state")
        self._qpos = self._batch.bind("qpos")
        self._qvel = self._batch.bind("qvel")
        self._ctrl = self._batch.bind("ctrl")
        self._force = self._batch.bind("xfrc_applied")
        self._warning = self._batch.bind("warning")
        self._sensordata = self._batch.bind("sensordata")
        self._actuator_force = self._batch.bind("actuator_force")
        self._site_pos = self._batch.bind("site_xpos")
        self._geom_pos = self._batch.bind("geom_xpos")
        self._xpos, self._xmat = self._batch.bind("xpos"), self._batch.bind("xmat")
        self._substeps = np.array(self.anatomy.substeps, dtype=np.float64)
        self._foot_force = np.zeros((n, len(self.anatomy.foot_sensors)))
        self._foot_geoms, self._foot_sensors = Groups(self.anatomy.foot_geoms), Groups(self.anatomy.foot_sensors)
        self._sites = np.array(self.anatomy.strike_site_ids)
        self._touching = np.flatnonzero(self.model.geom_contype | self.model.geom_conaffinity)
        self._friction: NDArray[np.float64] | None = None
        self._batch.reset()
        self._blank = self._state[0].copy()

    def reset(
        self,
        mask: NDArray[np.bool_],
        qpos: NDArray[np.float32],
        qvel: NDArray[np.float32],
        fields: dict[str, NDArray[np.float32]],
    ) -> None:
        """Place the worlds of `mask` [n] at `qpos` [m, nq], `qvel` [m, nv].

        `fields` may hold `friction` [m], the sliding friction of floor and feet; without it, it stays as it is.
        """
        if not mask.any():
            return
        if unknown := fields.keys() - {"friction"}:
            raise ValueError(f"the native engine cannot vary {min(unknown)}")
        if "friction" in fields:
            self._set_friction(mask, fields["friction"])
        # Not `batch.reset`: it applies writes made since the last step, such as those of `set_state`, on top.
        self._state[mask] = self._blank
        self._warning[mask] = 0
        self._qpos[mask], self._qvel[mask] = qpos, qvel
        self._ctrl[mask] = self.anatomy.home_ctrl
        self._batch.forward(mask)
        self._foot_force[mask] = self._foot_sensors.sum(self._sensordata)[mask]

    def step(
        self, ctrl: NDArray[np.float32], push: NDArray[np.float32], active: NDArray[np.bool_] | None = None
    ) -> None:
        """Advance one control period: servo targets [n, nu], torso forces [n, 3] in newtons.

        `active` [n] restricts it to some worlds; the others stay as they are.
        """
        self._ctrl[:] = ctrl
        self._force[:, self.anatomy.torso_id, :3] = push
        total = np.zeros(self._sensordata.shape)
        for _ in range(self.anatomy.substeps):
            self._batch.step(active)
            total += self._sensordata
        self._foot_force = self._foot_sensors.sum(total) / self._substeps

    def sensed(self, mask: NDArray[np.bool_] | None = None) -> Sensed:
        """What the worlds, or those of `mask` [n], look like now, float32."""
        at: Any = slice(None) if mask is None else np.flatnonzero(mask)
        qpos, qvel, geoms = self._qpos[at], self._qvel[at], self._geom_pos[at]
        with np.errstate(invalid="ignore", over="ignore"):
            return Sensed(
                qpos=qpos.astype(np.float32),
                qvel=qvel.astype(np.float32),
                foot_force=self._foot_force[at].astype(np.float32),
                actuator_force=self._actuator_force[at].astype(np.float32),
                site_pos=self._site_pos[at].take(self._sites, axis=1).astype(np.float32),
                foot_pos=self._foot_geoms.mean(geoms).astype(np.float32),
                clearance=clearance(np, self.anatomy, self._xpos[at], self._xmat[at]).astype(np.float32),
                diverged=broken(np, qpos, qvel) | np.logical_or.reduce(self._warning[at][:, :, 1], axis=1),
            )

    def pose(self) -> NDArray[np.float32]:
        """`qpos` [n, nq] now, after `set_state` too."""
        return self._qpos.astype(np.float32)

    def state(self, mask: NDArray[np.bool_] | None = None) -> State:
        """Integration states (with warm starts), warnings and mean foot forces of the worlds, or of those of `mask`
        [n]; continuing is bitwise exact."""
        at: Any = slice(None) if mask is None else np.flatnonzero(mask)
        return {
            "physics": self._state[at].copy(),
            "warning": self._warning[at].copy(),
            "foot_force": self._foot_force[at].copy(),
            **({} if self._friction is None else {"friction": self._friction[at, self._touching[0], 0].copy()}),
        }

    def set_state(self, state: State, mask: NDArray[np.bool_] | None = None) -> None:
        """Continue from what `state` returned, on an engine of the same animal; with `mask` [n], in its worlds.

        Until the next step, `sensed` does not know of it.
        """
        everywhere = np.ones(self.n, dtype=bool) if mask is None else mask
        self._state[everywhere] = state["physics"]
        self._warning[everywhere] = state["warning"]
        self._foot_force[everywhere] = state["foot_force"]
        if "friction" in state:
            self._set_friction(everywhere, state["friction"])

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles are made of: how it was made, and where its worlds are."""
        return {"made_of": self._made_of, "state": self.state()}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        """Be the same again; as after `set_state`, `sensed` knows of it from the next step on."""
        self.__init__(*saved["made_of"])  # type: ignore[misc]
        self.set_state(saved["state"])

    def _set_friction(self, mask: NDArray[np.bool_], friction: NDArray) -> None:
        """All geoms that touch, as a contact takes the larger coefficient of its two."""
        if self._friction is None:
            self._friction = self._batch.expand("geom_friction")
        assert self._friction is not None
        self._friction[np.ix_(np.flatnonzero(mask), self._touching, np.array([0]))] = friction[:, None, None]


class Groups:
    """Groups of columns, such as those of each foot.

    Args:
        columns: the indices of each group; none is empty.
    """

    def __init__(self, columns: Sequence[Sequence[int]]) -> None:
        self._column = np.array([i for group in columns for i in group])
        size = np.array([len(group) for group in columns])
        self._first, self._size = np.cumsum(size) - size, size[None, :, None].astype(np.float64)

    def sum(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over each group of `table` [n, m, ...], [n, groups, ...]."""
        return np.add.reduceat(table.take(self._column, axis=1), self._first, axis=1)

    def mean(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means over each group of `table` [n, m, k], [n, groups, k]."""
        return self.sum(table) / self._size
