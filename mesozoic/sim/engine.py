"""The small interface behind which every physics engine stands."""

from __future__ import annotations

from typing import Protocol

from mesozoic.task.arrays import Array, Sensed


class Engine(Protocol):
    """`n` worlds of one animal. An engine never sees a reward, the task never sees an engine."""

    n: int
    dt: float

    def reset(self, mask: Array, qpos: Array, qvel: Array, friction: Array | None = None) -> None:
        """Place the worlds of `mask` [n] bool at `qpos` [m, nq], `qvel` [m, nv], m = mask.sum(), with the sliding
        friction [m] of floor and feet (None: as it is)."""

    def step(self, ctrl: Array, push: Array, active: Array | None = None) -> None:
        """Advance one control period under servo targets [n, nu] and torso forces [n, 3] in newtons.

        `active` [n] bool restricts it to some worlds; the others stay as they are.
        """

    def sensed(self) -> Sensed:
        """What the worlds look like now."""

    def state(self) -> dict[str, Array]:
        """Everything needed to continue bit for bit."""

    def set_state(self, state: dict[str, Array]) -> None:
        """Continue from what `state()` returned."""
