"""Every other machine of a training: makes the same learner and does with it what the first machine orders."""

from __future__ import annotations

import signal

from mesozoic.config import StageConfig
from mesozoic.errors import UserError
from mesozoic.learn.kinds import find_kind
from mesozoic.learn.learner import Diverged, Learner
from mesozoic.run.display import Reporter
from mesozoic.run.interrupt import Interrupts
from mesozoic.run.machines.hosts import Hosts, join_jax, meet_leader
from mesozoic.run.machines.line import LOST, Line, MachineLost, Order, Patience
from mesozoic.run.machines.states import unpacked
from mesozoic.species import get_species


def follow(hosts: Hosts, reporter: Reporter, patience: Patience | None = None) -> int:
    """Do what the first machine orders until it says that it is over; the exit code.

    That is the first machine's if all is well or the input was bad, else `LOST`: only the first one knows whether the
    job is worth another try, and asks for it.

    Raises:
        MachineLost: the first machine is gone.
    """
    line = meet_leader(hosts, patience or Patience())
    with Interrupts() as interrupts:
        reporter.say(f"machine {hosts.rank} of {hosts.count}, follows {hosts.leader}")
        follower = _Follower(hosts, reporter)
        told = False
        while True:
            if interrupts.received is not None and not told:
                told = True
                line.send({"do": "signal", "number": interrupts.received})
            order = line.next(0.2)
            if order is None:
                continue
            if order[0]["do"] == "end":
                line.close()
                reporter.say(f"the first machine has ended: {order[0]['why']}")
                code = int(order[0]["code"])
                if interrupts.received is not None:
                    return 128 + signal.Signals(interrupts.received)
                return code if code in (0, UserError.exit_code) else LOST
            try:
                follower.do(order)
            except Exception:
                _blame(line)
                raise


class _Follower:
    def __init__(self, hosts: Hosts, reporter: Reporter) -> None:
        self._hosts, self._reporter = hosts, reporter
        self._learner: Learner | None = None

    def do(self, order: Order) -> None:
        facts, payload = order
        what = facts["do"]
        if what == "join":
            join_jax(self._hosts, int(facts["port"]))
        elif what == "stage":
            self._make(facts)
        elif self._learner is None:
            raise ValueError(f"'{what}' before a stage")
        elif what == "learn":
            self._learn(self._learner)
        elif what == "state":
            self._learner.state()
        elif what == "set_state":
            self._learner.set_state(unpacked(payload))

    def _make(self, facts: dict[str, object]) -> None:
        config = StageConfig.model_validate(facts["config"])
        kind = find_kind(str(facts["backend"]), str(facts["algorithm"]))
        species, seed = get_species(str(facts["species"])), int(str(facts["seed"]))
        self._reporter.begin(f"{species.name} stage {config.stage.number}", config.curriculum.timesteps, 0)
        self._learner = kind.make(species, config, seed, None, str(facts["physics"]), str(facts["gpu_ids"]))

    def _learn(self, learner: Learner) -> None:
        try:
            learner.learn()
        except Diverged:  # on all machines alike: the first one says so, and what happens now
            return
        self._reporter.phase("training")
        self._reporter.trained(learner.step, {}, 0.0)


def _blame(line: Line) -> None:
    """What failed here may have failed because the first machine is gone."""
    line.wait_for_end(2.0)
    if line.lost:
        raise MachineLost(line.lost) from None
