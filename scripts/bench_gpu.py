"""Measures the device engine: physics, environment and training speed, memory, compile time, parity. One command:

    python scripts/bench_gpu.py --seconds 480 --output runs/bench_gpu

The most valuable numbers come first and every one is written as soon as it is there (`results.jsonl`), so a run
that is cut off has measured something, and the same command goes on where it stopped. At the end (or with
`--seconds 0`) the rows become `table.md` and `speed.png`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MINIBATCHES = 8
COLUMNS = (
    *("animal", "stage", "impl", "worlds", "steps", "line search", "graph", "what"),
    *("control steps/s", "compile s", "memory"),
)
BALANCE = ("velociraptor", 1)


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    `kinds`: of `physics`, `environment`, `training`, `parity`. `ls_iterations` and `graph_mode` None: the default.
    """

    species: str
    stage: int
    impl: str
    worlds: int
    kinds: tuple[str, ...] = ("physics", "environment", "training")
    n_steps: int = 16
    ls_iterations: int | None = None
    graph_mode: str | None = None

    @property
    def name(self) -> str:
        return "/".join(str(value) for value in asdict(self).values())


def cases(species: list[str], impls: list[str], worlds: list[int]) -> list[Case]:
    """What to measure, the most valuable first; narrowed to what was asked for."""
    parity, fast = ("parity",), ("environment", "training")
    plan = [
        Case(*BALANCE, "warp", 8192),
        Case(*BALANCE, "warp", 16, parity),
        Case(*BALANCE, "warp", 4096, fast),
        Case(*BALANCE, "warp", 16384, fast),
        Case(*BALANCE, "warp", 8192, ("physics",), graph_mode="WARP"),
        Case(*BALANCE, "warp", 8192, ("physics",), graph_mode="WARP_STAGED_EX"),
        Case(*BALANCE, "jax", 8192, ("physics",)),
        Case(*BALANCE, "warp", 2048, fast),
        Case("trex", 2, "warp", 8192, fast),
        Case("brachiosaurus", 2, "warp", 8192, fast),
        Case("velociraptor", 2, "warp", 8192, fast),
        Case("velociraptor", 3, "warp", 8192, fast),
        Case(*BALANCE, "jax", 8192, fast),
        Case(*BALANCE, "jax", 16, parity),
        Case(*BALANCE, "warp", 8192, ("physics",), ls_iterations=8),
        Case(*BALANCE, "warp", 8192, fast, n_steps=32),
        Case(*BALANCE, "jax", 8192, ("physics",), ls_iterations=5),
        Case(*BALANCE, "jax", 4096, ("physics",)),
        Case(*BALANCE, "jax", 16384, ("physics",)),
        Case(*BALANCE, "warp", 1024, fast),
        Case(*BALANCE, "warp", 512, fast),
        *(Case(name, 2, impl, 16, parity) for name in ("trex", "brachiosaurus") for impl in ("warp", "jax")),
    ]
    wanted = [
        case
        for case in plan
        if case.species in species and case.impl in impls and (case.kinds == parity or case.worlds in worlds)
    ]
    known = {(case.impl, case.worlds) for case in plan if case.kinds != parity}
    others = [Case(*BALANCE, impl, n) for impl in impls for n in worlds if (impl, n) not in known]
    return wanted + [case for case in others if case.species in species]


def measure(case: Case, seconds: float) -> Iterator[dict[str, Any]]:
    """Rows of one case, each a dictionary of figures, as soon as it is known."""
    from mesozoic.bench.device import DeviceTraining, device_facts, physics_rate
    from mesozoic.config import parse_overrides
    from mesozoic.sim.mjx.engine import MjxEngine
    from mesozoic.sim.mjx.model import FAST, Solver
    from mesozoic.species import get_species, load_stage

    species = get_species(case.species)
    if case.kinds == ("parity",):
        yield {"kind": "parity", **parity(case)}
        return
    solver = FAST[case.impl]
    if case.ls_iterations is not None:
        solver = Solver(solver.iterations, case.ls_iterations, solver.tolerance)

    def engine() -> MjxEngine:
        return MjxEngine(species, case.worlds, case.impl, solver, case.graph_mode)

    if "physics" in case.kinds:
        yield {"kind": "physics", **physics_rate(engine(), case.worlds, 2 * case.n_steps, seconds)._asdict()}
    if "training" in case.kinds:
        batch = case.worlds * case.n_steps // MINIBATCHES
        texts = [f"stage.n_envs={case.worlds}", f"ppo.n_steps={case.n_steps}", f"ppo.batch_size={batch}"]
        config = load_stage(case.species, case.stage, parse_overrides(texts))
        training = DeviceTraining(engine(), species, config)
        yield {"kind": "environment", **training.environment_rate(seconds)._asdict()}
        used = device_facts().get("memory.used")
        row = {"kind": "training", "batch_size": batch, "device_memory_used": used}
        yield {**row, **training.training_rate(seconds)._asdict()}


