"""Makes the package's Gymnasium ids known without importing Gymnasium before somebody else does.

Gymnasium 1.x has no plugin entry points: an id exists once its package was imported. Importing
`mesozoic` must stay cheap and `import mesozoic` may come before `import gymnasium`, so the ids are
registered at once if Gymnasium is loaded, and right after it is loaded otherwise.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


def register_with_gymnasium() -> None:
    """Register the ids now, or as soon as Gymnasium is imported."""
    if "gymnasium" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _AfterGymnasium())


def _register() -> None:
    from mesozoic.sim.registration import register_envs

    register_envs()


class _AfterGymnasium(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "gymnasium":
            return None
        sys.meta_path.remove(self)  # once is enough, and the real finders must answer now
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_register(module: ModuleType) -> None:
                load(module)
                _register()

            spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec
