"""Trains the same on one device and on all, and prints how it compares as JSON; `mjx` or `springs` is the engine.

Not a test, but what one runs, in a process of its own: JAX counts its devices when it starts.
"""

from __future__ import annotations

import copy
import json
import re
import sys
from typing import Any

import jax
import numpy as np
from support.compiled_engine import QUICK_COMPILE
from support.springy_engine import SpringyEngine

from mesozoic.config import parse_overrides
from mesozoic.learn.device_collector import ScanCollector
from mesozoic.learn.placement import ONE_DEVICE, Placement, placement_on
from mesozoic.learn.ppo.learner import PPO, set_up_jax
from mesozoic.sim.device_env import DeviceEnv
from mesozoic.sim.mjx.engine import MjxEngine
from mesozoic.species import get_species, load_stage
from mesozoic.species.anatomy import anatomy_of

ENGINE = sys.argv[1]
N, SEED = 16, 5
OVERRIDES = (
    f"stage.n_envs={N}",
    "env.max_episode_steps=12",
    "env.push_interval=0.2",
    "env.push_velocity_max=0.4",
    "env.friction_range=[0.6, 1.2]",
    "ppo.n_steps=8",
    "ppo.batch_size=32",
    "ppo.n_epochs=2",
    "ppo.net_arch=[16]",
    "jax.quiet_share=0.5",
    "jax.quiet_from=0.0",
    "curriculum.min_avg_episode_length=0",
)


def learner_on(placement: Placement) -> PPO:
    species, stage = get_species("velociraptor"), load_stage("velociraptor", 1, parse_overrides(OVERRIDES))
    n = N // placement.devices
    engine: Any = (
        MjxEngine(species, n, "jax", device=placement.device)
        if ENGINE == "mjx"
        else SpringyEngine(anatomy_of(species, species.load_model()))
    )
    collector = ScanCollector(DeviceEnv(engine, stage.env), N, SEED, QUICK_COMPILE, placement)
    return PPO(collector, stage, "velociraptor", SEED)


def arrays(tree: dict[str, Any], at: str = "") -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, value in tree.items():
        found |= arrays(value, f"{at}{name}/") if isinstance(value, dict) else {f"{at}{name}": np.asarray(value)}
    return found


def apart(one: dict[str, Any], other: dict[str, Any], part: str) -> float:
    a, b = arrays(one), arrays(other)
    assert a.keys() == b.keys()
    return max(float(np.abs(a[k].astype(float) - b[k].astype(float)).max()) for k in a if part in k and a[k].size)


def snapshot(learner: PPO) -> dict[str, Any]:
    return copy.deepcopy(learner.state())


def collectives(program: Any) -> list[str]:
    return re.findall(r" (all-reduce|all-gather|all-to-all|collective-permute)\(", program.as_text())


def inside_loops(program: Any) -> bool:
    """Whether devices exchange something in a loop: a collective in a computation that is not the entry."""
    blocks = re.split(r"\n(?=\S)", program.as_text())
    return any(re.search(r" all-(reduce|gather)\(", block) for block in blocks if not block.startswith("ENTRY"))


def main() -> dict[str, Any]:
    set_up_jax()
    one, many = learner_on(ONE_DEVICE), learner_on(placement_on("all"))
    metrics = [dict(learner.learn()) for learner in (one, many)]
    first = [snapshot(one), snapshot(many)]
    for _ in range(2):
        many.learn()
    last = snapshot(many)
    many.set_state(copy.deepcopy(first[1]))
    for _ in range(2):
        many.learn()
    again = snapshot(many)
    many.set_state(copy.deepcopy(first[0]))  # begun on one device
    moved = snapshot(many)
    many.learn()
    one.set_state(copy.deepcopy(first[1]))  # begun on several
    one.learn()
    worlds = "collector/carry/worlds/"
    exact = ("episode", "world", "now/task_state/step", "now/task_state/push_velocity", "fields/friction")
    samples = {
        name: apart(*first, worlds + name) if worlds + name in arrays(first[0]) else None
        for name in (*exact, *(n[len(worlds) :] for n in arrays(first[0]) if n.endswith("/fields/friction")))
    }
    return {
        "devices": len(jax.devices()),
        "shards": len({shard.device for shard in many.collector._carry.worlds.now.observation.addressable_shards}),
        "parameters": apart(*first, "train/params"),
        "train": apart(*first, "train/"),
        "samples": {name: value for name, value in samples.items() if value is not None},
        "episodes": [float(m["rollout/episodes"]) for m in metrics],
        "resumed": apart(last, again, ""),
        "moved": apart(first[0], moved, ""),
        "one after many": apart(snapshot(one), snapshot(many), "train/params"),
        "rollout collectives": collectives(many.collector._compiled),
        "rollout waits in loops": inside_loops(many.collector._compiled),
        "bytes": [learner.collector._compiled.memory_analysis().argument_size_in_bytes for learner in (one, many)],
        "gradients are added up": inside_loops(many._compiled),
    }


if __name__ == "__main__":
    print(json.dumps(main()))
