"""Rooms import only rooms above them in the README's list, no two files import each other, and starting up is cheap.

Imports are read from the source, those inside functions included; importing nothing, this sees every path.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mesozoic

PACKAGE = Path(mesozoic.__file__).parent
README = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
HEAVY = {"jax", "jaxlib", "flax", "optax", "torch", "stable_baselines3", "sky", "google", "wandb", "optuna", "mujoco"}
CHEAP_ROOMS = ("config", "cli", "errors", "files")
TOP = ("__init__", "__main__")
"""The package itself: what users import and run. Above everything, so no room may import it."""

Import = tuple[int, str]
"""Line and absolute name of what is imported there."""


def rooms() -> list[str]:
    """Names of the rooms from the ground up, as the README lists them."""
    found = re.search(r"A room imports only those before it:\s+`([a-z0-9_, \n]+)`", README)
    assert found, "the README no longer lists the rooms"
    return [name.strip() for name in found[1].split(",")]


def modules() -> dict[str, Path]:
    """Dotted name -> file of every module; a package has the name of its folder."""
    paths = sorted(PACKAGE.rglob("*.py"))
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in paths]
    return {name.removesuffix(".__init__"): path for name, path in zip(names, paths, strict=True)}


MODULES = modules()


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports_of(tree: ast.AST, module: str, is_package: bool) -> Iterator[Import]:
    """Every module that a tree imports; of `from package import name`, the module `name` if it is one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")[: None if is_package and node.level == 1 else is_package - node.level]
                base = ".".join([*parts, *([base] if base else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield node.lineno, name if name in MODULES else base


def imported(module: str) -> set[Import]:
    path = MODULES[module]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return set(imports_of(tree, module, path.name == "__init__.py"))


def test_the_list_has_every_room_and_no_other() -> None:
    assert {room_of(name) for name in MODULES} == {*rooms(), *TOP}
    assert len(set(rooms())) == len(rooms())


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_no_room_below_its_own(module: str) -> None:
    order = {room: number for number, room in enumerate([*rooms(), *TOP])}
    upward = [
        f"line {line} imports {name}"
        for line, name in sorted(imported(module))
        if name.split(".")[0] == "mesozoic" and order[room_of(name)] > order[room_of(module)]
    ]
    assert upward == []


def test_no_two_files_import_each_other() -> None:
    graph = {name: {other for _, other in imported(name) if other in MODULES and other != name} for name in MODULES}
    assert cycles(graph) == []


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name) in CHEAP_ROOMS])
def test_what_starts_every_command_loads_nothing_heavy(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    heavy = [f"line {line} imports {name}" for line, name in at_once(tree) if name.split(".")[0] in HEAVY]
    assert heavy == []


def at_once(tree: ast.Module) -> Iterator[Import]:
    """What is imported when the module is: not inside functions, not for type checking only."""

    def statements(nodes: list[ast.stmt]) -> Iterator[ast.stmt]:
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                yield from statements(node.orelse)
                continue
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield node
            for field in ("body", "orelse", "handlers", "finalbody"):
                inner = getattr(node, field, [])
                yield from statements([part for one in inner for part in (one.body if field == "handlers" else [one])])

    for statement in statements(tree.body):
        yield from imports_of(statement, "", False)


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected parts with more than one member: what is left when all that leads nowhere is taken away."""
    left = {name: set(others) for name, others in graph.items()}
    while ends := [name for name, others in left.items() if not others & set(left)]:
        for name in ends:
            del left[name]
    reach = {name: _reachable(name, left) for name in left}
    groups = {tuple(sorted(other for other in reach[name] if name in reach[other])) for name in left}
    return sorted(list(group) for group in groups if len(group) > 1)


def _reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    found, ahead = {start}, [start]
    while ahead:
        new = (graph[ahead.pop()] & set(graph)) - found
        found |= new
        ahead += new
    return found


def test_no_two_files_of_tests_have_one_name() -> None:
    """pytest collects nothing at all where they do, which a run of some of the files does not show."""
    names = [path.name for path in Path(__file__).parent.rglob("*.py") if path.name != "conftest.py"]
    assert {name for name in names if names.count(name) > 1} == set()


def test_a_cycle_and_a_deferred_import_are_seen() -> None:
    """The test can fail: it sees what it is meant to see."""
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}) == [["a", "b", "c"]]
    source = "def f():\n    from mesozoic.run import folder\nfrom mesozoic import cli\nfrom ..task import mdp"
    found = {name for _, name in imports_of(ast.parse(source), "mesozoic.sim.native", False)}
    assert found >= {"mesozoic.run.folder", "mesozoic.cli"} and any(name.startswith("mesozoic.task") for name in found)
    lines = [
        "import jax",
        "if TYPE_CHECKING:",
        "    import torch",
        "def f():",
        "    import sky",
        "try:",
        "    import wandb",
    ]
    tree = ast.parse("\n".join([*lines, "except ImportError:", "    import optuna"]))
    assert [name for _, name in at_once(tree)] == ["jax", "wandb", "optuna"]
