"""The first machine of a training: it has the run folder, judges and logs; the others do what its learner does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mesozoic.errors import UserError
from mesozoic.learn.learner import Learner, Metrics, State
from mesozoic.learn.policy import Policy
from mesozoic.run.machines.hosts import Hosts, Say, free_port, join_jax, meet_followers
from mesozoic.run.machines.line import Line, MachineLost, Patience
from mesozoic.run.machines.states import packed
from mesozoic.run.stage_spec import StageSpec

T = TypeVar("T")


class Leader:
    """Gives orders to all other machines."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines

    @classmethod
    def meet(cls, hosts: Hosts, say: Say, patience: Patience | None = None) -> Leader:
        """Wait for the others, and make all devices one.

        Raises:
            MachineLost: they did not come.
        """
        lines = meet_followers(hosts, patience or Patience(), say)
        port = free_port(hosts.leader)
        for line in lines:
            line.send({"do": "join", "port": port})
        join_jax(hosts, port)
        return cls(lines)

    def order(self, do: str, payload: bytes = b"", **facts: Any) -> None:
        """Have all others do something.

        Raises:
            MachineLost: one of them is gone.
        """
        for line in self._lines:
            if line.lost:
                raise MachineLost(line.lost)
            line.send({"do": do, **facts}, payload)

    def begin(self, spec: StageSpec) -> None:
        """Have the others make the learner of a stage, as this machine does now."""
        self.order(
            "stage",
            species=spec.species,
            seed=spec.seed,
            backend=spec.kind.backend,
            algorithm=spec.kind.algorithm,
            physics=spec.physics,
            gpu_ids=spec.gpu_ids,
            config=spec.config.model_dump(mode="json"),
        )

    def lead(self, learner: Learner) -> Learner:
        """The learner of this machine, with those of the others behind it."""
        return LedLearner(learner, self)

    def together(self, act: Callable[[], T]) -> T:
        """Do what all machines do at the same time.

        Raises:
            MachineLost: it failed because one of them is gone.
        """
        try:
            return act()
        except UserError:  # on all machines alike
            raise
        except Exception:
            for line in self._lines:
                line.wait_for_end(2.0)
            self.order("alive")
            raise

    def signalled(self) -> tuple[str, int] | None:
        """A machine that was told to stop, and the signal."""
        return next(((line.name, line.signal) for line in self._lines if line.signal is not None), None)

    def end(self, code: int, why: str) -> None:
        """Have the others end, and wait a little until they have."""
        for line in self._lines:
            line.close()
            try:
                line.send({"do": "end", "code": code, "why": why})
            except MachineLost:
                continue
        for line in self._lines:
            line.wait_for_end(10.0)


class LedLearner:
    """A `Learner` that is spread over all machines: each of its methods runs on all of them."""

    def __init__(self, learner: Learner, leader: Leader) -> None:
        self._learner, self._leader = learner, leader
        self.set_state(self.state())  # a policy to begin with lies on this machine only

    @property
    def step(self) -> int:
        return self._learner.step

    def learn(self) -> Metrics:
        self._leader.order("learn")
        return self._leader.together(self._learner.learn)

    def policy(self) -> Policy:
        """The same everywhere, so that nobody else is needed."""
        return self._learner.policy()

    def state(self) -> State:
        self._leader.order("state")
        return self._leader.together(self._learner.state)

    def set_state(self, state: State) -> None:
        self._leader.order("set_state", packed(state))
        self._learner.set_state(state)