def parity(case: Case, steps: int = 20) -> dict[str, Any]:
    """How far native and device worlds come apart in `steps` control steps of small random actions from the start."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from mesozoic.sim import philox
    from mesozoic.sim.device_env import DeviceEnv
    from mesozoic.sim.mjx.engine import MjxEngine
    from mesozoic.sim.native_env import native_env
    from mesozoic.sim.samples import Stream
    from mesozoic.species import get_species, load_stage

    species, env, n = get_species(case.species), load_stage(case.species, case.stage).env, case.worlds
    native = native_env(species, env, n, 0, Stream.TRAIN, random_age=True)
    device = DeviceEnv(MjxEngine(species, n, case.impl, None, case.graph_mode), env)
    key = jnp.asarray(philox.key_of(0, Stream.TRAIN))
    worlds = jax.jit(device.reset)(key, jnp.arange(n, dtype=jnp.int32))
    result: dict[str, Any] = {"reset": float(np.abs(np.asarray(worlds.now.observation) - native.reset()).max())}
    step = jax.jit(device.step)
    rng, apart, ends = np.random.default_rng(0), np.zeros(n), np.zeros(n)
    for t in range(steps):
        action = (0.3 * rng.standard_normal((n, device.action_size))).astype(np.float32)
        theirs = native.step(action)
        worlds, ours = step(key, worlds, action, np.float32(1.0))
        apart = np.maximum(apart, np.abs(np.asarray(ours.next_observation) - theirs.next_observation).max(axis=1))
        ends += np.asarray(ours.terminated) != theirs.terminated
        if t == 0:
            result["one_step"] = float(apart.max())
    return {**result, "steps": steps, "median_world": float(np.median(apart)), "worst_world": float(apart.max()),
            "other_ends": int((ends > 0).sum())}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the device engine.")
    parser.add_argument("--seconds", type=float, default=480, help="stop beginning new measurements after so long")
    parser.add_argument("--output", type=Path, default=Path("runs/bench_gpu"))
    parser.add_argument("--species", nargs="+", default=["velociraptor", "trex", "brachiosaurus"])
    parser.add_argument("--impl", nargs="+", default=["warp", "jax"], choices=["warp", "jax"])
    parser.add_argument("--worlds", nargs="+", type=int, default=[512, 1024, 2048, 4096, 8192, 16384])
    parser.add_argument("--each", type=float, default=1.5, help="seconds of one measurement")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "results.jsonl"
    done = {row["case"] for row in read(path)}
    began = time.monotonic()
    for case in cases(options.species, options.impl, options.worlds):
        if case.name in done:
            continue
        if time.monotonic() - began > options.seconds:
            print(f"out of time before {case.name}; run again to go on", flush=True)
            break
        note(path, {"case": case.name, "kind": "begun"})  # a case that kills the program is not tried again
        at = time.monotonic()
        head = {"case": case.name, **asdict(case)}
        try:
            for row in measure(case, options.each):
                note(path, {**head, **row, "wall_seconds": round(time.monotonic() - at, 1)})
        except Exception as error:  # one failure must not cost the other numbers
            traceback.print_exc()
            note(path, {**head, "kind": "failed", "error": f"{type(error).__name__}: {error}"[:500]})
    write_report(options.output, read(path))


def note(path: Path, row: dict[str, Any]) -> None:
    """Append a row, on the disk before anything else happens."""
    text = json.dumps(row)
    with path.open("a") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    if row["kind"] != "begun":
        print(text, flush=True)


def read(path: Path) -> list[dict[str, Any]]:
    """All complete rows."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def write_report(folder: Path, rows: list[dict[str, Any]]) -> None:
    """`environment.json`, `table.md`, and `speed.png` where Matplotlib is installed."""
    from mesozoic.bench.device import device_facts
    from mesozoic.run.versions import versions

    facts = {**device_facts(), **versions(), "date": datetime.now(UTC).strftime("%Y-%m-%d")}
    (folder / "environment.json").write_text(json.dumps(facts, indent=2) + "\n")
    speeds = [row for row in rows if "steps_per_second" in row]
    lines = [
        f"{facts.get('name', facts['device'])}, " + ", ".join(f"{key} {value}" for key, value in facts.items()),
        "",
        f"| {' | '.join(COLUMNS)} |",
        "| " + " | ".join("---" for _ in COLUMNS) + " |",
    ]
    for row in speeds:
        size = row["program_bytes"]
        cells = (
            *(row[key] for key in ("species", "stage", "impl", "worlds", "n_steps")),
            row["ls_iterations"] or "default",
            row["graph_mode"] or "default",
            row["kind"],
            f"{row['steps_per_second']:,.0f}",
            f"{row['compile_seconds']:.0f}",
            "" if size is None else f"{size / 2**20:,.0f} MiB",
        )
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    for row in rows:
        if row["kind"] == "parity":
            lines += ["", f"parity {row['species']} {row['stage']} {row['impl']}: reset {row['reset']:.1e}, one step"
                      f" {row['one_step']:.1e}, {row['steps']} steps: median world {row['median_world']:.1e}, worst"
                      f" {row['worst_world']:.1e}, {row['other_ends']} of {row['worlds']} ended otherwise"]  # fmt: skip
        if row["kind"] == "failed":
            lines += ["", f"failed: {row['case']}: {row['error']}"]
    (folder / "table.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines), flush=True)
    plot(folder / "speed.png", speeds)


def plot(path: Path, rows: list[dict[str, Any]]) -> None:
    """Speed over worlds, for the stage that was measured most."""
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4))
    plain = [r for r in rows if (r["species"], r["stage"]) == BALANCE and r["n_steps"] == 16]
    plain = [r for r in plain if r["ls_iterations"] is None and r["graph_mode"] is None]
    for impl in ("warp", "jax"):
        for kind in ("physics", "environment", "training"):
            points = sorted(
                (r["worlds"], r["steps_per_second"]) for r in plain if (r["impl"], r["kind"]) == (impl, kind)
            )
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", label=f"{impl} {kind}")
    axes.set(xscale="log", yscale="log", xlabel="worlds", ylabel="control steps/s", title=" ".join(map(str, BALANCE)))
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
