"""The page in a real browser, opened from a file, without a network: what users do with mouse and fingers."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page.conftest import WEB

from mesozoic.page.play import playable_page, write_page

Play = Callable[..., dict[str, Any]]
DEADLINE = 600


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(playable_page(Path("velociraptor")), path)
    return path


@pytest.fixture(scope="module")
def play(browser: str, page: Path) -> Play:
    """Runs one scenario of web/test/interact.mjs on a page; returns what happened."""

    def run(scenario: str, on: Path = page) -> dict[str, Any]:
        command = [browser, "test/interact.mjs", str(on), scenario]
        done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, timeout=DEADLINE, env=os.environ)
        assert done.returncode == 0, done.stderr[-3000:]
        happened: dict[str, Any] = json.loads(done.stdout)[scenario]
        return happened

    return run


def assert_clean(happened: dict[str, Any], page: Path) -> None:
    """It asked for nothing but itself, and nothing was said on the console."""
    assert happened["requests"] == [page.resolve().as_uri()]
    assert happened["said"] == []


@pytest.mark.e2e
def test_a_gentle_pull_moves_the_torso_and_a_hard_one_fells_it(play: Play, page: Path) -> None:
    happened = play("push")
    assert_clean(happened, page)
    assert happened["drag"] == "push" and 0.1 < happened["force"] < 4.0
    assert happened["moved"] > 0.01 and happened["touching"] == "trunk"
    assert happened["after"] == {"ending": "", "drag": "", "force": 0}
    fallen = happened["fallen"]
    assert fallen["ending"] and set(fallen["ending"]) <= {"low", "tilted", "touched"}
    assert fallen["sentence"].startswith("it fell") and fallen["touching"] == "everything"
    assert fallen["lowest"] > -0.03, "it sank into the floor"
    assert happened["next"] == {"ending": "", "episode": 3, "begun": 1, "touching": "feet"}


@pytest.mark.e2e
def test_leading_with_the_prey_turns_the_t_rex_and_it_bites_there(play: Play, page: Path) -> None:
    happened = play("lead")
    assert_clean(happened, page)
    assert happened["drag"] == "lead" and happened["off"] < 1.0 and happened["moved"] > 0.5
    aside = happened["aside"]
    assert aside["before"] * aside["led"] < 0, "the prey was not led to the other side"
    assert happened["turned"] * aside["led"] > 0.05 and happened["ending"] == "success"


@pytest.mark.slow
@pytest.mark.e2e
def test_every_animal_stands_walks_and_reaches(play: Play, page: Path) -> None:
    happened = play("stages")
    assert_clean(happened, page)
    assert happened["colours"] > 500, "nothing is drawn"
    for name, found in happened["found"].items():
        assert found["proven"], (name, found)
        stage = int(name[-1])
        assert found["ending"] == ("success" if stage == 3 else ""), (name, found)
        assert (found["moved"] < 0.4) if stage == 1 else (found["moved"] > 0.6), (name, found)


@pytest.mark.slow
@pytest.mark.e2e
def test_fingers_push_and_go_nearer(play: Play, page: Path) -> None:
    happened = play("touch")
    assert_clean(happened, page)
    assert happened["drag"] == "push" and happened["moved"] > 0.01 and happened["after"] == ""
    assert happened["zoom"] == pytest.approx(0.5)


@pytest.mark.slow
@pytest.mark.e2e
def test_controls_choose_and_the_same_seed_is_the_same_episode(play: Play, page: Path) -> None:
    happened = play("controls")
    assert_clean(happened, page)
    assert happened["same"] and happened["slow"] == 0.25 and happened["next"] == 4 and happened["running"]
    assert happened["chosen"] == ["brachiosaurus", 2, 5]


@pytest.mark.slow
@pytest.mark.e2e
def test_time_passes_as_on_the_wall_but_for_what_is_counted_as_left_out(play: Play) -> None:
    happened = play("realtime")
    assert happened["factor"] + happened["dropped"] == pytest.approx(1.0, abs=0.2), happened
    assert happened["stepMs"] < 20.0, "the physics alone cannot keep up"


def changed(page: Path, output: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A page with another parcel."""
    text = page.read_text(encoding="utf-8")
    parcel = playable_page(Path("velociraptor")).parcel
    change(parcel)
    packed = b64encode(gzip.compress(json.dumps(parcel).encode())).decode()
    output.write_text(re.sub(r'(id="parcel">)[^<]*', rf"\g<1>{packed}", text), encoding="utf-8")
    return output


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda parcel: parcel["animals"].clear(), "there is no animal in this file"),
        (lambda parcel: parcel.update(format=99), "this file has format 99"),
        (lambda parcel: parcel["animals"][0].update(xml="<mujoco><body/></mujoco>"), "cannot go on"),
        (lambda parcel: parcel["animals"][0]["stages"][2]["policy"]["layers"].pop(), "the policy does not fit"),
    ],
    ids=["empty", "format", "model", "policy"],
)
def test_a_broken_page_says_a_sentence(
    play: Play, page: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    happened = play("refuses", changed(page, tmp_path / "broken.html", change))
    assert sentence in happened["sentence"] and happened["said"] == []
