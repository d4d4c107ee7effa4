"""The stage files that ship, and how stage files in general are found and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesozoic.config import load_file, parse_overrides
from mesozoic.curricula.gate import gate_problems
from mesozoic.errors import UserError
from mesozoic.species import load_stage, species_names, stage_files
from mesozoic.species.stages import configs_folder

SHIPPED = sorted(configs_folder().glob("*/*.toml"))
MINIMAL = "[stage]\nnumber = 2\nname = 'x'\n"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_shipped_file_loads_under_the_name_it_has(path: Path) -> None:
    species, number = path.parent.name, int(path.stem[5])
    config = load_stage(species, number)
    assert species in species_names()
    assert path.stem == f"stage{config.stage.number}_{config.stage.name}"
    assert stage_files(species)[number] == path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_shipped_stage_asks_for_its_task_and_warms_up_within_its_budget(path: Path) -> None:
    plan = load_stage(path.parent.name, int(path.stem[5])).curriculum
    assert plan.warmup_timesteps < plan.timesteps
    assert plan.ramp_timesteps < plan.timesteps
    assert plan.min_success_low > 0.0
    assert gate_problems(plan) == []


def _file(folder: Path, text: str) -> Path:
    path = folder / "stage2_x.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("[ppo]\nlearning_rat = 1e-3", "'ppo.learning_rate'"),
        ("[pppo]\n", "'ppo'"),
        ("[jax]\nnum_env = 8", "did you mean 'jax.num_envs'?"),
        ("[env]\nlearning_rate = 1", "learning_rate'"),
        ("[[env]]", "[env]"),
        ("[env", "not valid TOML"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_remedy(tmp_path: Path, extra: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        load_file(_file(tmp_path, MINIMAL + extra))
    assert expected in str(caught.value)
    assert "stage2_x.toml" in str(caught.value)


def test_overrides_scoped_to_a_stage_follow_the_number_in_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, MINIMAL)
    overrides = parse_overrides(["1.ppo.gamma=0.1", "2.ppo.gamma=0.5", "3.ppo.gamma=0.9"])
    assert load_file(path, overrides).ppo.gamma == 0.5
    assert load_file(path, overrides, stage=3).ppo.gamma == 0.9


def test_an_override_that_is_out_of_range_is_blamed_on_the_overrides(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"override 'ppo\.gamma=2': ppo\.gamma"):
        load_file(_file(tmp_path, MINIMAL), parse_overrides(["ppo.gamma=2"]))


def test_unknown_species_and_stages_are_told_which_exist() -> None:
    with pytest.raises(UserError, match="'velociraptor'"):
        stage_files("velociraptr")
    with pytest.raises(UserError, match="no stage 4"):
        load_stage("velociraptor", 4)
