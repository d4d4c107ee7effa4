"""Reading takes plain files of bounded size; all else is refused at once, in one sentence."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from mesozoic.config import load_file
from mesozoic.errors import UserError
from mesozoic.files import cause, read_bytes, read_json, read_text, sha256_of
from mesozoic.species import get_species, load_species
from mesozoic.species.stages import stage_files

BOM = b"\xef\xbb\xbf"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_a_device_a_folder_and_a_link_to_itself_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path, tmp_path / "loop", tmp_path / "none", Path("a\0b")):
        with pytest.raises(UserError) as caught:
            read_text(path)
        assert str(caught.value).isprintable()
        for read in (lambda path: read_bytes(path, 10), read_json, sha256_of):
            with pytest.raises((OSError, ValueError)):
                read(path)


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"1" * 1001)
    with pytest.raises(UserError, match="longer than 1,000 bytes"):
        read_text(path, 1000)
    with pytest.raises(ValueError, match="longer than 1,000 bytes"):
        read_json(path, 1000)
    assert sha256_of(path) == hashlib.sha256(b"1" * 1001).hexdigest()


def test_the_mark_that_some_editors_write_in_front_is_no_part_of_a_stage_file_or_of_facts(tmp_path: Path) -> None:
    stage = tmp_path / "stage1_balance.toml"
    stage.write_bytes(BOM + stage_files("velociraptor")[1].read_bytes())
    assert load_file(stage) == load_file(stage_files("velociraptor")[1])
    (tmp_path / "facts.toml").write_bytes(BOM + (get_species("velociraptor").folder / "facts.toml").read_bytes())
    assert load_species(tmp_path).name == "velociraptor"


def test_the_cause_of_a_failure_is_short_and_says_no_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none") as caught:
        read_json(tmp_path / "none")
    assert cause(caught.value) == "No such file or directory"
    assert cause(KeyError("evaluation")) == "it lacks 'evaluation'"
    assert cause(ValueError("\x1b[2J" * 1000)).isprintable() and len(cause(ValueError("\x1b[2J" * 1000))) <= 120
