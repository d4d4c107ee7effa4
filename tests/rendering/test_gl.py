"""The choice of OpenGL."""

from __future__ import annotations

import sys

import pytest

from mesozoic.errors import UserError
from mesozoic.rendering import gl


class TestChooseGl:
    def test_takes_a_set_variable_without_trying(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gl, "_probe", lambda name: pytest.fail("tried"))
        monkeypatch.setenv("MUJOCO_GL", "OSMesa")
        assert gl.choose_gl() == "osmesa"

    def test_prefers_the_first_that_works_and_sets_the_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setenv("MUJOCO_GL", "")
        monkeypatch.setattr(gl, "_probe", lambda name: "no driver" if name == "egl" else None)
        assert gl.choose_gl() == "osmesa"
        assert gl.os.environ["MUJOCO_GL"] == "osmesa"

    def test_says_what_to_install_when_nothing_works(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setenv("MUJOCO_GL", "")
        monkeypatch.setattr(gl, "_probe", lambda name: f"lib{name} is missing")
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

    def test_reports_a_set_backend_that_does_not_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MUJOCO_GL", "egl")
        monkeypatch.setitem(sys.modules, "mujoco.egl", None)
        with pytest.raises(UserError, match=r"MUJOCO_GL=egl does not work here .* run 'unset MUJOCO_GL'"):
            gl.open_context(16, 16)
