"""The physics of an environment without the environment: what an engine was asked to do, done again by it alone."""

from __future__ import annotations

from collections.abc import Callable

from mesozoic.sim.engine import Engine, State
from mesozoic.task.arrays import Array, Sensed


class RecordingEngine:
    """An engine that writes down each step and reset it is asked for, so that they can be replayed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.n, self.anatomy = engine.n, engine.anatomy
        self._calls: list[Callable[[], None]] = []
        self._begun: State = engine.state()

    def begin(self) -> None:
        """Forget what was written down; a replay starts from here."""
        self._calls.clear()
        self._begun = self._engine.state()

    def replay(self) -> None:
        """Do the same again: the same resets, the same servo targets and pushes, the same contacts."""
        self._engine.set_state(self._begun)
        for call in self._calls:
            call()

    def reset(self, mask: Array, qpos: Array, qvel: Array, fields: dict[str, Array]) -> None:
        self._do(lambda: self._engine.reset(mask, qpos, qvel, fields))

    def step(self, ctrl: Array, push: Array, active: Array | None = None) -> None:
        self._do(lambda: self._engine.step(ctrl, push, active))

    def sensed(self, mask: Array | None = None) -> Sensed:
        return self._engine.sensed(mask)

    def state(self, mask: Array | None = None) -> State:
        return self._engine.state(mask)

    def set_state(self, state: State, mask: Array | None = None) -> None:
        self._do(lambda: self._engine.set_state(state, mask))

    def _do(self, call: Callable[[], None]) -> None:
        self._calls.append(call)
        call()
