"""What all tests share: processor-only JAX, software rendering, and one loaded animal."""

from __future__ import annotations

import ctypes.util
import os
import sys
from collections.abc import Iterator

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # read once, when gcsfs is imported
os.environ.setdefault("MESOZOIC_WANDB_MEDIA", "0")  # a test that wants pictures in W&B sets it to 1
if sys.platform == "linux" and not os.environ.get("DISPLAY"):
    os.environ.setdefault("MUJOCO_GL", "osmesa" if ctypes.util.find_library("OSMesa") else "egl")

import signal

import pytest
from hypothesis import settings

from mesozoic.config import EnvSection
from mesozoic.errors import UserError
from mesozoic.rendering.gl import choose_gl
from mesozoic.species import Species, get_species
from mesozoic.species.anatomy import Anatomy, anatomy_of
from mesozoic.task import TERMS, weight_key

# A shell that runs the tests in the background has them ignore these, and so would every command they start.
for ignored in (signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored is signal.SIGINT else signal.SIG_DFL)

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compile each program once for all tests and the commands they start, away from the user's own cache.

    Test processes that run side by side (pytest-xdist) share it too.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESOZOIC_CACHE", str(shared / "cache"))
        yield


@pytest.fixture(scope="session")
def species() -> Species:
    return get_species("velociraptor")


@pytest.fixture(scope="session")
def anatomy(species: Species) -> Anatomy:
    return anatomy_of(species, species.load_model())


@pytest.fixture(scope="session")
def opengl() -> str:
    """The backend that draws here; a test that draws is skipped where there is none."""
    try:
        return choose_gl()
    except UserError as error:
        pytest.skip(f"rendering cannot be tested on this machine: {error}")


@pytest.fixture(scope="session")
def busy_env() -> EnvSection:
    """Short episodes with everything on: noise, pushes, a gait, prey close by and every reward term."""
    weights = {weight_key(term): 0.1 * (i + 1) for i, term in enumerate(TERMS)}
    return EnvSection(
        max_episode_steps=60,
        push_interval=0.4,
        push_duration=0.1,
        push_velocity_min=0.1,
        push_velocity_max=0.4,
        target_froude=0.2,
        gait_frequency=0.3,
        target_bearing=40.0,
        prey_distance_range=(0.5, 3.0),
        prey_height_range=(0.3, 1.2),
        hold_time=0.1,
        **weights,
    )
