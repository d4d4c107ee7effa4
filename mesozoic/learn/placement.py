"""Where the arrays of a training lie: on one device, or spread by world over several, also those of other machines.

`jax.shard_map` runs a rollout on every device for its own worlds, so that no loop of the physics waits for another
device. Everything else is one program for all devices, which XLA divides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mesozoic.learn.gpu_ids import chosen

WORLDS = "worlds"
"""The axis of the devices."""
EVERYWHERE = PartitionSpec()
"""The same array on every device."""
BY_WORLD = PartitionSpec(WORLDS)
"""[n, ...], each device with its worlds."""
BY_STEP_AND_WORLD = PartitionSpec(None, WORLDS)
"""[T, n, ...], each device with its worlds."""

Tree = Any
"""A tree of arrays."""


class Placement:
    """All on one device, JAX's default one. `Spread` is the same for several.

    Attributes:
        devices: how many there are, on all machines; device: one of this machine, for constants and its memory.
    """

    devices = 1

    @property
    def device(self) -> Any:
        return jax.local_devices()[0]

    def key(self, seed: int) -> jax.Array:
        """The random key of a seed, for use on all devices."""
        return jax.random.key(seed)

    def put(self, tree: Tree, where: PartitionSpec) -> Tree:
        """Arrays whose values every machine knows, laid where they belong."""
        return tree

    def fetch(self, tree: Tree) -> Tree:
        """Whole arrays for the host. With other machines, all have to ask at the same time."""
        return tree

    def local(self, tree: Tree) -> Tree:
        """Arrays that are the same everywhere, on this machine alone."""
        return tree

    def results(self, where: PartitionSpec) -> dict[str, Any]:
        """Options of `jax.jit` that say where its results lie."""
        return {}

    def constrain(self, tree: Tree, where: PartitionSpec) -> Tree:
        """Under `jax.jit`: the same arrays, laid there."""
        return tree

    def each(self, function: Callable[..., Any], takes: Any, gives: Any) -> Callable[..., Any]:
        """`function` on every device for what it has of each argument; `takes` and `gives` say where they lie."""
        return function

    def mean(self, value: Tree) -> Tree:
        """Inside of `each`: the mean over the devices."""
        return value

    def sum(self, value: Tree) -> Tree:
        """Inside of `each`: the sum over the devices."""
        return value


class Spread(Placement):
    """Spread by world over `devices`, in the same order on all machines."""

    def __init__(self, devices: Sequence[Any]) -> None:
        self.devices = len(devices)
        self._mesh = Mesh(np.array(devices), (WORLDS,))

    @property
    def device(self) -> Any:
        return self._mesh.local_devices[0]

    def key(self, seed: int) -> jax.Array:
        key: jax.Array = jax.jit(lambda: jax.random.key(seed), **self.results(EVERYWHERE))()
        return key

    def put(self, tree: Tree, where: PartitionSpec) -> Tree:
        def lay(leaf: Any) -> jax.Array:
            value = np.asarray(leaf)
            return jax.make_array_from_callback(value.shape, self._sharding(where), lambda index: value[index])

        return jax.tree.map(lay, tree)

    def fetch(self, tree: Tree) -> Tree:
        if jax.process_count() == 1:
            return tree
        return multihost_utils.process_allgather(tree, tiled=True)

    def local(self, tree: Tree) -> Tree:
        return jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)

    def results(self, where: PartitionSpec) -> dict[str, Any]:
        return {"out_shardings": self._sharding(where)}

    def constrain(self, tree: Tree, where: PartitionSpec) -> Tree:
        return jax.lax.with_sharding_constraint(tree, self._sharding(where))

    def each(self, function: Callable[..., Any], takes: Any, gives: Any) -> Callable[..., Any]:
        # Warp's calls lose which axes their results vary over, so that cannot be checked.
        mapped: Callable[..., Any] = jax.shard_map(
            function, mesh=self._mesh, in_specs=takes, out_specs=gives, check_vma=False
        )
        return mapped

    def mean(self, value: Tree) -> Tree:
        return jax.lax.pmean(value, WORLDS)

    def sum(self, value: Tree) -> Tree:
        return jax.lax.psum(value, WORLDS)

    def _sharding(self, where: PartitionSpec) -> NamedSharding:
        return NamedSharding(self._mesh, where)


ONE_DEVICE = Placement()


def placement_on(gpu_ids: str) -> Placement:
    """The placement on the devices that `--gpu-ids` names on each machine; without any, on the first of each.

    Raises:
        UserError: one of them does not exist.
    """
    numbers = chosen(gpu_ids)
    if jax.process_count() == 1 and numbers == (0,):
        return ONE_DEVICE
    machines = [jax.local_devices(process_index=number) for number in range(jax.process_count())]
    return Spread([devices[number] for devices in machines for number in numbers])
