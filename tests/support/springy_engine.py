"""A device engine that compiles in a second: bodies whose joints and torso are damped springs, on no floor."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from mesozoic.species.anatomy import Anatomy
from mesozoic.task import Sensed

STIFFNESS, DAMPING = 40.0, 4.0


class Springs(NamedTuple):
    """[n, nq], [n, nv] and the friction [n] of the episode, if it varies."""

    qpos: Any
    qvel: Any
    fields: dict[str, Any]


class SpringyEngine:
    """A `PureEngine` for tests of what stands around an engine."""

    def __init__(self, anatomy: Anatomy) -> None:
        self.anatomy = anatomy

    def place(self, qpos: Any, qvel: Any, fields: dict[str, Any]) -> Springs:
        return Springs(jnp.asarray(qpos, jnp.float32), jnp.asarray(qvel, jnp.float32), fields)

    def step(self, state: Springs, ctrl: Any, push: Any) -> Springs:
        body, dt = self.anatomy, self.anatomy.dt
        rest = jnp.zeros((len(ctrl), body.nj)).at[:, body.actuator_qvel - 6].set(ctrl)
        spring = STIFFNESS * (rest - state.qpos[:, 7:]) - DAMPING * state.qvel[:, 6:]
        torso = push / body.mass - DAMPING * state.qvel[:, :3]
        qvel = state.qvel.at[:, 6:].add(dt * spring).at[:, :3].add(dt * torso)
        qpos = state.qpos.at[:, 7:].add(dt * qvel[:, 6:]).at[:, :3].add(dt * qvel[:, :3])
        return Springs(qpos, qvel, state.fields)

    def sensed(self, state: Springs) -> Sensed:
        body, n = self.anatomy, len(state.qpos)
        feet = len(body.foot_names)
        load = body.weight / feet * (1.0 + 0.1 * state.qpos[:, 7 : 7 + feet])
        torso = state.qpos[:, None, :3]
        return Sensed(
            qpos=state.qpos,
            qvel=state.qvel,
            foot_force=load,
            actuator_force=state.qpos[:, 7 : 7 + body.nu],
            site_pos=jnp.broadcast_to(torso, (n, len(body.strike_site_ids), 3)),
            foot_pos=jnp.broadcast_to(torso, (n, feet, 3)) * jnp.array([1.0, 1.0, 0.0]),
            clearance=state.qpos[:, 2],
            diverged=jnp.any(~jnp.isfinite(state.qpos), axis=1),
        )
