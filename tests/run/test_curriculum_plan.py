"""Planning a curriculum, handing policies on and the table of results; nothing is trained here."""

from __future__ import annotations

import csv
import io
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from mesozoic.errors import Stopped, UserError
from mesozoic.run import curriculum as module
from mesozoic.run.display import Quiet
from mesozoic.run.interrupt import Interrupts
from mesozoic.run.problems import resolve
from mesozoic.run.results_table import COLUMNS, RESULTS_FILE, results_table
from mesozoic.run.sinks.table import sinks_for
from mesozoic.run.spec import RunSpec
from mesozoic.run.stage_spec import StageSpec
from mesozoic.run.stop import TimeLimit
from mesozoic.species import load_stage, species_names, stage_files

SINKS, QUIET, LIMIT = sinks_for(wandb=True), Quiet(), TimeLimit(2.5)


def plan(species: str = "velociraptor", *overrides: str, target: int | None = None) -> tuple[StageSpec, ...]:
    return resolve(RunSpec(species, target=target, seed=5, overrides=overrides))


def result(stage: int = 1, passed: bool = True, **more: Any) -> dict[str, Any]:
    """What `train_stage` returns, as far as the table needs it."""
    name = {1: "balance", 2: "locomotion", 3: "strike"}[stage]
    return {
        "species": "velociraptor",
        "stage": stage,
        "stage_name": name,
        "stage_passed": passed,
        "seed": 5,
        "timesteps": 1000 * stage,
        "wall_seconds": 12.5,
        "steps_per_second": 80.0,
        "score": 0.75,
        "best_score": 0.875,
        "best_step": 900,
        "best_mean_reward": 12.25,
        "best_mean_episode_length": 400.5,
        "final_policy": f"runs/a, b/stage{stage}/models/stage{stage}_final.zip",
        "identity": {"backend": "jax", "algorithm": "ppo"},
        "evaluation": {"success": 0.5, "success_low": 0.4, "success_high": 0.6},
        "baselines": {
            "statue": {"success": 0.125},
            "statue, undisturbed": {"success": 1.0},
            "random": {"success": 0.0},
        },
        **more,
    }


class TestPlan:
    @pytest.mark.parametrize("species", species_names())
    def test_all_stages_of_every_animal_in_order(self, species: str) -> None:
        found = plan(species)
        assert [stage.config.stage.number for stage in found] == sorted(stage_files(species)) == [1, 2, 3]
        assert [stage.config for stage in found] == [load_stage(species, number) for number in (1, 2, 3)]
        assert {(stage.species, stage.seed, stage.kind.name) for stage in found} == {(species, 5, "jax-ppo")}

    @pytest.mark.parametrize("target", [1, 2, 3])
    def test_up_to_the_target(self, target: int) -> None:
        assert plan(target=target) == plan()[:target]

    def test_overrides_reach_all_stages_or_the_one_that_is_named(self) -> None:
        found = plan("trex", "ppo.n_epochs=7", "2.curriculum.timesteps=123456", "env.bite_bonus=9.0")
        stages = [one.config for one in found]
        assert [stage.ppo.n_epochs for stage in stages] == [7, 7, 7]
        assert [stage.curriculum.timesteps == 123456 for stage in stages] == [False, True, False]
        assert stages[2].env.task_bonus == 9.0

    @pytest.mark.parametrize("target", [0, 4, -1])
    def test_a_target_that_does_not_exist(self, target: int) -> None:
        with pytest.raises(UserError, match=rf"target {target}: velociraptor has no stage {target}; it has 1, 2, 3"):
            plan(target=target)

    def test_an_animal_that_does_not_exist(self) -> None:
        with pytest.raises(UserError, match="'velocirapter'; did you mean 'velociraptor'"):
            plan("velocirapter")

    @pytest.mark.parametrize(
        ("override", "phrases"),
        [
            ("3.curriculum.min_success_low=0.99", ("curriculum.min_success_low = 0.99", "raise curriculum.eval_ep")),
            ("2.curriculum.min_survival=0.99", ("curriculum.min_survival = 0.99", "raise curriculum.eval_episodes")),
            ("2.ppo.net_arch=[32,32]", ("stage 2 has ppo.net_arch = (32, 32)", "stage 1 has", "the same")),
            ("3.ppo.net_arch=large", ("stage 3 has ppo.net_arch = large", "stage 1 has small", "the same")),
            ("3.ppo.batch_size=1001", ("does not divide", "ppo.batch_size = 1001")),
            ("2.env.max_episode_steps=1", ("override '2.env.max_episode_steps=1'", "greater than or equal to 2")),
            ("2.env.gait_offsets=[0.0,0.5,0.0,0.5]", ("feet",)),
        ],
    )
    def test_a_mistake_in_any_stage_is_one_sentence(self, override: str, phrases: tuple[str, ...]) -> None:
        with pytest.raises(UserError) as caught:
            plan("velociraptor", override)
        message = str(caught.value)
        assert all(phrase in message for phrase in phrases), message
        assert "\n" not in message

    def test_a_mistake_beyond_the_target_does_not_matter(self) -> None:
        assert len(plan("velociraptor", "3.ppo.net_arch=large", target=2)) == 2

    def test_one_network_in_two_spellings_is_the_same_network(self) -> None:
        small = plan()[0].config.ppo.net_arch
        assert small == "small"
        assert len(plan("velociraptor", "1.ppo.net_arch=[64,64]")) == 3


