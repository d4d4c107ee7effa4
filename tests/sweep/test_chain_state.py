"""How far a chain is: in the bucket first, in a local file as well, and never lost because one of them fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("fsspec", reason="a bucket needs fsspec")

from mesozoic.errors import UserError
from mesozoic.files.remote import Remote, as_url
from mesozoic.sweep.chain_state import REMOTE_FILE, ChainState, StageWinner


def winner(stage: int, trial: str = "1", identity: str = "abc") -> StageWinner:
    policy = f"stage{stage}/{trial}/models/stage{stage}_final.zip"
    return StageWinner(stage, trial, "passed", 1.5, policy, "ppo.net_arch=[64, 64]", [], identity)


class Place:
    """A local file and a bucket that is a folder."""

    def __init__(self, folder: Path) -> None:
        self.file, self.bucket, self.said = folder / "state.json", folder / "bucket", list[str]()
        self.remote = Remote(f"file://{self.bucket}")

    def state(self, fresh: bool = False) -> ChainState:
        return ChainState(self.file, self.remote, self.said.append, fresh)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_both_places_have_the_winners_and_the_job_that_runs(place: Place) -> None:
    state = place.state()
    assert not state.begun
    state.won(winner(1))
    state.note({"job": "jobs/7", "identity": "def"})
    assert json.loads(place.file.read_text()) == json.loads((place.bucket / REMOTE_FILE).read_text())
    again = place.state()
    assert again.begun and again.winner(1, "abc") == winner(1) and again.winner(1, "other") is None
    assert again.job == {"job": "jobs/7", "identity": "def"}
    again.won(winner(2))
    assert place.state().job == {} and place.said == []


def test_the_bucket_is_asked_first(place: Place) -> None:
    """The local file is of another chain that somebody began on this machine."""
    place.state().won(winner(1, "3"))
    place.file.unlink()
    other = ChainState(place.file)
    for _ in range(3):
        other.won(winner(1, "9"))
    found = place.state().winner(1, "abc")
    assert found is not None and found.trial == "3"


def test_the_local_file_counts_where_the_bucket_has_none_or_is_behind(place: Place) -> None:
    place.state().won(winner(1))
    behind = (place.bucket / REMOTE_FILE).read_bytes()
    place.state().won(winner(2))
    (place.bucket / REMOTE_FILE).write_bytes(behind)  # as if it had not taken the last one
    assert place.state().winner(2, "abc") is not None
    (place.bucket / REMOTE_FILE).unlink()
    assert place.state().winner(2, "abc") is not None


def test_a_bucket_that_cannot_be_written_is_said_and_ends_nothing(place: Place) -> None:
    place.bucket.write_text("a file where the folder should be")
    state = place.state(fresh=True)
    state.won(winner(1))
    (said,) = place.said
    assert said.startswith("warning: cannot write file://") and "stands in" in said and str(place.file) in said
    assert json.loads(place.file.read_text())["stages"][0]["trial"] == "1"


def test_a_bucket_that_cannot_be_read_ends_the_command_before_anything_begins(place: Place) -> None:
    """To begin without it could mean a second job for what runs already."""
    place.bucket.mkdir()
    (place.bucket / REMOTE_FILE).mkdir()
    with pytest.raises(UserError, match="cannot read file://"):
        place.state()
    assert not place.state(fresh=True).begun


@pytest.mark.parametrize("text", ["{", "[]", '{"stages": 3}', '{"stages": [{"stage": 1}]}'])
def test_a_damaged_state_is_named(place: Place, text: str) -> None:
    place.bucket.mkdir()
    (place.bucket / REMOTE_FILE).write_text(text)
    with pytest.raises(UserError, match=r"_sweep_state.json is damaged .*; remove it, and run again to go on"):
        place.state()


def test_a_winner_takes_those_of_later_stages_away(place: Place) -> None:
    state = place.state()
    state.won(winner(1))
    state.won(winner(2))
    state.won(winner(1, "4"))
    assert state.winner(2, "abc") is None


@pytest.mark.parametrize(
    ("bucket", "url"), [("fossils", "gs://fossils"), ("gs://fossils/", "gs://fossils"), ("s3://a/b", "s3://a/b")]
)
def test_a_bucket_has_a_url(bucket: str, url: str) -> None:
    assert as_url(bucket) == url


def test_a_url_that_nothing_here_can_use() -> None:
    with pytest.raises(UserError, match="cannot use fossil://"):
        Remote("fossil://x")
