"""Train simulated dinosaurs: balance, then walk, then strike, bite or reach food.

The Python API is `train`, `curriculum`, `evaluate`, `render` and `load_policy`; `mesozoic/api.py` describes them.

Importing this package registers its Gymnasium ids, such as `mesozoic/Velociraptor-Balance-v0`, as importing any
package of Gymnasium environments does; `gymnasium.make("mesozoic:mesozoic/Velociraptor-Balance-v0")` imports it for
you. Neither MuJoCo nor JAX is loaded until something needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mesozoic.gym.registration import register_envs
from mesozoic.version import __version__ as __version__

if TYPE_CHECKING:
    from mesozoic.api import curriculum, evaluate, load_policy, render, train

__all__ = ["__version__", "curriculum", "evaluate", "load_policy", "render", "train"]

FUNCTIONS = ("curriculum", "evaluate", "load_policy", "render", "train")

register_envs()


def __getattr__(name: str) -> Any:
    if name in FUNCTIONS:
        return getattr(import_module("mesozoic.api"), name)
    raise AttributeError(f"module 'mesozoic' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
