"""Any number of pictures from any thread, and nothing left open or said at the end."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import mesozoic
from mesozoic.errors import UserError
from mesozoic.rendering import canvas
from mesozoic.rendering.scene import SceneRenderer
from mesozoic.species import Species, get_species

ROOT = Path(mesozoic.__file__).parents[1]
NONE = np.zeros(4)


pytestmark = pytest.mark.usefixtures("opengl")


def picture(renderer: SceneRenderer, lift: float) -> NDArray[np.int64]:
    pose = renderer.model.key_qpos[0].astype(np.float32)
    camera = renderer.camera_path(pose[None], 0.02)
    pose[2] += lift
    return renderer.frame(pose, camera, 0, NONE).astype(int)


def test_many_canvases_in_many_threads_draw_what_one_alone_draws(species: Species) -> None:
    animals = (species, get_species("trex"))
    expected = []
    for animal in animals:
        with SceneRenderer(animal, 96, 64) as alone:
            expected.append([picture(alone, lift) for lift in (0.0, 0.1, 0.2)])
    assert np.abs(expected[0][0] - expected[0][1]).max() > 20
    renderers = [SceneRenderer(animal, 96, 64) for animal in animals]
    wrong: list[object] = []

    def draw(number: int) -> None:
        for i, lift in enumerate((0.0, 0.1, 0.2)):
            off = np.abs(picture(renderers[number], lift) - expected[number][i]).max()
            if off > 2:  # the first picture of a context is off by 1
                wrong.append((number, lift, off))

    threads = [threading.Thread(target=draw, args=(number % 2,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    draw(0)
    draw(1)
    for renderer in renderers:
        renderer.close()
    assert wrong == []


def test_what_nobody_has_any_more_is_freed(species: Species) -> None:
    thread = canvas._this_process()
    before = len(thread._open)
    for _ in range(5):
        picture(SceneRenderer(species, 32, 32), 0.0)
    gc.collect()
    assert thread.run(lambda: len(thread._open)) <= before + 1


def test_closing_twice_is_harmless_and_a_closed_one_draws_nothing(species: Species) -> None:
    renderer = SceneRenderer(species, 32, 32)
    renderer.close()
    renderer.close()
    with pytest.raises(RuntimeError, match="closed"):
        picture(renderer, 0.0)


def test_a_failure_reaches_who_asked_and_the_next_picture_comes(species: Species) -> None:
    def fail(_: object) -> None:
        raise ValueError("in the thread")

    with SceneRenderer(species, 32, 32) as renderer:
        with pytest.raises(ValueError, match="in the thread"):
            renderer._canvas.run(fail)
        assert picture(renderer, 0.0).std() > 5


def test_a_driver_that_hangs_is_not_waited_for_for_ever(species: Species, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    with SceneRenderer(species, 32, 32) as renderer:
        monkeypatch.setattr(canvas, "PATIENCE", 0.2)
        with pytest.raises(UserError, match=r"has not answered for 0\.2 s"):
            renderer._canvas.run(lambda _: release.wait(60))
        release.set()
        monkeypatch.undo()


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A program of its own, in which nothing chooses an OpenGL but these variables."""
    environment = {key: value for key, value in os.environ.items() if key not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    environment |= {"PYTHONPATH": str(ROOT), **variables}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)


BEGIN = """
import os, sys
import gymnasium, mesozoic
def make():
    env = gymnasium.make("mesozoic/Trex-Bite-v0", render_mode="rgb_array")
    env.reset(seed=0)
    return env
"""


def test_environments_draw_side_by_side_and_end_in_silence_without_being_closed() -> None:
    code = BEGIN + (
        "import threading\n"
        "first = make(); first.render(); second = make(); second.render()\n"
        "thread = threading.Thread(target=first.render); thread.start(); thread.join(); first.render()\n"
        "print('drawn')"
    )
    done = run(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "drawn\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_draws_unless_its_parent_has() -> None:
    code = BEGIN + (
        "def child():\n"
        "    pid = os.fork()\n"
        "    if pid: return os.waitpid(pid, 0)[1]\n"
        "    try: env.render(); print('drawn', flush=True)\n"
        "    except mesozoic.errors.UserError as error: print(error, flush=True)\n"
        "    os._exit(0)\n"
        "env = make(); child(); env.render(); child(); env.render(); print('parent')"
    )
    lines = run(code).stdout.splitlines()
    assert lines[0] == "drawn" and lines[2] == "parent"
    assert "forked from one that has already drawn" in lines[1]


Settings = dict[str, str]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"MUJOCO_EGL_DEVICE_ID": "999"}, "egl does not work with MUJOCO_EGL_DEVICE_ID=999"),
        ({"MUJOCO_EGL_DEVICE_ID": "x", "MUJOCO_GL": "egl"}, "egl does not work with MUJOCO_EGL_DEVICE_ID=x"),
        ({"PYOPENGL_PLATFORM": "x11"}, "egl does not work with PYOPENGL_PLATFORM=x11"),
        ({"PYOPENGL_PLATFORM": "osmesa", "MUJOCO_GL": "egl"}, "egl does not work with PYOPENGL_PLATFORM=osmesa"),
        (
            {"PYOPENGL_PLATFORM": "x11", "MUJOCO_EGL_DEVICE_ID": "x"},
            "egl does not work with PYOPENGL_PLATFORM=x11 and MUJOCO_EGL_DEVICE_ID=x",
        ),
        ({"MUJOCO_GL": "glfw"}, "MUJOCO_GL=glfw does not work here"),
    ],
    ids=str,
)
def test_the_setting_that_is_in_the_way_is_named_and_how_to_be_rid_of_it(settings: Settings, words: str) -> None:
    if run(BEGIN + "make().render()", MUJOCO_GL="egl").returncode != 0 or os.environ.get("DISPLAY"):
        pytest.skip("needs EGL and no display")
    done = run(BEGIN + "make().render()", **settings)
    last = done.stderr.splitlines()[-1]
    named = [name for name in ("PYOPENGL_PLATFORM", "MUJOCO_EGL_DEVICE_ID", "MUJOCO_GL") if name in words]
    assert last.startswith(f"mesozoic.errors.UserError: {words}")
    assert last.endswith(f"run 'unset {' '.join(named)}'")
