"""Run folders that an earlier version left behind, and runs whose budget is raised afterwards.

`old_run` was trained by the version before specifications, with the command in `WORDS`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import mesozoic
from mesozoic.errors import Stopped, UserError
from mesozoic.learn.kinds import LearnerKind
from mesozoic.run.display import Quiet
from mesozoic.run.spec import RunSpec
from mesozoic.run.stage_spec import StageSpec
from mesozoic.run.start import start
from mesozoic.run.words import spec_of_words

OLD = Path(__file__).parent / "old_run"
WORDS = [
    *("velociraptor", "--seed", "7", "--n-envs", "8", "--timesteps", "256", "ppo.n_steps=8", "ppo.batch_size=32"),
    *("ppo.n_epochs=2", "ppo.net_arch=[8,8]", "env.max_episode_steps=20", "curriculum.eval_episodes=8"),
    *("curriculum.min_success_low=0", "curriculum.min_avg_episode_length=0", "curriculum.eval_freq=128"),
]
UNKNOWN = ("physics", "ppo.ent_anneal_fraction", "jax.mirror", "env.friction_range", "curriculum.max_drift")
"""Keys that an old run may not know: they came one after the other."""


def train(run: Path, spec: RunSpec | None = None, **more: Any) -> dict[str, Any]:
    return start(spec or spec_of_words(WORDS), run, reporter=Quiet(), **more)[0]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD, tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def test_a_finished_run_of_an_earlier_version_is_reported_and_left_alone(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LearnerKind, "make", lambda *_: pytest.fail("it trained again"))
    before = contents(old)
    recorded = json.loads((old / "stage1" / "metrics.json").read_text())
    assert "physics" not in recorded["identity"]
    result = train(old)
    assert (result["timesteps"], result["score"], result["identity"]) == (256, recorded["score"], recorded["identity"])
    assert result["final_policy"] == str(old / "stage1" / "models" / "stage1_final.zip")
    assert contents(old) == before


def test_its_policy_is_evaluated_in_its_own_stage(old: Path) -> None:
    found = mesozoic.evaluate(old, episodes=8)
    assert found.config.env.max_episode_steps == 20
    assert found.figures["policy"]["avg_episode_length"] <= 20


def test_another_configuration_in_its_folder_is_refused(old: Path) -> None:
    before = contents(old)
    with pytest.raises(UserError, match=r"holds a run with ppo\.gamma = 0\.99, now it is 0\.9"):
        train(old, spec_of_words([*WORDS, "ppo.gamma=0.9"]))
    assert contents(old) == before


def test_it_cannot_be_extended_without_a_checkpoint_that_this_version_reads(old: Path) -> None:
    before = contents(old)
    with pytest.raises(UserError, match=r"left no checkpoint to go on from; give --load .*stage1_final\.zip"):
        train(old, spec_of_words([*WORDS, "--timesteps", "512"]))
    assert contents(old) == before


def test_a_half_done_run_that_does_not_know_a_key_goes_on_as_if_it_had_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = StageSpec.to_json
    with monkeypatch.context() as patch:
        patch.setattr(
            StageSpec,
            "to_json",
            lambda self: {name: value for name, value in complete(self).items() if name not in UNKNOWN},
        )
        with pytest.raises(Stopped):
            mesozoic.train(**_keywords(), checkpoint_dir=tmp_path / "old", on_metrics=lambda step, row: step < 128)
    assert not set(json.loads((tmp_path / "old/stage1/stage_config.json").read_text())["identity"]) & set(UNKNOWN)
    policy = "stage1/models/stage1_final.zip"
    assert train(tmp_path / "old")["timesteps"] == train(tmp_path / "whole")["timesteps"] == 256
    assert (tmp_path / "old" / policy).read_bytes() == (tmp_path / "whole" / policy).read_bytes()


def _keywords() -> dict[str, Any]:
    spec = spec_of_words(WORDS)
    return {"species": spec.species, "seed": spec.seed, "overrides": spec.overrides, "reporter": Quiet()}


def test_a_run_whose_budget_ended_goes_on_with_a_larger_one(tmp_path: Path) -> None:
    first = train(tmp_path)
    assert (first["timesteps"], first["stage_passed"]) == (256, False)
    longer = spec_of_words([*WORDS, "--timesteps", "512"])
    steps: list[int] = []
    second = mesozoic.train(
        **{**_keywords(), "overrides": longer.overrides},
        checkpoint_dir=tmp_path,
        on_metrics=lambda step, row: steps.append(step),
    )
    assert second["timesteps"] == 512 and min(steps) > 256, "it goes on, it does not begin again"
    assert second["identity"]["curriculum.timesteps"] == 512
    assert second["evaluations"] == first["evaluations"] + 2
    assert train(tmp_path, longer) == second, "and then it is finished"
    with pytest.raises(UserError, match=r"curriculum\.timesteps = 512, now it is 256"):
        train(tmp_path)


def test_a_larger_budget_and_another_change_is_another_run(tmp_path: Path) -> None:
    train(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(UserError, match=r"\(and 1 more\)"):
        train(tmp_path, spec_of_words([*WORDS, "--timesteps", "512", "ppo.gamma=0.9"]))
    assert contents(tmp_path) == before


def test_a_run_that_passed_its_gate_needs_no_larger_budget(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LearnerKind, "make", lambda *_: pytest.fail("it trained again"))
    file = old / "stage1" / "metrics.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"stage_passed": True}))
    assert train(old, spec_of_words([*WORDS, "--timesteps", "512"]))["timesteps"] == 256
