"""`mesozoic watch` follows a training while it goes on; the tests that train are marked e2e."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import mesozoic
from mesozoic.errors import UserError
from mesozoic.page.follow import Follower
from mesozoic.policies import shipped_policy
from mesozoic.run.display import Quiet
from mesozoic.species import load_stage

SMALL = (
    "ppo.n_steps=16 ppo.batch_size=64 env.max_episode_steps=20 curriculum.eval_episodes=32 curriculum.eval_freq=256"
    " curriculum.save_freq=256 curriculum.min_success_low=0.1 curriculum.min_avg_episode_length=15"
)


class Page(Quiet):
    """Asks for news before every iteration of a training, as a page does, and keeps them."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.follower: Follower | None = None
        self.news: list[dict[str, Any]] = []

    def phase(self, name: str) -> None:
        if name in ("compiling", "training", "finished"):
            self.follower = self.follower or Follower(self.run)
            has = {"has": self.news[-1]["policy"]} if self.news else {}
            self.news.append(self.follower.news(has))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    run = tmp_path_factory.mktemp("watched") / "run"
    page = Page(run)
    mesozoic.train("velociraptor", 1, 8, 1024, overrides=SMALL.split(), checkpoint_dir=run, reporter=page)
    return page


@pytest.mark.e2e
def test_before_the_first_checkpoint_it_stands_still(page: Page) -> None:
    first = page.news[0]
    assert first["play"]["title"] == "no checkpoint yet: it stands still"
    assert all(example["action"] == [0.0] * len(example["action"]) for example in first["play"]["examples"])
    assert first["passed"] is None and not first["judged"] and first["missing"] == []


@pytest.mark.e2e
def test_every_checkpoint_brings_another_policy_once(page: Page) -> None:
    titles = [news["play"]["title"] for news in page.news if "play" in news]
    assert titles[1:5] == [f"after {step:,} steps" for step in (256, 512, 768, 1024)]
    assert len({news["policy"] for news in page.news}) == len(titles)
    assert [news for news in page.news if "problem" in news] == []


@pytest.mark.e2e
def test_it_tells_what_is_missing_and_draws_the_evaluations(page: Page) -> None:
    last = page.news[-1]
    assert (last["step"], last["budget"], last["stage"], last["name"]) == (1024, 1024, 1, "balance")
    assert [step for step, _ in last["curves"]["success"]] == [256, 512, 768, 1024]
    result = json.loads((page.run / "stage1" / "metrics.json").read_text())
    assert last["curves"]["avg_episode_length"][-1][1] == result["evaluation"]["avg_episode_length"]
    assert last["judged"] and any("success" in sentence for sentence in last["missing"])
    assert last["gates"]["success_low"] == 0.1


def begun(run: Path, stage: int = 1) -> Path:
    """The folder of a stage whose training has just begun."""
    folder = run / f"stage{stage}"
    (folder / "models").mkdir(parents=True)
    config = load_stage("velociraptor", stage).model_dump(mode="json")
    (folder / "stage_config.json").write_text(json.dumps({"identity": {"species": "velociraptor"}, "config": config}))
    return folder


def test_a_later_stage_is_followed_once_it_has_begun(tmp_path: Path) -> None:
    begun(tmp_path)
    follower = Follower(tmp_path)
    first = follower.news({})
    assert first["stage"] == 1 and first["play"]["number"] == 1
    begun(tmp_path, 2)
    then = follower.news({"has": first["policy"]})
    assert then["stage"] == 2 and then["play"]["number"] == 2
    assert Follower(tmp_path, stage=1).news({})["stage"] == 1


def test_what_a_page_has_is_not_sent_again_until_there_is_another(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    follower = Follower(tmp_path)
    first = follower.news({})
    assert "play" in first and "play" not in follower.news({"has": first["policy"]})
    shutil.copy(shipped_policy("velociraptor", 1), folder / "models" / "best_model.zip")
    then = follower.news({"has": first["policy"]})
    assert then["play"]["policy"] != first["play"]["policy"] and then["policy"] != first["policy"]


def test_a_damaged_file_is_said_in_a_sentence_and_the_page_goes_on(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    follower = Follower(tmp_path)
    (folder / "models" / "best_model.zip").write_bytes(b"cut")
    assert "not a readable policy" in follower.news({})["problem"]
    (folder / "models" / "best_model.zip").unlink()
    assert "play" in follower.news({})


def test_a_result_without_its_steps_is_no_reason_to_stop(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    (folder / "metrics.json").write_text('{"timesteps": {"a": 1}}')
    (folder / "training.csv").write_text("step,stage1/eval/success\n64,0.5\n")
    assert Follower(tmp_path).news({})["step"] == 64


def test_a_folder_without_a_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no training has begun in .*; begin one"):
        Follower(tmp_path)
    begun(tmp_path)
    with pytest.raises(UserError, match=r"no training of stage 2 has begun .* mesozoic train --stage 2 --output-dir"):
        Follower(tmp_path, stage=2)
