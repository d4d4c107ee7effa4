"""Trees of JAX arrays as dictionaries of numpy arrays by path, and back."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mesozoic.errors import UserError


def path_name(path: tuple[Any, ...]) -> str:
    """A leaf's path with slashes, for example `actor/0/kernel`."""
    return "/".join(str(getattr(part, "key", getattr(part, "name", getattr(part, "idx", part)))) for part in path)


def flatten(tree: Any) -> dict[str, NDArray[Any]]:
    """Leaves by path."""
    return {path_name(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}


def unflatten(arrays: dict[str, NDArray[Any]], like: Any) -> Any:
    """A tree of the structure, shapes and types of `like` from arrays by path.

    Raises:
        UserError: a leaf is missing or has another shape.
    """

    def pick(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
        value = arrays.get(path_name(path))
        if value is None or value.shape != leaf.shape:
            found = "nothing" if value is None else list(value.shape)
            raise UserError(
                f"network parameter {path_name(path)} should have the shape {list(leaf.shape)}, but there is {found};"
                " set ppo.net_arch to what the policy was trained with"
            )
        return jnp.asarray(value, dtype=leaf.dtype)

    return jax.tree_util.tree_map_with_path(pick, like)
