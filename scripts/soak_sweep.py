#!/usr/bin/env python3
"""Kills launchers and trials of a local sweep at random, and sees that it comes to a true end all the same.

    python scripts/soak_sweep.py --kills 30 --output-dir /tmp/soak

A small sweep of the velociraptor's balance is launched again and again; each time, after a random while, its launcher
or one of its trials is killed with SIGKILL, until that happened `--kills` times. Then it may run to its end. Exit code
1, and a line for each, unless every trial is accounted for with one set of values, no process is left, and the
winner's folder is complete.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from mesozoic.learn.policy import load_policy
from mesozoic.sweep.best import best_trial
from mesozoic.sweep.handed_on import policy_of
from mesozoic.sweep.sweep_folder import SweepFolder

SPACE = """{"ppo_learning_rate": {"type": "double", "min": 1e-5, "max": 1e-3, "scale": "log"},
 "ppo_n_epochs": {"type": "discrete", "values": [1, 2]}}"""
TINY = (
    "env.max_episode_steps=20",
    "ppo.n_steps=8",
    "ppo.batch_size=32",
    "ppo.net_arch=[16, 16]",
    "curriculum.save_freq=512",
    "curriculum.eval_episodes=8",
    "curriculum.min_success_low=0",
    "curriculum.min_avg_episode_length=0",
)


def processes_of(folder: Path) -> dict[int, str]:
    """Process -> its command line, of those that work in a folder; without this one."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and "soak_sweep" not in line:
            found[int(place.name)] = line
    return found


def launch(folder: Path, trials: int, parallel: int) -> subprocess.Popen[bytes]:
    words = ["sweep", "launch", "--stage=1", f"--search-space={SPACE}", f"--trials={trials}", f"--parallel={parallel}"]
    words += ["--timesteps=16384", "--n-envs=8", "--eval-freq=512", "--sampler=random", "--pruner=none"]
    words += ["--max-failures=1000", f"--output-dir={folder}", *(f"--override={text}" for text in TINY)]
    with (folder.parent / f"{folder.name}.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "mesozoic", *words], stdout=log, stderr=log)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--most-seconds", type=float, default=20.0, help="between two kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output-dir", type=Path, required=True)
    options = parser.parse_args()
    draw, folder = random.Random(options.seed), options.output_dir.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    launchers = trials_killed = 0
    running = launch(folder, options.trials, options.parallel)
    while launchers + trials_killed < options.kills:
        time.sleep(draw.uniform(1.0, options.most_seconds))
        if running.poll() is not None:
            if running.returncode == 0:
                print("the sweep was over before all kills; give more --trials")
                break
            running = launch(folder, options.trials, options.parallel)
            continue
        trials = [pid for pid, line in processes_of(folder).items() if " sweep trial " in line]
        if trials and draw.random() < 0.5:
            os.kill(draw.choice(trials), signal.SIGKILL)
            trials_killed += 1
            continue
        running.kill()
        running.wait()
        launchers += 1
        running = launch(folder, options.trials, options.parallel)
    while (code := running.wait()) != 0:
        print(f"launched again after exit code {code}")
        running = launch(folder, options.trials, options.parallel)
    return report(folder, options.trials, launchers, trials_killed)


def report(folder: Path, trials: int, launchers: int, trials_killed: int) -> int:
    wrong = [f"left running: {line}" for line in processes_of(folder).values()]
    records = SweepFolder(folder).records(1)
    if sorted(records, key=int) != [str(number) for number in range(1, trials + 1)]:
        wrong.append(f"trials {sorted(records)}, not 1 to {trials}")
    states = [record.state for record in records.values()]
    if not set(states) <= {"passed", "budget", "failed"}:
        wrong.append(f"states {states}")
    points = {str(record.point) for record in records.values()}
    if len(points) != len(records):
        wrong.append("a point was tried as two trials")
    stage, name, record, _ = best_trial(SweepFolder(folder))
    policy = policy_of(SweepFolder(folder).trials(stage) / name, stage, record)
    if not load_policy(policy).finite:
        wrong.append(f"{policy} is not finite")
    print(f"killed {launchers} launchers and {trials_killed} trials; {len(records)} trials: {states}; best {name}")
    for line in wrong:
        print(f"WRONG: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
