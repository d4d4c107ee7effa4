"""A stage file says what is otherwise on a device engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesozoic.config import load_file, parse_overrides
from mesozoic.errors import UserError
from mesozoic.species import load_stage

STAGE = """
[stage]
number = 1
name = "balance"
n_envs = 64
[ppo]
n_steps = 16
batch_size = 256
gamma = 0.98
"""
DEVICE = """
[device.stage]
n_envs = 4096
[device.ppo]
batch_size = 8192
[device.curriculum]
timesteps = 9000000
"""


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "stage1_balance.toml"
    path.write_text(text)
    return path


def test_it_holds_on_a_device_engine_only(tmp_path: Path) -> None:
    path = _write(tmp_path, STAGE + DEVICE)
    host, device = load_file(path), load_file(path, device=True)
    assert (host.stage.n_envs, host.ppo.batch_size) == (64, 256)
    assert (device.stage.n_envs, device.ppo.batch_size, device.ppo.gamma) == (4096, 8192, 0.98)
    assert device.curriculum.timesteps == 9_000_000


def test_overrides_go_on_top_and_keep_its_batches(tmp_path: Path) -> None:
    path = _write(tmp_path, STAGE + DEVICE)
    fewer = load_file(path, parse_overrides(["stage.n_envs=2048"]), device=True)
    assert (fewer.stage.n_envs, fewer.ppo.batch_size) == (2048, 4096)


def test_a_stage_without_it_is_the_same_everywhere(tmp_path: Path) -> None:
    path = _write(tmp_path, STAGE)
    assert load_file(path, device=True) == load_file(path)


@pytest.mark.parametrize("device", [False, True])
@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("[device.ppo]\nlearning_rat = 1.0", "learning_rat"),
        ("[device.pppo]\ngamma = 0.9", "pppo"),
        ("[device]\nppo = 3", "must be a section"),
    ],
)
def test_a_mistake_in_it_is_named_with_the_table(tmp_path: Path, table: str, sentence: str, device: bool) -> None:
    with pytest.raises(UserError, match=r"stage1_balance.toml \[device\]") as caught:
        load_file(_write(tmp_path, STAGE + table), device=device)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_the_shipped_tables_are_valid(stage: int) -> None:
    config = load_stage("velociraptor", stage, device=True)
    config.check_ppo_batches()
    assert config.stage.n_envs > load_stage("velociraptor", stage).stage.n_envs
