"""Measures the environments that Gymnasium gives: one world, the batch, and Gymnasium's own loops over single worlds.

    python scripts/bench_gym.py --id mesozoic/Velociraptor-Balance-v0
    python scripts/bench_gym.py --against ../another-checkout --only one

All are measured in turns, each in a process of its own, so that what else the machine does hits all alike; compare the
ratios. Actions are small and random; resets are part of it. `--against` measures another version of the package too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parents[1]
ACTION_SIZE = 0.2
"""Standard deviation of the random actions, of which 1 is the whole range."""
STEPS = 50
"""Calls of `step` between two looks at the clock."""
LOOP_WORLDS = 8
"""Worlds of Gymnasium's own loops; more processes than that do not run side by side here."""
KINDS = {
    "one": "gymnasium.make, one world",
    "next": "gymnasium.make_vec, {n} worlds",
    "same": "gymnasium.make_vec, {n} worlds, SameStep",
    "sync": f"SyncVectorEnv, {LOOP_WORLDS} worlds",
    "async": f"AsyncVectorEnv, {LOOP_WORLDS} worlds",
}
PATIENCE = 120.0
"""Seconds after which a process that does not answer is given up."""


def make(kind: str, name: str, worlds: int) -> Any:
    """The environment of a kind."""
    import gymnasium

    import mesozoic  # noqa: F401 - registers the environments

    if kind == "one":
        return gymnasium.make(name)
    if kind in ("sync", "async"):
        return gymnasium.make_vec(name, num_envs=LOOP_WORLDS, vectorization_mode=kind)
    return gymnasium.make_vec(name, num_envs=worlds, autoreset_mode="SameStep" if kind == "same" else "NextStep")


def work(kind: str, name: str, worlds: int) -> None:
    """In a process of its own: for each number of seconds that is read, steps of a world per second are printed."""
    import numpy as np

    env = make(kind, name, worlds)
    env.reset(seed=0)
    noise = np.random.default_rng(0).standard_normal((STEPS, *env.action_space.shape))
    actions = np.clip(ACTION_SIZE * noise, -1.0, 1.0).astype(np.float32)

    def some() -> int:
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if kind == "one" and (terminated or truncated):
                env.reset()
        return STEPS * getattr(env, "num_envs", 1)

    some()
    print("ready", flush=True)
    for line in sys.stdin:
        steps, began = 0, time.perf_counter()
        while time.perf_counter() - began < float(line):
            steps += some()
        print(steps / (time.perf_counter() - began), flush=True)
    env.close()


class Contender:
    """A process that measures one kind of environment, of one version of the package."""

    def __init__(self, title: str, kind: str, options: argparse.Namespace, checkout: Path) -> None:
        self.title, self.rates = title, list[float]()
        command = [sys.executable, __file__, "--work", kind, "--id", options.id, "--worlds", str(options.worlds)]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=checkout
        )
        self._answer(seconds=0.0)

    def measure(self, seconds: float) -> None:
        """One piece of work."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        self.rates.append(float(self._answer(seconds)))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def _answer(self, seconds: float) -> str:
        import selectors

        assert self._process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            line = self._process.stdout.readline() if waiting.select(seconds + PATIENCE) else ""
        if not line:
            self._process.kill()
            sys.exit(f"'{self.title}' does not answer; run it alone with --only")
        return line


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--id", default="mesozoic/Velociraptor-Balance-v0", help="the environment")
    parser.add_argument("--worlds", type=int, default=128, help="worlds of the batch")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each")
    parser.add_argument("--seconds", type=float, default=1.0, help="of one turn")
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS), help="what to measure")
    parser.add_argument("--against", type=Path, help="another checkout, of which one world is measured too")
    parser.add_argument("--work", choices=list(KINDS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.id, options.worlds)
        return
    contenders = [Contender(KINDS[kind].format(n=options.worlds), kind, options, HERE) for kind in options.only]
    if options.against:
        contenders.insert(0, Contender(f"one world of {options.against}", "one", options, options.against.resolve()))
    for _ in range(options.rounds):
        for contender in contenders:
            contender.measure(options.seconds)
    first = contenders[0]
    print(f"{options.id}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; median of {options.rounds} turns")
    for one in contenders:
        ratio = median(a / b for a, b in zip(one.rates, first.rates, strict=True))
        rate = median(one.rates)
        print(f"{one.title:45} {rate:9.0f} steps/s {1e3 / rate:8.4f} ms  x{ratio:.2f} of the first")
        one.close()


if __name__ == "__main__":
    main()
