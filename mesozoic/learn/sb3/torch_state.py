"""State of PyTorch modules, optimisers and random generators as nested dictionaries of numpy arrays."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
import numpy as np
import torch

State = dict[str, Any]


def module_state(module: torch.nn.Module) -> State:
    """Parameters and buffers by name."""
    return {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}


def set_module_state(module: torch.nn.Module, state: State) -> None:
    module.load_state_dict({name: torch.as_tensor(np.asarray(value)) for name, value in state.items()})


def optimiser_state(optimiser: torch.optim.Optimizer) -> State:
    """Moments and step counts by parameter and name; the step size is not part of it, it is scheduled."""
    return {
        str(index): {name: value.detach().cpu().numpy().copy() for name, value in moments.items()}
        for index, moments in optimiser.state_dict()["state"].items()
    }


def set_optimiser_state(optimiser: torch.optim.Optimizer, state: State) -> None:
    whole = optimiser.state_dict()
    # Interned as PyTorch's own names are: pickle writes equal names once only if they are one object.
    whole["state"] = {
        int(index): {sys.intern(name): torch.as_tensor(np.asarray(value)).clone() for name, value in moments.items()}
        for index, moments in state.items()
    }
    optimiser.load_state_dict(whole)


def generator_state(space: gymnasium.Space[Any]) -> State:
    """Everything that SB3 draws from: PyTorch, numpy's global generator, and the action space's own."""
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    bits = space.np_random.bit_generator.state
    return {
        "torch": torch.get_rng_state().numpy().copy(),
        "numpy": {
            "kind": str(kind),
            "keys": np.array(keys),
            "position": int(position),
            "has_gauss": int(has_gauss),
            "cached": float(cached),
        },
        # 128-bit numbers, as text
        "space": {"state": str(bits["state"]["state"]), "inc": str(bits["state"]["inc"])}
        | {"has_uint32": int(bits["has_uint32"]), "uinteger": int(bits["uinteger"])},
    }


def set_generator_state(space: gymnasium.Space[Any], state: State) -> None:
    torch.set_rng_state(torch.as_tensor(np.asarray(state["torch"])))
    old = state["numpy"]
    np.random.set_state(
        (old["kind"], np.asarray(old["keys"]), int(old["position"]), int(old["has_gauss"]), float(old["cached"]))
    )
    bits, saved = dict(space.np_random.bit_generator.state), state["space"]
    bits["state"] = {"state": int(saved["state"]), "inc": int(saved["inc"])}
    bits["has_uint32"], bits["uinteger"] = int(saved["has_uint32"]), int(saved["uinteger"])
    space.np_random.bit_generator.state = bits
