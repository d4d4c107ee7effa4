"""The table of physics engines: what each is called, what it needs, and which one is best here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

NATIVE = "native"
"""The engine that judges every policy, whichever one it was trained on."""


@dataclass(frozen=True)
class PhysicsKind:
    """One row of the table.

    Attributes:
        name: how users choose it; impl: of MuJoCo MJX, empty where it runs on the host.
        modules: what must be importable; extra: of the package, which installs them; empty: the package alone does.
    """

    name: str
    impl: str
    modules: tuple[str, ...]
    extra: str

    def missing(self) -> str:
        """What to install here before it can run; empty if nothing is missing."""
        absent = [name for name in self.modules if not _importable(name)]
        if not absent:
            return ""
        package = f"'mesozoic[{self.extra}]'" if self.extra else "mesozoic"
        return (
            f"physics '{self.name}' needs {' and '.join(absent)}, which {'is' if len(absent) == 1 else 'are'}"
            f" not installed; run: pip install {package}"
        )


PHYSICS = {
    kind.name: kind
    for kind in (
        PhysicsKind(NATIVE, impl="", modules=("mjbatch",), extra=""),
        PhysicsKind("mjx-warp", impl="warp", modules=("mujoco.mjx", "warp"), extra="cuda"),
        PhysicsKind("mjx-jax", impl="jax", modules=("mujoco.mjx",), extra="mjx"),
    )
}


def best_here(names: tuple[str, ...]) -> str:
    """The one of `names` for `auto`: Warp where JAX sees an NVIDIA GPU and Warp is installed, else the first."""
    fast = "mjx-warp"
    if fast in names and not PHYSICS[fast].missing() and _cuda():
        return fast
    return names[0]


def _cuda() -> bool:
    import jax

    try:
        return "nvidia" in jax.devices()[0].device_kind.lower()
    except Exception:  # JAX was told to use what is not there, and raises anything; who trains with it says so
        return False


def _importable(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package that it would lie in
        return False