class TestRun:
    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Path | None]]:
        """Stages and what they began from; the second is not passed."""
        made: list[tuple[int, Path | None]] = []

        def train_stage(spec: StageSpec, run: Path, resume: bool, *told: object, leader: object) -> dict[str, Any]:
            stage = spec.config.stage.number
            made.append((stage, spec.load))
            run.mkdir(parents=True, exist_ok=True)
            assert (spec.species, spec.seed, resume, told) == ("velociraptor", 5, False, (SINKS, QUIET, LIMIT))
            assert leader is None
            assert (run / RESULTS_FILE).exists() == (stage > 1), "written after every stage"
            return result(stage, passed=stage != 2)

        monkeypatch.setattr(module, "train_stage", train_stage)
        return made

    def test_hands_on_the_final_policy_of_a_stage_that_passed_and_else_the_best(
        self, calls: list[tuple[int, Path | None]], tmp_path: Path
    ) -> None:
        run = tmp_path / "run"
        results = module.run_curriculum(plan(), run, False, False, SINKS, QUIET, LIMIT)
        assert calls == [
            (1, None),
            (2, run / "stage1" / "models" / "stage1_final.zip"),
            (3, run / "stage2" / "models" / "best_model.zip"),
        ]
        assert [one["stage"] for one in results] == [1, 2, 3]
        assert (run / RESULTS_FILE).read_text(encoding="utf-8") == results_table(results)

    def test_strict_ends_at_a_stage_that_is_not_passed_and_records_it(
        self, calls: list[tuple[int, Path | None]], tmp_path: Path
    ) -> None:
        results = module.run_curriculum(plan(), tmp_path, True, False, SINKS, QUIET, LIMIT)
        assert [stage for stage, _ in calls] == [one["stage"] for one in results] == [1, 2]
        rows = list(csv.DictReader((tmp_path / RESULTS_FILE).open(encoding="utf-8")))
        assert [row["stage_passed"] for row in rows] == ["True", "False"]

    @pytest.mark.parametrize("how", ["signal", "time"])
    def test_a_stop_between_two_stages_is_not_lost(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
    ) -> None:
        """It came when the first had its result, while its sinks were being closed."""
        made: list[int] = []
        limit = TimeLimit(1e-9, began=time.monotonic() + 0.2)

        def train_stage(spec: StageSpec, *_: object, **__: object) -> dict[str, Any]:
            made.append(spec.config.stage.number)
            with Interrupts():
                os.kill(os.getpid(), signal.SIGTERM) if how == "signal" else time.sleep(0.3)
            return result()

        monkeypatch.setattr(module, "train_stage", train_stage)
        with pytest.raises(Stopped) as caught:
            module.run_curriculum(plan(), tmp_path, limit=limit)
        assert caught.value.exit_code == (143 if how == "signal" else 75)
        assert made == [1]
        assert (tmp_path / RESULTS_FILE).exists()


class TestTable:
    def test_has_one_row_for_each_stage_under_its_columns(self) -> None:
        text = results_table([result(1), result(2, passed=False)])
        reader = csv.DictReader(io.StringIO(text))
        rows = list(reader)
        assert tuple(reader.fieldnames or ()) == COLUMNS
        assert len(set(COLUMNS)) == len(COLUMNS)
        assert [row["stage"] for row in rows] == ["1", "2"]
        assert text.endswith("\n") and text.count("\n") == 3 and "\r" not in text

    def test_figures_come_from_where_they_are(self) -> None:
        (row,) = csv.DictReader(io.StringIO(results_table([result(2, passed=False)])))
        assert row == {
            "species": "velociraptor",
            "stage": "2",
            "stage_name": "locomotion",
            "stage_passed": "False",
            "seed": "5",
            "backend": "jax",
            "algorithm": "ppo",
            "timesteps": "2000",
            "wall_seconds": "12.5",
            "steps_per_second": "80.0",
            "score": "0.75",
            "best_score": "0.875",
            "best_step": "900",
            "best_mean_reward": "12.25",
            "best_mean_episode_length": "400.5",
            "success": "0.5",
            "success_low": "0.4",
            "statue_success": "0.125",
            "random_success": "0.0",
            "final_policy": "runs/a, b/stage2/models/stage2_final.zip",
        }

    def test_what_it_has_no_column_for_is_left_out(self) -> None:
        assert results_table([result(peak_memory_mb=300, gate=[])]) == results_table([result()])

    def test_without_results_it_is_its_header(self) -> None:
        assert results_table([]) == ",".join(COLUMNS) + "\n"
