"""Gives MJX in JAX native MuJoCo's contact frame between a plane and a capsule, to show that nothing else differs.

Native MuJoCo takes the capsule's axis as the first tangent however steep it stands; MJX falls back to a world axis
beyond 60 degrees. The friction pyramid is not round, so forces then differ by some per cent.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from mujoco.mjx._src import collision_driver, collision_primitive, math
from mujoco.mjx._src.types import GeomType


@collision_primitive.collider(ncon=2)
def _plane_capsule(plane, capsule):  # type: ignore[no-untyped-def]
    normal, axis = plane.mat[:, 2], capsule.mat[:, 2]
    tangent, _ = math.normalize_with_norm(axis - normal * jnp.dot(normal, axis))
    frame = jnp.array([[normal, tangent, jnp.cross(normal, tangent)]])
    contacts = []
    for end in (axis * capsule.size[1], -axis * capsule.size[1]):
        distance, position = collision_primitive._plane_sphere(normal, plane.pos, capsule.pos + end, capsule.size[0])
        contacts.append((distance[None], position[None], frame))
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *contacts)


def install(patch: pytest.MonkeyPatch) -> None:
    """For as long as `patch` lasts; programs compiled meanwhile keep it."""
    patch.setitem(collision_driver._COLLISION_FUNC, (GeomType.PLANE, GeomType.CAPSULE), _plane_capsule)
