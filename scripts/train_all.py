#!/usr/bin/env python3
"""Trains the whole curriculum of every species with several seeds, and goes on where it stopped.

    python scripts/train_all.py --output runs/all --jobs 2
    python scripts/train_all.py --output runs/sb3-sac --species velociraptor --target 1 --algorithm sac

Each curriculum runs in a process of its own in `<output>/<species>-seed<S>`; killed or interrupted ones
continue from their checkpoint when this script is started again, finished ones are only reported.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path

from mesozoic.species import species_names
from mesozoic.sweep.finished import finished_below


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--species", nargs="+", default=list(species_names()), choices=species_names())
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=Path("runs/all"))
    parser.add_argument("--jobs", type=int, default=1, help="curricula trained side by side")
    parser.add_argument("--target", type=int, help="last stage; default: all")
    parser.add_argument("--backend", default="auto", help="auto, jax or sb3")
    parser.add_argument("--algorithm", default="ppo", help="ppo or sac")
    parser.add_argument("--override", nargs="*", default=[], help="section.key=value for every run")
    options = parser.parse_args()
    learner = ["--backend", options.backend, "--algorithm", options.algorithm]
    learner += [] if options.target is None else ["--target", str(options.target)]
    waiting = [(species, seed) for seed in options.seeds for species in options.species]
    running: dict[tuple[str, int], subprocess.Popen[bytes]] = {}
    failed: list[str] = []
    stop = False

    def ask_to_stop(number: int, frame: object) -> None:
        nonlocal stop
        stop = True
        for process in running.values():
            process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    options.output.mkdir(parents=True, exist_ok=True)
    while running or (waiting and not stop):
        while waiting and len(running) < options.jobs and not stop:
            species, seed = waiting.pop(0)
            running[species, seed] = _start(options.output, species, seed, [*learner, *options.override])
            if stop:  # the signal came before the process was known
                running[species, seed].terminate()
        time.sleep(0.5)
        for key in [key for key, process in running.items() if process.poll() is not None]:
            process = running.pop(key)
            if process.returncode != 0 and not stop:
                failed.append(
                    f"{key[0]} seed {key[1]}: exit code {process.returncode}, see {_log(options.output, *key)}"
                )
            print(f"{key[0]} seed {key[1]}: {_state(options.output, *key)}", flush=True)
    for line in failed:
        print(line, file=sys.stderr)
    return 130 if stop else bool(failed)


def _folder(output: Path, species: str, seed: int) -> Path:
    return output / f"{species}-seed{seed}"


def _log(output: Path, species: str, seed: int) -> Path:
    return output / f"{species}-seed{seed}.log"


def _start(output: Path, species: str, seed: int, options: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mesozoic", "curriculum", species, "--seed", str(seed)]
    command += ["--output-dir", str(_folder(output, species, seed)), *options]
    print(f"{species} seed {seed}: {_state(output, species, seed)}; going on", flush=True)
    with _log(output, species, seed).open("ab") as log:
        # A session of its own: Ctrl-C reaches it once, through this script.
        return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)


def _state(output: Path, species: str, seed: int) -> str:
    """One phrase about the stages that are over."""
    folder = _folder(output, species, seed)
    parts = []
    for one in finished_below(str(folder))[0] if folder.is_dir() else ():
        verdict = "passed" if one.says["stage_passed"] else "NOT passed"
        parts.append(f"stage {one.stage} {verdict} at {one.says['timesteps']:,} steps")
    return ", ".join(parts) or "no stage is over yet"


if __name__ == "__main__":
    sys.exit(main())
