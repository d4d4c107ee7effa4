"""Tries inputs of every kind for some time; what does not end in success or one sentence is printed, and exit code 1.

PYTHONPATH=tests python -m fuzz --seconds 600                 # for ten minutes
PYTHONPATH=tests python -m fuzz --seed 5 --only policy --case 17   # one case again, with its input kept
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from fuzz import cases
from fuzz.nasty import PRECIOUS
from fuzz.outcome import SECONDS, before_simulating, last, tally

KEEP = "nobody's business\n"
Kind = Callable[[Random, cases.Say], "str | None"]


def trained(folder: Path) -> tuple[Path, Path]:
    """A finished run and one that was cut off, each trained by a process of its own."""
    finished, cut = folder / "finished", folder / "cut"
    command = [sys.executable, "-m", "mesozoic", "train", *cases.TINY, "--output-dir", str(finished)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=folder)
    if done.returncode:
        raise SystemExit(f"the training for the run folders failed: {done.stderr}")
    shutil.copytree(finished, cut)
    for name in ("metrics.json", "models/stage1_final.zip"):
        (cut / "stage1" / name).unlink()
    return finished, cut


def try_case(kind: str, function: Kind, seed: int, number: int, at: Path) -> tuple[str | None, list[str]]:
    """Run one case in an empty folder; its fault and what is known of its input."""
    shutil.rmtree(at, ignore_errors=True)
    at.mkdir(parents=True)
    os.chdir(at)
    said: list[str] = []
    (at.parent / "last").write_text(f"--seed {seed} --only {kind} --case {number}")
    precious = at.parent / PRECIOUS
    precious.write_text(KEEP)
    faulthandler.dump_traceback_later(3 * SECONDS, exit=True)
    try:
        fault = function(Random(f"{seed} {kind} {number}"), said.append)
    finally:
        faulthandler.cancel_dump_traceback_later()
        os.chdir(at.parent)
    told = any(PRECIOUS in line for line in said)
    if fault is None and not told and (not precious.is_file() or precious.read_text(errors="replace") != KEEP):
        fault = "a file outside of its folder was changed"
    return fault, said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only")
    parser.add_argument("--case", type=int)
    chosen = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="fuzz-"))
    kinds: dict[str, Kind] = {
        "command_line": cases.command_line,
        "policy": cases.policy,
        "run_folder": cases.RunFolders(*trained(home)) if chosen.only in (None, "run_folder") else cases.policy,
        "animal": cases.animal,
        "sweep": cases.sweep,
    }
    names = [chosen.only] if chosen.only else list(kinds)
    faults: dict[str, str] = {}
    counts = dict.fromkeys(names, 0)
    print(f"seed {chosen.seed}, inputs in {home}", flush=True)
    with before_simulating():
        for name in names:
            for number in (0, 1):  # imports and compiles, outside the time
                counts[name] += _note(name, kinds[name], chosen.seed, -number - 1, home, faults)
        if chosen.case is not None:
            _note(names[0], kinds[names[0]], chosen.seed, chosen.case, home, faults, verbose=True)
            return int(bool(faults))
        end = time.monotonic() + chosen.seconds
        number = 0
        while time.monotonic() < end:
            name = names[number % len(names)]
            counts[name] += _note(name, kinds[name], chosen.seed, number, home, faults)
            number += 1
    print(f"{dict(tally)}")
    print(f"{sum(counts.values())} inputs ({', '.join(f'{n} {c}' for n, c in counts.items())}): {len(faults)} faults")
    if not faults:
        shutil.rmtree(home)
    return int(bool(faults))


def _note(
    name: str, kind: Kind, seed: int, number: int, home: Path, faults: dict[str, str], verbose: bool = False
) -> int:
    fault, said = try_case(name, kind, seed, number, home / "case")
    if verbose:
        print(
            "\n".join([*said, f"exit code {last.get('code')}", last.get("errors", ""), f"fault: {fault}"]), flush=True
        )
    elif fault is not None and fault[:100] not in faults:
        print(f"--seed {seed} --only {name} --case {number}: {fault}\n    {' / '.join(said)[:1500]}", flush=True)
    if fault is not None:
        faults.setdefault(fault[:100], fault)
    return 1


if __name__ == "__main__":
    sys.exit(main())
