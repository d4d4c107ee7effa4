"""Where the files of a run lie, and which runs may share a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mesozoic.errors import UserError
from mesozoic.run.folder import StageFolder, choose_run_folder, find_policy
from mesozoic.run.spec import RunSpec

MakeSpec = Callable[..., RunSpec]


def test_creating_makes_the_folders_and_may_be_repeated(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path / "a" / "run", 2)
    folder.create()
    (folder.models / "x").touch()
    folder.create()
    assert folder.checkpoints.is_dir()
    assert (tmp_path / "a" / "run" / "stage2" / "models" / "x").exists()


@pytest.mark.parametrize("below", [".", "deeper/still"])
def test_a_place_that_cannot_be_written_is_a_user_error(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to .*stage1.*--output-dir"):
        StageFolder(tmp_path / "file" / below, 1).create()


def test_a_folder_without_permission_is_a_user_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(UserError, match=r"Permission denied.*--output-dir"):
        StageFolder(tmp_path, 1).create()


def test_setting_aside_keeps_every_old_run(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path, 1)
    assert folder.set_aside() is None
    for number in (1, 2, 3):
        folder.create()
        folder.metrics.write_text(f"run {number}")
        aside = folder.set_aside()
        assert aside == tmp_path / f"stage1.old{number}"
        assert not folder.path.exists()
    for number in (1, 2, 3):
        assert (tmp_path / f"stage1.old{number}" / "metrics.json").read_text() == f"run {number}"


def test_the_run_folder_is_the_named_one_or_a_dated_one(tmp_path: Path) -> None:
    assert choose_run_folder(tmp_path / "x", tmp_path / "logs", "name") == tmp_path / "x"
    dated = choose_run_folder(None, tmp_path / "logs", "name")
    assert dated.parent == tmp_path / "logs"
    assert dated.name.startswith("name-20")
    assert choose_run_folder(None, None, "name").parent == Path("runs")


def test_finds_the_policy_a_path_stands_for(tmp_path: Path) -> None:
    first, second = StageFolder(tmp_path, 1), StageFolder(tmp_path, 2)
    with pytest.raises(UserError, match="holds no policy yet"):
        find_policy(tmp_path)
    for folder in (first, second):
        folder.create()
    first.best_policy.touch()
    assert find_policy(tmp_path) == first.best_policy
    assert find_policy(first.path) == first.best_policy
    first.final_policy.touch()
    second.best_policy.touch()
    assert find_policy(tmp_path) == first.final_policy, "a finished stage before one under way"
    second.final_policy.touch()
    assert find_policy(tmp_path) == second.final_policy
    assert find_policy(first.path) == first.final_policy
    assert find_policy(first.best_policy) == first.best_policy
    old = first.set_aside()
    assert old is not None
    assert find_policy(tmp_path) == second.final_policy
    assert find_policy(tmp_path / "anything.zip") == tmp_path / "anything.zip"


def test_a_run_is_the_same_as_itself(spec: MakeSpec, tmp_path: Path) -> None:
    spec().check(spec().to_json(), tmp_path)


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ("ppo.gamma=0.5", r"ppo\.gamma = 0\.98.*now it is 0\.5"),
        ("ppo.net_arch=[16, 8]", r"ppo\.net_arch = \[16, 16\].*now it is \[16, 8\]"),
        ("env.alive_bonus=3", r"env\.alive_bonus"),
        ("curriculum.timesteps=512", r"curriculum\.timesteps = 256.*now it is 512"),
        ("curriculum.eval_freq=64", r"curriculum\.eval_freq"),
        ("stage.n_envs=16", r"stage\.n_envs"),
        ("jax.matmul_precision='high'", r"jax\.matmul_precision"),
    ],
)
def test_another_configuration_is_refused_by_name(spec: MakeSpec, tmp_path: Path, other: str, name: str) -> None:
    before = spec("ppo.gamma=0.98")
    with pytest.raises(UserError, match=name) as caught:
        spec("ppo.gamma=0.98", other).check(before.to_json(), tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "--no-resume" in str(caught.value)


@pytest.mark.parametrize(
    ("backend", "change"),
    [
        ("jax", {"seed": 1}),
        ("jax", {"species": "trex"}),
        ("jax", {"backend": "sb3"}),
        ("sb3", {"backend": "jax"}),
        ("sb3", {"algorithm": "sac"}),
    ],
)
def test_seed_species_and_learner_are_part_of_it(
    spec: MakeSpec, tmp_path: Path, backend: str, change: dict[str, object]
) -> None:
    before = spec(backend=backend)
    before.check(before.to_json(), tmp_path)
    with pytest.raises(UserError, match=f"{next(iter(change))} = "):
        replace(before, **change).check(before.to_json(), tmp_path)


@pytest.mark.parametrize(
    ("backend", "algorithm", "override", "counts"),
    [
        ("jax", "ppo", "jax.mirror=false", True),
        ("jax", "ppo", "sac.gamma=0.5", False),
        ("sb3", "ppo", "ppo.gamma=0.5", True),
        ("sb3", "ppo", "jax.mirror=false", False),
        ("sb3", "sac", "sac.gamma=0.5", True),
        ("sb3", "sac", "ppo.gamma=0.5", False),
    ],
)
def test_only_what_the_learner_reads_is_part_of_it(
    spec: MakeSpec, tmp_path: Path, backend: str, algorithm: str, override: str, counts: bool
) -> None:
    before = spec(backend=backend, algorithm=algorithm).to_json()
    other = spec(override, backend=backend, algorithm=algorithm)
    if not counts:
        other.check(before, tmp_path)
        return
    with pytest.raises(UserError, match=override.partition("=")[0].replace(".", r"\.")):
        other.check(before, tmp_path)


def test_the_starting_policy_counts_by_its_contents(spec: MakeSpec, tmp_path: Path) -> None:
    one, copy, other = (tmp_path / name for name in ("one.zip", "copy.zip", "other.zip"))
    one.write_bytes(b"a")
    copy.write_bytes(b"a")
    other.write_bytes(b"b")
    before = spec(load=one).to_json()
    spec(load=copy).check(before, tmp_path)
    for changed in (spec(load=other), spec()):
        with pytest.raises(UserError, match="load = "):
            changed.check(before, tmp_path)


def test_how_often_checkpoints_are_saved_does_not_matter(spec: MakeSpec, tmp_path: Path) -> None:
    spec("curriculum.save_freq=64").check(spec("curriculum.save_freq=999").to_json(), tmp_path)


def test_a_key_that_the_other_run_did_not_have_differs(spec: MakeSpec, tmp_path: Path) -> None:
    before = spec().to_json()
    del before["ppo.gamma"]
    with pytest.raises(UserError, match=r"ppo\.gamma = None"):
        spec().check(before, tmp_path)
    with pytest.raises(UserError, match=r"ppo\.old = 3, now it is None"):
        spec().check(spec().to_json() | {"ppo.old": 3}, tmp_path)
