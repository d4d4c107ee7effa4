"""Affine maps of PyTorch modules as the arrays of a portable policy, and back."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from mesozoic.errors import UserError

SAME_NETWORK = "set net_arch to what the policy was trained with"


def linear_arrays(name: str, modules: list[torch.nn.Module]) -> dict[str, NDArray[Any]]:
    """Weights of the affine maps among `modules` as `name/0/kernel` [in, out], `name/0/bias` [out], ..."""
    maps = [module for module in modules if isinstance(module, torch.nn.Linear)]
    arrays: dict[str, NDArray[Any]] = {}
    for i, module in enumerate(maps):
        arrays[f"{name}/{i}/kernel"] = module.weight.detach().cpu().numpy().T.copy()
        arrays[f"{name}/{i}/bias"] = module.bias.detach().cpu().numpy().copy()
    return arrays


def load_linear(name: str, modules: list[torch.nn.Module], arrays: dict[str, NDArray[Any]]) -> None:
    """The other way about.

    Raises:
        UserError: a weight is missing or has another shape.
    """
    maps = [module for module in modules if isinstance(module, torch.nn.Linear)]
    for i, module in enumerate(maps):
        load_array(f"{name}/{i}/kernel", module.weight.T, arrays)
        load_array(f"{name}/{i}/bias", module.bias, arrays)
    if f"{name}/{len(maps)}/kernel" in arrays:
        raise UserError(f"the policy has more than {len(maps)} layers in its {name}; {SAME_NETWORK}")


def load_array(name: str, parameter: torch.Tensor, arrays: dict[str, NDArray[Any]]) -> None:
    """Copy an array into a parameter.

    Raises:
        UserError: it is missing or has another shape.
    """
    value = arrays.get(name)
    if value is None or value.shape != tuple(parameter.shape):
        found = "nothing" if value is None else list(value.shape)
        raise UserError(
            f"network parameter {name} should have the shape {list(parameter.shape)}, but there is {found};"
            f" {SAME_NETWORK}"
        )
    with torch.no_grad():
        parameter.copy_(torch.as_tensor(value))
