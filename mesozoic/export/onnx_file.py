"""An export as an ONNX graph: raw observation in, actions and servo targets in radians out.

Its metadata has the keys that deployers of mjlab and Isaac Lab policies read, as lists with commas, and under
`mesozoic` the whole contract as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mesozoic.errors import UserError, shown
from mesozoic.export.npz_file import servos
from mesozoic.export.vectors import Floats, Run
from mesozoic.learn.policy import Policy

OPSET, IR = 17, 8
"""Of 2022, so that runtimes on robots know them."""
HIDDEN = {"elu": "Elu", "tanh": "Tanh", "relu": "Relu"}


def onnx_files(policy: Policy, contract: dict[str, Any], name: str) -> dict[str, bytes]:
    """`name`.onnx, checked by `onnx.checker`.

    Raises:
        UserError: a joint's name has a comma.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    arrays: dict[str, Any] = {}
    nodes: list[Any] = []

    def node(kind: str, into: str, *inputs: str) -> str:
        nodes.append(helper.make_node(kind, list(inputs), [into], name=into))
        return into

    def array(name: str, values: ArrayLike) -> str:
        arrays[name] = numpy_helper.from_array(np.asarray(values, dtype=np.float32), name)
        return name

    clip = contract["normaliser"]["clip"]
    centred = node("Sub", "centred", "obs", array("mean", policy.arrays["norm/mean"]))
    scaled = node("Div", "scaled", centred, array("std", policy.arrays["norm/std"]))
    x = node("Clip", "normalised", scaled, array("clip_low", -clip), array("clip_high", clip))
    for i in range(policy.layers):
        weights = [array(f"{kind}_{i}", policy.arrays[f"actor/{i}/{kind}"]) for kind in ("kernel", "bias")]
        x = node("Gemm", f"layer_{i}", x, *weights)
        if i < policy.layers - 1:
            x = node(HIDDEN[policy.activation], f"hidden_{i}", x)
    if policy.output == "tanh":
        node("Tanh", "actions", x)
    else:
        node("Clip", "actions", x, array("action_low", -1.0), array("action_high", 1.0))
    servo = {key: array(key, values) for key, values in servos(contract).items()}
    moved = node("Add", "wanted", node("Mul", "moved", "actions", servo["scale"]), servo["home"])
    node("Min", "targets", node("Max", "above", moved, servo["low"]), servo["high"])

    def value(name: str, size: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])

    outputs = [value("actions", policy.action_size), value("targets", policy.action_size)]
    graph = helper.make_graph(nodes, name, [value("obs", policy.observation_size)], outputs, list(arrays.values()))
    versions = contract["provenance"]
    model = helper.make_model(
        graph,
        ir_version=IR,
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="mesozoic",
        producer_version=versions["mesozoic"],
        doc_string=f"{contract['title']}, stage {contract['stage']} ({contract['stage_name']})",
    )
    helper.set_model_props(model, metadata(contract))
    onnx.checker.check_model(model, full_check=True)
    return {f"{name}.onnx": model.SerializeToString(deterministic=True)}


def metadata(contract: dict[str, Any]) -> dict[str, str]:
    """Metadata by key, as text.

    `default_joint_pos + action_scale * action` is the servo target, so it is the pose that the servos hold at home;
    the joint angles there, from which the observation counts, differ by the sag and are in the contract.
    """
    servo, provenance = contract["action"], contract["provenance"]
    return {
        "run_path": f"{contract['species']}-stage{contract['stage']}-{provenance['policy_sha256'][:12]}",
        "joint_names": _names(row["joint"] for row in servo),
        "joint_stiffness": _numbers(row["stiffness"] for row in servo),
        "joint_damping": _numbers(row["damping"] for row in servo),
        "default_joint_pos": _numbers(row["home"] for row in servo),
        "action_scale": _numbers(row["scale"] for row in servo),
        "command_names": "command",
        "observation_names": ",".join(row["name"] for row in contract["observation"]),
        "mesozoic": json.dumps(contract),
    }


def _names(names: Iterable[str]) -> str:
    """Names with commas between.

    Raises:
        UserError: one has a comma in it.
    """
    names = list(names)
    for name in names:
        if "," in name:
            raise UserError(
                f"joint '{shown(name)}' has a comma in its name, which ONNX metadata cannot hold; rename it"
            )
    return ",".join(names)


def _numbers(values: Iterable[float]) -> str:
    return ",".join(f"{value:.9g}" for value in values)


def run_onnx(file: Path, contract: dict[str, Any]) -> Run:
    """The graph in onnxruntime, on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def run(observation: Floats) -> tuple[Floats, Floats]:
        actions, targets = session.run(["actions", "targets"], {"obs": observation})
        return actions, targets

    return run
