"""Killed at random moments, trainings end byte for byte as if they had not been; of two, one trains.

`MESOZOIC_KILLS=60 MESOZOIC_RACES=20 pytest -m e2e tests/run/test_kills.py` is the full measure; the defaults are
smaller. A kill may fall into starting, compiling, training, saving, evaluating, finishing, and between stages.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesozoic.run.checkpoint import newest
from mesozoic.run.folder import StageFolder

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.name == "nt", reason="kill -9")]

KILLS = int(os.environ.get("MESOZOIC_KILLS", "6"))
RACES = int(os.environ.get("MESOZOIC_RACES", "3"))
SEED = int(os.environ.get("MESOZOIC_KILL_SEED", "0"))
TINY = [
    *("--seed", "3", "--n-envs", "8", "--timesteps", "1024", "--eval-freq", "256", "--save-freq", "64"),
    *("ppo.n_steps=8", "ppo.batch_size=64", "ppo.n_epochs=2", "ppo.net_arch=[16,16]", "ppo.gamma=0.98"),
    *("env.max_episode_steps=20", "curriculum.eval_episodes=4", "curriculum.min_success=0"),
    *("curriculum.min_success_low=0", "curriculum.min_avg_episode_length=0", "curriculum.min_avg_reward=-1000"),
]
TRAIN = ["train", "velociraptor", *TINY]
CURRICULUM = ["curriculum", "trex", *TINY]
NUMBERS = itertools.count()
FORKS = multiprocessing.get_context("forkserver") if os.name == "posix" else multiprocessing.get_context()
FORKS.set_forkserver_preload(["mesozoic.cli.app", "mesozoic.run.train_stage", "mesozoic.learn.ppo.learner"])
TIMES = ("wall_seconds", "seconds", "steps_per_second", "peak_memory_mb", "final_policy", "best_policy")
"""Of `metrics.json`, what differs from run to run."""


@dataclass
class Whole:
    """A run that was not killed: how long it took, and its files."""

    seconds: float
    files: dict[str, object]


class Command:
    """`mesozoic` with arguments, in a process forked from one that has imported everything and begun nothing."""

    def __init__(self, words: list[str], folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._said = folder.parent / f"{folder.name}-{next(NUMBERS)}.said"
        self._process = FORKS.Process(target=run, args=([*words, "--output-dir", str(folder)], str(self._said)))
        self._process.start()

    def ended(self, seconds: float) -> bool:
        """Whether it is over by then."""
        self._process.join(seconds)
        return self._process.exitcode is not None

    def kill(self) -> bool:
        """Kill -9; whether that is what ended it."""
        self._process.kill()
        self._process.join()
        return self._process.exitcode == -signal.SIGKILL

    def result(self) -> tuple[int | None, str]:
        """Its exit code and what it said, once it is over."""
        if not self.ended(900.0):
            self.kill()
        return self._process.exitcode, self._said.read_text(encoding="utf-8")


def run(words: list[str], said: str) -> None:
    """The command line, as `python -m mesozoic` runs it, with what it prints in a file."""
    file = os.open(said, os.O_WRONLY | os.O_CREAT, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["mesozoic", *words]
    from mesozoic.cli.app import main

    main()


def files(folder: Path) -> dict[str, object]:
    """Everything that must not depend on kills: policies, results, the state of the last checkpoint."""
    found: dict[str, object] = {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("stage?/models/*"))
    }
    for path in sorted(folder.glob("stage?/metrics.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        found[str(path.relative_to(folder))] = {key: value for key, value in result.items() if key not in TIMES}
        saved = newest(path.parent / "checkpoints")
        assert saved is not None and not saved.damaged
        found[f"{path.parent.name} saved"] = {part: digest(saved.state[part]) for part in ("learner", "loop")}
        table = (path.parent / "training.csv").read_text(encoding="utf-8").splitlines()
        timing = table[0].split(",").index(f"{path.parent.name}/time/steps_per_second")
        rows = [tuple(cell for i, cell in enumerate(row.split(",")) if i != timing) for row in table]
        found[f"{path.parent.name} table"] = sorted(rows)
    assert list(folder.rglob(".*.tmp")) == [], "what a killed process left half written is gone"
    return found


def digest(value: Any) -> str:
    """Of nested dictionaries of arrays and scalars; equal bits, equal digests."""
    if isinstance(value, dict):
        value = json.dumps({name: digest(inner) for name, inner in sorted(value.items())})
    content = value.dtype.str.encode() + value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module", params=["train", "curriculum"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Whole]:
    command = {"train": TRAIN, "curriculum": CURRICULUM}[request.param]
    Command(command, tmp_path_factory.mktemp("warm")).result()  # compiles
    folder = tmp_path_factory.mktemp("whole")
    began = time.monotonic()
    code, said = Command(command, folder).result()
    assert code == 0, said
    return command, Whole(time.monotonic() - began, files(folder))


def test_killed_at_random(whole: tuple[list[str], Whole], tmp_path: Path) -> None:
    command, expected = whole
    source = random.Random(SEED)
    kills = runs = 0
    where: dict[str, int] = {}
    while kills < KILLS // 2:
        runs += 1
        folder = tmp_path / f"run{runs}"
        while not (trained := Command(command, folder)).ended(source.uniform(0.0, 1.1 * expected.seconds)):
            place = last_words(folder)
            if trained.kill():
                kills += 1
                where[place] = where.get(place, 0) + 1
        code, said = trained.result()
        assert code == 0, said
        assert files(folder) == expected.files
    print(f"{command[0]}: {kills} kills in {runs} runs, all ended identical; killed with {where}")


def last_words(folder: Path) -> str:
    """Roughly where a run is: the highest stage that has begun, and whether it has a checkpoint or a result."""
    stages = [StageFolder(folder, number) for number in (3, 2, 1) if (folder / f"stage{number}").exists()]
    if not stages:
        return "nothing written"
    saved = any(stages[0].checkpoints.glob("step-*"))
    return f"stage {stages[0].stage} {'over' if stages[0].metrics.exists() else 'saved' if saved else 'begun'}"


def test_of_two_started_together_one_trains_and_the_other_says_so(tmp_path: Path) -> None:
    Command(TRAIN, tmp_path / "first").result()
    expected = files(tmp_path / "first")
    for race in range(RACES):
        folder = tmp_path / f"race{race}"
        ended = [one.result() for one in [Command(TRAIN, folder) for _ in range(2)]]
        assert sorted(code or 0 for code, _ in ended) == [0, 2], ended
        (refused,) = [said for code, said in ended if code == 2]
        assert refused.count("\n") == 1 and "another process is training in" in refused
        assert files(folder) == expected
    print(f"{RACES} races: one trained, the other said so")


def test_of_two_that_set_the_old_run_aside_one_trains(tmp_path: Path) -> None:
    Command(TRAIN, tmp_path / "run").result()
    expected = files(tmp_path / "run")
    for race in range(1, 2 + RACES // 10):
        ended = [one.result() for one in [Command([*TRAIN, "--no-resume"], tmp_path / "run") for _ in range(2)]]
        assert sorted(code or 0 for code, _ in ended) == [0, 2], ended
        assert (tmp_path / "run" / f"stage1.old{race}" / "metrics.json").exists()
        assert not (tmp_path / "run" / f"stage1.old{race + 1}").exists()
        found = files(tmp_path / "run")
        assert {name: found[name] for name in expected} == expected
