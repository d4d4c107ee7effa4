"""An export as arrays in NumPy's own format: `numpy.load(file)` and twelve lines run it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mesozoic.export.vectors import Floats, Run
from mesozoic.learn.policy import Policy


def npz_files(policy: Policy, contract: dict[str, Any], name: str) -> dict[str, bytes]:
    """`name`.npz.

    Arrays `mean`, `std` [nobs]; `kernel_0` [in, out], `bias_0` [out], ...; `home`, `scale`, `low`, `high` [nu];
    texts `activation`, `output` and `contract` (JSON); numbers `clip`, `layers`; `test_obs`, `test_actions`,
    `test_targets` [16, ...].
    """
    arrays: dict[str, Any] = {"mean": policy.arrays["norm/mean"], "std": policy.arrays["norm/std"]}
    for i in range(policy.layers):
        arrays |= {f"{kind}_{i}": policy.arrays[f"actor/{i}/{kind}"] for kind in ("kernel", "bias")}
    arrays |= servos(contract)
    vectors = contract["vectors"]
    tests = {f"test_{key}": [row[key] for row in vectors] for key in ("obs", "actions", "targets")}
    arrays = {key: np.asarray(value, dtype=np.float32) for key, value in {**arrays, **tests}.items()}
    arrays |= {"clip": np.float32(contract["normaliser"]["clip"]), "layers": np.int64(policy.layers)}
    texts = {"activation": policy.activation, "output": policy.output, "contract": json.dumps(contract)}
    arrays |= {key: np.array(text) for key, text in texts.items()}
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return {f"{name}.npz": file.getvalue()}


def servos(contract: dict[str, Any]) -> dict[str, list[float]]:
    """`home`, `scale`, `low` and `high` [nu] of the servo targets."""
    rows = contract["action"]
    plain = {key: [row[key] for row in rows] for key in ("home", "scale")}
    return {**plain, "low": [row["limits"][0] for row in rows], "high": [row["limits"][1] for row in rows]}


def run_npz(file: Path, contract: dict[str, Any]) -> Run:
    """The policy in a file that `npz_files` made, with NumPy alone: what a stranger would write."""
    with np.load(file, allow_pickle=False) as archive:
        a = dict(archive)
    activations: dict[str, Callable[[Any], Any]] = {
        "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        "tanh": np.tanh,
        "relu": lambda x: np.maximum(x, 0),
    }
    outputs: dict[str, Callable[[Any], Any]] = {"clip": lambda x: np.clip(x, -1, 1), "tanh": np.tanh}
    hidden, last = activations[str(a["activation"])], outputs[str(a["output"])]

    def run(observation: Floats) -> tuple[Floats, Floats]:
        x = np.clip((observation - a["mean"]) / a["std"], -a["clip"], a["clip"])
        for i in range(int(a["layers"])):
            x = x @ a[f"kernel_{i}"] + a[f"bias_{i}"]
            x = hidden(x) if i < a["layers"] - 1 else last(x)
        return x, np.clip(a["home"] + a["scale"] * x, a["low"], a["high"])

    return run
