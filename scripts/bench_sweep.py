#!/usr/bin/env python3
"""Measures what a trial of a local sweep costs beyond the same training started by hand.

    python scripts/bench_sweep.py --rounds 3

In turns, so that what else the machine does hits all alike: a training by hand, a sweep of one trial, a sweep of three.
What a sweep costs once (its launcher, Optuna) is in both sweeps, so half of their difference is a trial; of that the
training by hand is taken away. Seconds of the clock and of the processor, all processes together; medians over rounds.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

KINDS = {"by hand": 0, "sweep of 1": 1, "sweep of 3": 3}
"""Name -> trials."""
TINY = (
    "env.max_episode_steps=20",
    "ppo.n_steps=8",
    "ppo.batch_size=32",
    "ppo.net_arch=[16, 16]",
    "curriculum.eval_episodes=8",
    "curriculum.min_success_low=0.6",
    "curriculum.min_avg_episode_length=0",
    "curriculum.min_avg_reward=1e6",
)


@dataclass(frozen=True)
class Seconds:
    """Of the clock, and of the processor."""

    wall: float
    cpu: float

    def __sub__(self, other: Seconds) -> Seconds:
        return Seconds(self.wall - other.wall, self.cpu - other.cpu)

    def __str__(self) -> str:
        return f"{self.wall:6.2f} s wall {self.cpu:6.2f} s cpu"


def words(trials: int, timesteps: int, folder: Path) -> list[str]:
    """The command of a training, or of a sweep with the same one as its trials."""
    common = ["velociraptor", "--stage=1", f"--timesteps={timesteps}", "--n-envs=32", "--eval-freq=1024"]
    common += [f"--output-dir={folder}", *(f"--override={text}" for text in TINY)]
    if not trials:
        return ["train", *common, "--override=ppo.learning_rate=3e-4"]
    space = json.dumps({"ppo_learning_rate": {"type": "discrete", "values": [3e-4, 3.001e-4, 3.002e-4][:trials]}})
    search = [f"--search-space={space}", "--sampler=grid", "--pruner=none", "--parallel=1", f"--trials={trials}"]
    return ["sweep", "launch", *common, *search]


def measured(command: list[str]) -> Seconds:
    """Run a command to its end."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "mesozoic", *command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Seconds(time.perf_counter() - began, cpu)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timesteps", type=int, default=4096, help="of each training")
    options = parser.parse_args()
    beyond: list[Seconds] = []
    launcher: list[Seconds] = []
    with tempfile.TemporaryDirectory() as folder:
        measured(words(0, options.timesteps, Path(folder) / "first"))  # compiles what all others find compiled
        for number in range(options.rounds):
            found = {}
            for kind, trials in KINDS.items():
                place = Path(folder) / f"{number}-{trials}"
                found[kind] = measured(words(trials, options.timesteps, place))
                print(f"round {number + 1}, {kind:<10} {found[kind]}", flush=True)
            both = found["sweep of 3"] - found["sweep of 1"]
            trial = Seconds(both.wall / 2, both.cpu / 2)
            beyond.append(trial - found["by hand"])
            launcher.append(found["sweep of 1"] - trial)
    for what, seconds in (("a trial beyond the same training by hand", beyond), ("once, for a sweep", launcher)):
        print(f"{what}: {Seconds(median(one.wall for one in seconds), median(one.cpu for one in seconds))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
