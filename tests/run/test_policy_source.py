"""What `eval`, `render` and `robustness` take for a policy: a file, a run folder or a species, and a stage."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesozoic import policies, task
from mesozoic.cli.app import main
from mesozoic.errors import UserError
from mesozoic.learn.policy import Policy, load_policy
from mesozoic.policies import shipped_policy, shipped_stages
from mesozoic.run.policy_source import open_policy, policy_file
from mesozoic.species import get_species, load_stage, species_names
from mesozoic.species.anatomy import anatomy_of

Write = Callable[..., Path]
SHORT = ["--override", "env.max_episode_steps=12", "--override", "curriculum.min_avg_episode_length=0"]


def still(species: str, stage: int) -> bytes:
    """A policy that does nothing."""
    animal = get_species(species)
    anatomy = anatomy_of(animal, animal.load_model())
    layout = task.layout_of(anatomy)
    size = sum(width for _, width in layout)
    arrays = {
        "norm/mean": np.zeros(size, np.float32),
        "norm/std": np.ones(size, np.float32),
        "actor/0/kernel": np.zeros((size, anatomy.nu), np.float32),
        "actor/0/bias": np.zeros(anatomy.nu, np.float32),
    }
    return Policy(species, stage, layout, "elu", arrays).to_bytes()


@pytest.fixture(scope="session")
def write() -> Write:
    """`write(path, species, stage)`: the file of a policy that does nothing."""

    def to_file(path: Path, species: str = "velociraptor", stage: int = 1) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(still(species, stage))
        return path

    return to_file


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write) -> Path:
    """A package that ships stages 1 and 3 of T. rex, and none of any other species."""
    folder = tmp_path / "package"
    for stage in (1, 3):
        write(folder / "trex" / f"stage{stage}.zip", "trex", stage)
    (folder / "trex" / "stage2.json").write_text("{}")  # a record without its policy
    monkeypatch.setattr(policies, "FOLDER", folder)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return folder


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory, write: Write) -> Path:
    """A run of three stages: the first two are over, the third has only a best policy so far."""
    run = tmp_path_factory.mktemp("run")
    for stage in (1, 2, 3):
        models = run / f"stage{stage}" / "models"
        write(models / "best_model.zip", stage=stage)
        if stage < 3:
            write(models / f"stage{stage}_final.zip", stage=stage)
        config = load_stage("velociraptor", stage).model_dump(mode="json")
        config["env"]["max_episode_steps"] = 100 + stage
        config["curriculum"]["min_avg_episode_length"] = 0.0
        (run / f"stage{stage}" / "stage_config.json").write_text(json.dumps({"config": config}), encoding="utf-8")
    return run


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of the command line, run in this process."""
    monkeypatch.setattr(sys, "argv", ["mesozoic", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


class TestSpecies:
    def test_its_last_stage_unless_another_is_asked_for(self, shipped: Path) -> None:
        assert shipped_stages("trex") == (1, 3)
        assert policy_file(Path("trex")) == shipped / "trex" / "stage3.zip"
        for stage in (1, 3):
            file = policy_file(Path("trex"), stage)
            assert file == shipped_policy("trex", stage) == shipped / "trex" / f"stage{stage}.zip"
            policy, animal, config = open_policy(Path("trex"), None, [], stage)
            assert (policy.species, policy.stage, animal.name) == ("trex", stage, "trex")
            assert config == load_stage("trex", stage)

    def test_overrides_and_the_check_of_the_species(self, shipped: Path) -> None:
        overrides = ["1.env.max_episode_steps=7", "3.env.max_episode_steps=9", "env.bite_bonus=3"]
        _, _, config = open_policy(Path("trex"), "trex", overrides)
        assert (config.env.max_episode_steps, config.env.task_bonus) == (9, 3.0)
        with pytest.raises(UserError, match="of species 'trex', not 'velociraptor'"):
            open_policy(Path("trex"), "velociraptor", [])

    def test_a_stage_that_does_not_ship_is_told_which_do(self, shipped: Path) -> None:
        with pytest.raises(UserError, match=r"no policy of trex stage 2 ships .* there are stages 1, 3$"):
            policy_file(Path("trex"), 2)

    @pytest.mark.parametrize("stage", [None, 1])
    def test_a_species_without_policies_is_told_how_to_get_one(self, shipped: Path, stage: int | None) -> None:
        assert shipped_stages("velociraptor") == ()
        with pytest.raises(UserError, match=r"no policy of 'velociraptor' ships .*: mesozoic curriculum velociraptor$"):
            policy_file(Path("velociraptor"), stage)

    def test_a_file_or_folder_of_that_name_wins(self, shipped: Path, write: Write) -> None:
        file = write(Path("trex"), "velociraptor", 2)
        assert policy_file(Path("trex")) == file
        policy, animal, _ = open_policy(Path("trex"), None, [])
        assert (policy.stage, animal.name) == (2, "velociraptor")
        file.unlink()
        final = write(Path("trex") / "stage1" / "models" / "stage1_final.zip", "trex", 1)
        assert policy_file(Path("trex")) == policy_file(Path("trex"), 1) == final
        with pytest.raises(UserError, match="holds no policy of stage 3"):
            policy_file(Path("trex"), 3)

    def test_what_is_neither_a_path_nor_a_species_is_no_policy(self, shipped: Path) -> None:
        with pytest.raises(UserError, match=r"no policy file trexx"):
            open_policy(Path("trexx"), None, [])

    def test_all_commands_take_it_and_write_nothing_into_the_package(
        self, shipped: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = tree(shipped)
        assert command(monkeypatch, "eval", "trex", "--stage", "1", "--episodes", "64", "--json", *SHORT) == 0
        assert json.loads(capsys.readouterr().out)["stage"] == 1
        assert command(monkeypatch, "eval", "trex", "--episodes", "64", "--gait", *SHORT) == 0
        assert "footfalls footfalls-trex-stage3.png" in capsys.readouterr().out
        assert command(monkeypatch, "robustness", "trex", "--stage", "1", "--episodes", "2", "--json", *SHORT) == 0
        assert json.loads(capsys.readouterr().out)["stage"] == 1
        assert command(monkeypatch, "render", "trex", "--no-video", *SHORT) == 0
        assert tree(shipped) == before
        assert tree(Path.cwd()) == ["footfalls-trex-stage3.png", "trex-stage3.png"]

    def test_few_episodes_give_figures_but_no_verdict(
        self, shipped: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        strict = ["--override", "curriculum.min_success_low=0.9"]
        few = ["eval", "trex", "--stage", "1", "--episodes", "4", *SHORT, *strict]
        assert command(monkeypatch, *few) == 0
        assert "gate: not judged: curriculum.min_success_low = 0.9 cannot be reached" in capsys.readouterr().out
        assert command(monkeypatch, *few, "--json") == 0
        result = json.loads(capsys.readouterr().out)
        assert result["stage_passed"] is None and result["gate"] is None and result["policy"]["episodes"] == 4
        assert command(monkeypatch, *few, "--check") == 2
        assert "give more --episodes" in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["eval", "robustness", "render"])
    def test_mistakes_are_one_sentence(
        self, shipped: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for arguments, phrase in (
            (["velociraptor"], "ships with this version"),
            (["trex", "--stage", "2"], "there are stages 1, 3"),
            (["trex", "--stage", "7"], "there are stages 1, 3"),
            (["trex", "--species", "brachiosaurus"], "of species 'trex'"),
        ):
            assert command(monkeypatch, name, *arguments) == 2
            error = capsys.readouterr().err
            assert error.startswith("error: ") and phrase in error
            assert error.count("\n") == 1
        assert tree(Path.cwd()) == []


class TestRunFolder:
    def test_the_last_final_policy_unless_a_stage_is_asked_for(self, run_folder: Path) -> None:
        assert policy_file(run_folder) == run_folder / "stage2" / "models" / "stage2_final.zip"
        for stage in (1, 2):
            assert policy_file(run_folder, stage) == run_folder / f"stage{stage}/models/stage{stage}_final.zip"

    def test_the_best_policy_of_a_stage_that_is_not_over(self, run_folder: Path) -> None:
        assert policy_file(run_folder, 3) == run_folder / "stage3" / "models" / "best_model.zip"

    @pytest.mark.parametrize("stage", [1, 2, 3])
    def test_the_stage_is_the_one_of_the_run_itself(self, run_folder: Path, stage: int) -> None:
        policy, animal, config = open_policy(run_folder, None, ["2.env.alive_bonus=0.125"], stage)
        assert (policy.stage, animal.name, config.stage.number) == (stage, "velociraptor", stage)
        assert config.env.max_episode_steps == 100 + stage
        assert (config.env.alive_bonus == 0.125) == (stage == 2)

    def test_a_stage_that_it_does_not_have(self, run_folder: Path, tmp_path: Path, write: Write) -> None:
        with pytest.raises(UserError, match=r"holds no policy of stage 4; train it first, or leave --stage out"):
            policy_file(run_folder, 4)
        write(tmp_path / "stage1" / "models" / "stage1_final.zip")
        with pytest.raises(UserError, match="holds no policy of stage 2"):
            open_policy(tmp_path, None, [], 2)

    def test_a_stage_folder_is_its_stage(self, run_folder: Path) -> None:
        for stage in (None, 1):
            file = policy_file(run_folder / "stage1", stage)
            assert file == run_folder / "stage1" / "models" / "stage1_final.zip"
        with pytest.raises(UserError, match="is a policy of stage 1, not 2; leave --stage out"):
            open_policy(run_folder / "stage1", None, [], 2)

    def test_eval_takes_the_stage(
        self, run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["eval", str(run_folder), "--stage", "1", "--json", "--override", "env.max_episode_steps=12"]
        assert command(monkeypatch, *arguments) == 0
        assert json.loads(capsys.readouterr().out)["stage"] == 1
        assert command(monkeypatch, "eval", str(run_folder), "--stage", "4") == 2
        error = capsys.readouterr().err
        assert "holds no policy of stage 4" in error and error.count("\n") == 1


class TestFile:
    def test_any_stage_or_its_own(self, tmp_path: Path, write: Write) -> None:
        file = write(tmp_path / "mine.zip", stage=2)
        for stage in (None, 2):
            assert policy_file(file, stage) == file
            policy, _, config = open_policy(file, None, [], stage)
            assert policy.stage == config.stage.number == 2

    @pytest.mark.parametrize("stage", [1, 3])
    def test_another_stage_is_refused(self, tmp_path: Path, write: Write, stage: int) -> None:
        file = write(tmp_path / "mine.zip", stage=2)
        with pytest.raises(UserError, match=rf"mine\.zip is a policy of stage 2, not {stage}; leave --stage out"):
            open_policy(file, None, [], stage)

    @pytest.mark.parametrize("content", ["", "[]", "3", "{}", '{"config": 3}', '{"config": {"env": 3}}', "null"])
    def test_a_damaged_configuration_beside_it_is_one_sentence(
        self, tmp_path: Path, write: Write, content: str
    ) -> None:
        file = write(tmp_path / "stage1" / "models" / "stage1_final.zip")
        (tmp_path / "stage1" / "stage_config.json").write_text(content)
        for overrides in ([], ["env.alive_bonus=1"]):
            with pytest.raises(UserError, match=r"stage_config\.json") as caught:
                open_policy(file, None, overrides)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("species", "stage"), [(species, stage) for species in species_names() for stage in shipped_stages(species)]
)
def test_what_really_ships_fits_the_animal_and_its_stage(
    species: str, stage: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    policy, animal, config = open_policy(Path(species), species, [], stage)
    assert load_policy(shipped_policy(species, stage)).to_bytes() == policy.to_bytes()
    assert (animal.name, policy.stage, config.stage.number) == (species, stage, stage)
    assert os.access(shipped_policy(species, stage), os.R_OK)
