"""What decides a run, how it is recorded, and what it says of runs that older and newer versions recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesozoic.config import StageConfig
from mesozoic.config.override import SECTIONS, section_keys
from mesozoic.errors import UserError
from mesozoic.learn.kinds import KINDS, find_kind
from mesozoic.run.stage_spec import IRRELEVANT, StageSpec

MakeSpec = Callable[..., StageSpec]


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
    ("learner", "change", "name"),
    [
        ("jax-ppo", {"seed": 1}, "seed"),
        ("jax-ppo", {"species": "trex"}, "species"),
        ("jax-ppo", {"kind": find_kind("sb3", "ppo")}, "backend"),
        ("sb3-ppo", {"kind": find_kind("jax", "ppo")}, "backend"),
        ("sb3-ppo", {"kind": find_kind("sb3", "sac")}, "algorithm"),
        ("jax-ppo", {"physics": "mjx-warp"}, "physics"),
    ],
)
def test_seed_species_learner_and_physics_are_part_of_it(
    spec: MakeSpec, tmp_path: Path, learner: str, change: dict[str, object], name: str
) -> None:
    before = spec(kind=find_kind(*learner.split("-")))
    before.check(before.to_json(), tmp_path)
    with pytest.raises(UserError, match=f"{name} = "):
        replace(before, **change).check(before.to_json(), tmp_path)


@pytest.mark.parametrize(
    ("learner", "override", "counts"),
    [
        ("jax-ppo", "jax.mirror=false", True),
        ("jax-ppo", "sac.gamma=0.5", False),
        ("sb3-ppo", "ppo.gamma=0.5", True),
        ("sb3-ppo", "jax.mirror=false", False),
        ("sb3-sac", "sac.gamma=0.5", True),
        ("sb3-sac", "ppo.gamma=0.5", False),
    ],
)
def test_only_what_the_learner_reads_is_part_of_it(
    spec: MakeSpec, tmp_path: Path, learner: str, override: str, counts: bool
) -> None:
    kind = find_kind(*learner.split("-"))
    before, other = spec(kind=kind).to_json(), spec(override, kind=kind)
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


def test_a_key_that_only_the_other_run_has_is_refused_unless_it_decides_nothing(spec: MakeSpec, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ppo\.old = 3, now it is None"):
        spec().check(spec().to_json() | {"ppo.old": 3}, tmp_path)
    spec().check(spec().to_json() | {"sac.old": 3, "curriculum.save_freq": 1}, tmp_path)


OPTIONAL = [
    (section, key)
    for section in SECTIONS
    for key in section_keys(section)
    if (section, key) not in (("stage", "number"), ("stage", "name")) and f"{section}.{key}" not in IRRELEVANT
]


@given(st.sampled_from(KINDS), st.sets(st.sampled_from(OPTIONAL)), st.booleans())
def test_a_run_that_does_not_know_a_key_had_its_default(
    kind: object, unknown: set[tuple[str, str]], through_a_file: bool
) -> None:
    """Keys come with time: a run recorded before one is the run that the default of the key gives now."""
    plain = StageSpec("velociraptor", 0, kind, StageConfig.model_validate({"stage": {"number": 1, "name": "x"}}))  # type: ignore[arg-type]
    recorded = plain.to_json()
    for section, key in unknown:
        recorded.pop(f"{section}.{key}", None)
    recorded.pop("physics")
    if through_a_file:
        recorded = json.loads(json.dumps(recorded))
    assert plain.differences(recorded) == {}


@pytest.mark.filterwarnings("ignore:Pydantic serializer")
@given(st.sampled_from(KINDS), st.sampled_from(OPTIONAL))
def test_a_key_that_differs_from_its_default_differs_from_a_run_that_does_not_know_it(
    kind: object, place: tuple[str, str]
) -> None:
    section, key = place
    plain = StageConfig.model_validate({"stage": {"number": 1, "name": "x"}})
    default = getattr(getattr(plain, section), key)
    other = (not default) if isinstance(default, bool) else (0.123, 0.987)
    changed = plain.model_copy(update={section: getattr(plain, section).model_copy(update={key: other})})
    before, now = (StageSpec("velociraptor", 0, kind, config) for config in (plain, changed))  # type: ignore[arg-type]
    recorded = before.to_json()
    recorded.pop(f"{section}.{key}", None)
    assert list(now.differences(recorded)) == ([f"{section}.{key}"] if section in before.kind.sections else [])


def test_what_must_be_recorded_is_not_made_up(spec: MakeSpec) -> None:
    recorded = spec().to_json()
    for name in ("species", "seed", "algorithm", "stage.number"):
        assert list(spec().differences({key: value for key, value in recorded.items() if key != name})) == [name]
