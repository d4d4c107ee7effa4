"""The choice of OpenGL."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable

import pytest

from mesozoic.errors import UserError
from mesozoic.rendering import gl


@pytest.fixture(autouse=True)
def unbound(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyOpenGL was told nothing."""
    monkeypatch.delenv(gl.BINDING, raising=False)


class TestChooseGl:
    def test_takes_a_set_variable_without_trying(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gl, "_probe", lambda name, without=(): pytest.fail("tried"))
        monkeypatch.setenv("MUJOCO_GL", "OSMesa")
        assert gl.choose_gl() == "osmesa"

    def test_prefers_the_first_that_works_and_sets_the_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setenv("MUJOCO_GL", "")
        monkeypatch.setattr(gl, "_probe", lambda name, without=(): "no driver" if name == "egl" else None)
        assert gl.choose_gl() == "osmesa"
        assert gl.os.environ["MUJOCO_GL"] == "osmesa"

    def test_says_what_to_install_when_nothing_works(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setenv("MUJOCO_GL", "")
        monkeypatch.setattr(gl, "_probe", lambda name, without=(): f"lib{name} is missing")
        with pytest.raises(UserError, match="apt-get install libegl1 libgl1-mesa-dri libopengl0 libosmesa6") as error:
            gl.choose_gl()
        assert "egl: libegl is missing; osmesa: libosmesa is missing" in str(error.value)
        assert gl.os.environ["MUJOCO_GL"] == ""

    @pytest.mark.parametrize(("value", "part"), [("off", "turns rendering off"), ("vulkan", "names no OpenGL backend")])
    def test_refuses_values_that_cannot_render(self, monkeypatch: pytest.MonkeyPatch, value: str, part: str) -> None:
        monkeypatch.setenv("MUJOCO_GL", value)
        with pytest.raises(UserError, match=part):
            gl.choose_gl()

    def test_a_crash_of_the_driver_stays_in_its_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gl, "PROBE", "import os; os.abort()")
        assert gl._probe("egl") == "exit code -6"

    def test_reports_why_a_backend_fails(self) -> None:
        assert "vulkan" in str(gl._probe("vulkan"))

    def test_keeps_to_what_pyopengl_was_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tried: list[str] = []
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setenv("MUJOCO_GL", "")
        monkeypatch.setenv("PYOPENGL_PLATFORM", "osmesa")
        monkeypatch.setattr(gl, "_probe", lambda name, without=(): tried.append(name))
        assert gl.choose_gl() == "osmesa"
        assert tried == ["osmesa"]


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have backends work if none of these variables is set to something else than they need."""

    def install(**backends: dict[str, str]) -> None:
        def probe(name: str, without: Iterable[str] = ()) -> str | None:
            if name not in backends:
                return f"lib{name} is not installed"
            left = [key for key in gl.SUSPECTS if os.environ.get(key) and key not in without]
            wrong = [key for key in left if os.environ[key] != backends[name].get(key)]
            return f"{wrong[0]} is wrong" if wrong else None

        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(gl, "_probe", probe)
        for key in (*gl.SUSPECTS, gl.VARIABLE):
            monkeypatch.delenv(key, raising=False)

    return install


class TestAdvice:
    def test_a_device_that_is_not_there_is_not_made_up_for_by_drawing_on_the_processor(
        self, works: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        works(egl={}, osmesa={"MUJOCO_EGL_DEVICE_ID": "7"})
        monkeypatch.setenv("MUJOCO_EGL_DEVICE_ID", "7")
        with pytest.raises(UserError, match=r"egl does not work with MUJOCO_EGL_DEVICE_ID=7 .*'unset MUJOCO_EGL_DEV"):
            gl.choose_gl()

    def test_a_setting_that_is_not_to_blame_is_not_blamed(
        self, works: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        works()
        monkeypatch.setenv("MUJOCO_EGL_DEVICE_ID", "0")
        with pytest.raises(UserError, match=r"no OpenGL to render with .*apt-get install"):
            gl.choose_gl()

    def test_pyopengl_was_told_of_one_that_is_missing(
        self, works: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        works(egl={})
        monkeypatch.setenv("PYOPENGL_PLATFORM", "osmesa")
        with pytest.raises(UserError, match=r"PYOPENGL_PLATFORM=osmesa does not work here .*, egl does; run 'unset PY"):
            gl.choose_gl()

    def test_a_chosen_one_that_fails_names_one_that_works(self, works: Callable[..., None]) -> None:
        works(egl={})
        error = gl.why_not("osmesa", "a reason")
        assert str(error).startswith("MUJOCO_GL=osmesa does not work here (")
        assert str(error).endswith("egl does; run 'unset MUJOCO_GL'")

    def test_where_none_works_it_says_what_to_install(self, works: Callable[..., None]) -> None:
        works()
        assert "nor does another; install one with 'apt-get install" in str(gl.why_not("glfw", "a reason"))
