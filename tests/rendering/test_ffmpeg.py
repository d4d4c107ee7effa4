"""An ffmpeg that is not there, is something else or fails is one sentence, and no half film is left."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from mesozoic.errors import UserError

pytest.importorskip("imageio_ffmpeg", reason="needs the extra [viz]")

from mesozoic.files import replacing
from mesozoic.rendering.ffmpeg import CHOICE, check_ffmpeg, mp4

SAYS_ITS_VERSION = "#!/bin/sh\n[ \"$1\" = -version ] && echo 'ffmpeg version 7' && exit 0\nexit 1\n"
needs_sh = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")


def film(path: Path, frames: int = 300) -> None:
    with replacing(path) as temporary, mp4(temporary, 64, 48, 25.0) as send:
        for _ in range(frames):
            send(np.zeros((48, 64, 3), np.uint8))


def test_a_film_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHOICE, raising=False)
    film(tmp_path / "film.mp4", frames=3)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
    assert b"ftyp" in (tmp_path / "film.mp4").read_bytes()[:12]


@needs_sh
@pytest.mark.parametrize(
    ("program", "phrase"),
    [("/nonexistent", "does not run"), ("/bin/false", "does not run"), ("/bin/echo", "is no ffmpeg"), ("/", "not run")],
)
def test_what_is_no_ffmpeg_is_refused_before_anything_is_drawn(
    program: str, phrase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CHOICE, program)
    with pytest.raises(UserError, match=f"{phrase}.*unset {CHOICE}"):
        check_ffmpeg()


@needs_sh
def test_an_ffmpeg_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, folder = tmp_path / "ffmpeg", tmp_path / "films"
    program.write_text(SAYS_ITS_VERSION)
    program.chmod(0o755)
    monkeypatch.setenv(CHOICE, str(program))
    for frames in (0, 300):
        with pytest.raises(UserError, match=f"ffmpeg (could not write|wrote nothing).*unset {CHOICE}"):
            film(folder / "film.mp4", frames)
    assert list(folder.iterdir()) == []
