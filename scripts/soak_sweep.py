#!/usr/bin/env python3
"""Kills launchers and trials of a local sweep at random, and sees that it comes to a true end all the same.

    python scripts/soak_sweep.py --kills 30 --output-dir /tmp/soak

A small sweep of the velociraptor's balance is launched again and again; each time, after a random while, its launcher
or one of its trials is killed with SIGKILL, until that happened `--kills` times. A sweep that is over before that gets
more trials. Then it may run to its end. Exit code 1, and a line for each, unless every trial is accounted for with one
set of values, in the journal as in its folder, no trial outlives its launcher by long or is left in the end, and the
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

import optuna
from optuna.trial import TrialState

from mesozoic.learn.policy import load_policy
from mesozoic.run.folder import StageFolder
from mesozoic.sweep.best import best_trial
from mesozoic.sweep.engines.storage import open_storage
from mesozoic.sweep.handed_on import best_seed
from mesozoic.sweep.sweep_folder import SweepFolder
from mesozoic.sweep.trial_record import TrialRecord

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

ORPHAN_SECONDS = 30.0
"""For which a trial may write its checkpoint once its launcher is gone, on a machine that has little else to do."""


def ancestors(process: int) -> set[int]:
    """That process, the one that began it, and so on."""
    found = set()
    while process > 0:
        found.add(process)
        status = Path(f"/proc/{process}/status").read_text()
        process = int(status.partition("PPid:")[2].split()[0])
    return found


def processes_of(folder: Path) -> dict[int, str]:
    """Process -> its command line, of those that work in a folder; without this one and those that began it."""
    found, own = {}, ancestors(os.getpid())
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and int(place.name) not in own:
            found[int(place.name)] = line
    return found


class Soak:
    """A sweep in a folder, and what was done to it."""

    def __init__(self, folder: Path, trials: int, parallel: int, timesteps: int) -> None:
        self.folder, self.trials, self._parallel, self._timesteps = folder, trials, parallel, timesteps
        self.launchers = self.killed = self.launches = 0
        self.wrong: list[str] = []
        self.running = self.launch()

    @property
    def kills(self) -> int:
        """All of them."""
        return self.launchers + self.killed

    def launch(self) -> subprocess.Popen[bytes]:
        """Type the command of the sweep."""
        words = ["sweep", "launch", "--stage=1", f"--search-space={SPACE}", f"--trials={self.trials}"]
        words += [f"--timesteps={self._timesteps}", "--n-envs=8", "--eval-freq=512", "--sampler=random"]
        words += ["--pruner=none", "--max-failures=1000", f"--parallel={self._parallel}"]
        words += [f"--output-dir={self.folder}", *(f"--override={text}" for text in TINY)]
        self.launches += 1
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.running = subprocess.Popen([sys.executable, "-m", "mesozoic", *words], stdout=log, stderr=log)
        return self.running

    def go_on(self) -> bool:
        """See that a launcher runs; whether it does after the one before had ended, with more trials if it was done."""
        code = self.running.poll()
        if code is None:
            return False
        self.trials += self._parallel if code == 0 else 0
        self.launch()
        return True

    def kill_something(self, draw: random.Random) -> None:
        """One of the trials, or the launcher; of that also see that its trials end, and launch again."""
        trials = [pid for pid, line in processes_of(self.folder).items() if " sweep trial " in line]
        if trials and draw.random() < 0.5:
            try:
                os.kill(draw.choice(trials), signal.SIGKILL)
            except ProcessLookupError:
                return  # it ended meanwhile
            self.killed += 1
            return
        self.running.kill()
        self.running.wait()
        self.launchers += 1
        if draw.random() < 0.5:  # else the next launcher meets those that write their checkpoints
            self.wait_for_orphans()
        self.launch()

    def wait_for_orphans(self) -> None:
        """Note those that are still there after a while."""
        end = time.monotonic() + ORPHAN_SECONDS
        while (left := processes_of(self.folder)) and time.monotonic() < end:
            time.sleep(0.2)
        self.wrong += [f"outlived its launcher by {ORPHAN_SECONDS:g} s: {line}" for line in left.values()]

    def finish(self) -> None:
        """Let it run to its end."""
        while self.running.wait() != 0:
            self.launch()
        self.wait_for_orphans()

    def check(self) -> str:
        """Add what is wrong with the sweep that is over; what it came to, in words."""
        folder = SweepFolder(self.folder)
        records = folder.records(1)
        names = [str(number) for number in range(1, self.trials + 1)]
        if sorted(records, key=int) != names:
            self.wrong.append(f"trials {sorted(records, key=int)}, not 1 to {self.trials}")
        states = {name: record.state for name, record in records.items()}
        if not set(states.values()) <= {"passed", "budget", "failed"}:
            self.wrong.append(f"states {states}")
        if len({str(record.point) for record in records.values()}) != len(records):
            self.wrong.append("a point was tried as two trials")
        self.wrong += self._journal_differs(records)
        _, name, record, _ = best_trial(folder)
        run = StageFolder(folder.trials(1) / name / f"seed{best_seed(record)}", 1)
        for file in (run.final_policy, run.best_policy, run.metrics, run.config):
            if not file.is_file():
                self.wrong.append(f"the winner lacks {file}")
            elif file.suffix == ".zip" and not load_policy(file).finite:
                self.wrong.append(f"{file} is not finite")
        counts = ", ".join(f"{list(states.values()).count(one)} {one}" for one in sorted(set(states.values())))
        return f"{len(records)} trials: {counts}; best {name}"

    def _journal_differs(self, records: dict[str, TrialRecord]) -> list[str]:
        """Where the journal says something else than the folders do."""
        storage = open_storage(None, self.folder)
        (summary,) = optuna.get_all_study_summaries(storage, include_best_trial=False)
        ended = optuna.load_study(study_name=summary.study_name, storage=storage).get_trials()
        wrong = [
            f"the journal has trial {one.number} as {one.state.name}" for one in ended if not one.state.is_finished()
        ]
        for name, record in records.items():
            mine = [one for one in ended if str(one.user_attrs.get("ticket", -2) + 1) == name]
            over = [one for one in mine if one.user_attrs.get("state") == record.state]
            if len(over) != 1 or (over[0].state == TrialState.COMPLETE and over[0].value != record.value):
                wrong.append(f"trial {name} is {record.state} in its folder, and {len(over)} times so in the journal")
        return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--trials", type=int, default=8, help="to begin with")
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--timesteps", type=int, default=32768, help="of each trial")
    parser.add_argument("--most-seconds", type=float, default=20.0, help="between two kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output-dir", type=Path, required=True)
    options = parser.parse_args()
    draw, folder = random.Random(options.seed), options.output_dir.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    soak = Soak(folder, options.trials, options.parallel, options.timesteps)
    while soak.kills < options.kills:
        time.sleep(draw.uniform(1.0, options.most_seconds))
        if not soak.go_on():
            soak.kill_something(draw)
    killing = time.monotonic() - began
    soak.finish()
    found = soak.check()
    print(
        f"killed {soak.launchers} launchers and {soak.killed} trials in {killing:.0f} s; {soak.launches} launches,"
        f" {time.monotonic() - began:.0f} s in all; {found}"
    )
    for line in soak.wrong:
        print(f"WRONG: {line}")
    return 1 if soak.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
