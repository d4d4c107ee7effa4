"""Offscreen OpenGL for everything that draws: one thread of the process has all contexts, and whoever draws asks it.

OpenGL holds a context in one thread at a time, and a context that is opened takes the place of the one before. With one
thread, any number of environments can draw, from any thread, and nothing is left open when the program ends.
"""

from __future__ import annotations

import atexit
import importlib
import os
import queue
import threading
import warnings
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from mesozoic.errors import UserError
from mesozoic.rendering.gl import choose_gl, last_line, why_not

T = TypeVar("T")

PATIENCE = 300.0
"""Seconds that a picture may take."""


class Canvas:
    """A context to draw a model with. Close it; else it is closed when nobody has it any more, or with the program.

    Args:
        model: a `mujoco.MjModel`; its meshes and textures are loaded. width, height: pixels.

    Raises:
        UserError: no OpenGL works here.
    """

    def __init__(self, model: Any, width: int, height: int) -> None:
        name = choose_gl()
        self._thread = _this_process()
        try:
            self._held = self._thread.run(lambda: self._thread.open(name, model, width, height))
        except _FailedError as error:
            raise why_not(name, str(error)) from error.__cause__
        self._finalizer = weakref.finalize(self, self._thread.release, self._held)
        self._finalizer.atexit = False  # the thread itself sees to that, in time

    def run(self, work: Callable[[Any], T]) -> T:
        """Call `work` with the `mujoco.MjrContext` while its OpenGL context is current, and return what it returns.

        Raises:
            UserError: the canvas was opened by the process that this one was forked from, or nothing came for minutes.
        """
        if self._thread.process != os.getpid():
            raise _forked()
        return self._thread.run(lambda: work(self._thread.focus(self._held)))

    def close(self) -> None:
        """Free the context; again is harmless."""
        if self._finalizer.detach() is not None and self._thread.process == os.getpid():
            self._thread.run(lambda: self._thread.free(self._held))


class _FailedError(Exception):
    """A context could not be opened; says why."""


class _Held:
    """An open context, and what MuJoCo has loaded into it."""

    def __init__(self, window: Any, context: Any) -> None:
        self.window, self.context = window, context


class _GLThread:
    """The thread that has the contexts of a process. Only `run` and `release` may be called from others."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.ever_opened = False
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._open: set[_Held] = set()
        self._current: _Held | None = None
        self._thread = threading.Thread(target=self._work, name="OpenGL", daemon=True)
        self._thread.start()

    def run(self, job: Callable[[], T]) -> T:
        """What `job` returns or raises, in the thread."""
        if threading.current_thread() is self._thread:
            return job()
        done = threading.Event()
        result: list[T] = []
        failure: list[BaseException] = []

        def work() -> None:
            try:
                result.append(job())
            except BaseException as error:
                failure.append(error)
            done.set()

        self._jobs.put(work)
        if not done.wait(PATIENCE):
            raise UserError(f"OpenGL has not answered for {PATIENCE:g} s; choose another with MUJOCO_GL=osmesa or egl")
        if failure:
            raise failure[0]
        return result[0]

    def release(self, held: _Held) -> None:
        """Have a context freed some time later; callable from anywhere, also from a garbage collection."""
        self._jobs.put(lambda: self.free(held))

    def open(self, name: str, model: Any, width: int, height: int) -> _Held:
        from mesozoic.species.simulator import mujoco

        binding = os.environ.get("PYOPENGL_PLATFORM")
        window = None
        self._current = None  # opening one takes the other away
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # GLFW warns and goes on
                # MuJoCo's own Renderer takes the backend that MUJOCO_GL named when mujoco was first imported. By now
                # the simulation has imported it, with any value or none, so we ask for the backend's class by name.
                window = importlib.import_module(f"mujoco.{name}").GLContext(width, height)
                window.make_current()
                context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
                mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, context)
        except Exception as error:  # PyOpenGL raises anything from AttributeError to its own classes
            if window is not None:
                _quietly(window.free)
            if binding is None:
                os.environ.pop("PYOPENGL_PLATFORM", None)  # MuJoCo sets it for what does not work
            raise _FailedError(last_line(str(error)) or type(error).__name__) from error
        if not self.ever_opened:
            atexit.register(self._end)  # now: before the display ends, whose end was registered by opening
        self.ever_opened = True
        held = _Held(window, context)
        self._open.add(held)
        self._current = held
        return held

    def focus(self, held: _Held) -> Any:
        """Make a context current, and return what MuJoCo draws with."""
        if held not in self._open:
            raise RuntimeError("this canvas is closed")
        if self._current is not held:
            held.window.make_current()
            self._current = held
        return held.context

    def free(self, held: _Held) -> None:
        if held not in self._open:
            return
        self.focus(held).free()  # it deletes its OpenGL objects, for which the OpenGL context must still exist
        held.window.free()
        self._open.discard(held)
        self._current = None

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            job()
            del job  # it keeps what it draws alive

    def _end(self) -> None:
        if self.process == os.getpid():
            self.run(self._free_all)

    def _free_all(self) -> None:
        for held in list(self._open):
            _quietly(partial(self.free, held))


_threads: list[_GLThread] = []
"""Of this process, and of those that it was forked from, the latest last."""
_choosing = threading.Lock()


def _this_process() -> _GLThread:
    """The thread of this process; it begins when first asked for.

    Raises:
        UserError: the process was forked from one that had drawn, whose driver does not work here.
    """
    with _choosing:
        if any(thread.ever_opened for thread in _threads if thread.process != os.getpid()):
            raise _forked()
        if not _threads or _threads[-1].process != os.getpid():
            _threads.append(_GLThread())
        return _threads[-1]


def _forked() -> UserError:
    return UserError(
        "this process was forked from one that has already drawn, and its OpenGL cannot be used in both; start"
        " processes with multiprocessing's context 'spawn', or draw in the child only"
    )


def _quietly(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        return
