"""Lets a package of this project be called like the function of the Python API that has its name.

`mesozoic.evaluate` is the package with the evaluation's code as well as the function that users call. Python gives a
package's name to the package as soon as it is imported, so a function of that name would come and go.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        function = getattr(import_module("mesozoic.api"), self.__name__.rpartition(".")[2])
        return function(*arguments, **keywords)


def call_the_api(package: str) -> None:
    """Make `mesozoic.NAME(...)`, of the package `mesozoic.NAME`, call `mesozoic.api.NAME(...)`."""
    sys.modules[package].__class__ = _CallablePackage
