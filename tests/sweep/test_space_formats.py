"""Search spaces: every spelling means the same, every mistake of a file is said at once, and what ships can be run."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

import annotated_types
import pytest

from mesozoic.config import StageConfig, parse_overrides
from mesozoic.config.override import SECTIONS, section_keys
from mesozoic.curricula.gate import gate_problems
from mesozoic.errors import UserError, sentences_of
from mesozoic.run.spec import RunSpec
from mesozoic.species import load_stage, species_names, stage_files
from mesozoic.sweep.check import COUPLED, space_problems
from mesozoic.sweep.formats import read_json_text, read_search_file, read_search_text
from mesozoic.sweep.plan import SweepRequest, plan_sweep
from mesozoic.sweep.space import Choice, Hyperband, Range, SearchFile, with_point

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = {"ppo": CONFIGS / "sweep_ppo.json", "sac": CONFIGS / "sweep_sac.json"}
LEARNING_RATE = {"type": "double", "min": 1e-5, "max": 3e-4, "scale": "log"}

EARLIER = {
    "stage1": {
        "trials": 10,
        "timesteps": 500000,
        "parallel": 5,
        "n_envs": 4,
        "ppo_learning_rate": LEARNING_RATE,
        "ppo_batch_size": {"type": "discrete", "values": [64, 128, 256, 512]},
        "ppo_n_steps": {"type": "discrete", "values": [1024, 2048, 4096]},
        "ppo_net_arch": {"type": "categorical", "values": ["small", "medium", "deep_tapered"]},
        "env_alive_bonus": {"type": "double", "min": 1.0, "max": 5.0, "scale": "linear"},
    },
    "stage3": {
        "env_strike_bonus": {"type": "double", "min": 10.0, "max": 100.0, "scale": "log"},
        "curriculum_warmup_timesteps": {"type": "discrete", "values": [50000, 100000.0]},
    },
}
"""As files of earlier systems are written."""


def problems_of(file: SearchFile, stage: int, species: str = "velociraptor", **more: Any) -> list[str]:
    search = file.of_stage(stage)
    settings = {"stage.n_envs": "n_envs", "curriculum.timesteps": "timesteps"}
    overrides = tuple(f"{key}={search.settings[name]}" for key, name in settings.items() if name in search.settings)
    return space_problems(RunSpec(species, stage, overrides=overrides, **more), search.parameters, file.where)


def test_a_file_of_earlier_systems_is_read_as_it_is() -> None:
    file = read_json_text(json.dumps(EARLIER), "old.json")
    first, third = file.of_stage(1), file.of_stage(3)
    assert first.settings == {"trials": 10, "timesteps": 500000, "parallel": 5, "n_envs": 4}
    found = {one.path: one.domain for one in (*first.parameters, *third.parameters)}
    assert found["ppo.learning_rate"] == Range(1e-5, 3e-4, log=True)
    assert found["ppo.net_arch"] == Choice(("small", "medium", "deep_tapered"))
    assert found["env.task_bonus"] == Range(10.0, 100.0, log=True)
    assert problems_of(file, 1) == problems_of(file, 3) == []
    with pytest.raises(UserError, match=r"nothing is searched in stage 2 \(it names stage1, stage3\)"):
        file.of_stage(2)


def test_a_flat_file_is_for_every_stage_and_a_block_goes_over_it() -> None:
    file = read_search_text(
        json.dumps({"trials": 3, "ppo_gamma": LEARNING_RATE, "stage2": {"trials": 4, "ppo.gamma": LEARNING_RATE}})
    )
    assert (file.of_stage(1).settings, file.of_stage(2).settings) == ({"trials": 3}, {"trials": 4})
    assert len(file.of_stage(2).parameters) == 1


@pytest.mark.parametrize("name", ["ppo_gamma", "ppo.gamma", "--ppo_gamma", "--ppo.gamma"])
def test_a_parameter_in_every_spelling(name: str) -> None:
    assert read_search_text(json.dumps({name: LEARNING_RATE})).of_stage(1).parameters[0].path == "ppo.gamma"


@pytest.mark.skipif(not SHIPPED["ppo"].is_file(), reason="needs a checkout")
@pytest.mark.parametrize("algorithm", SHIPPED)
@pytest.mark.parametrize("species", ["velociraptor", "trex", "brachiosaurus"])
def test_what_ships_can_be_searched_in_every_stage_of_every_animal(algorithm: str, species: str) -> None:
    """And it goes around the settings that ship, so that a search can find them."""
    if algorithm == "sac":
        pytest.importorskip("stable_baselines3", reason="needs the extra [sb3]")
    assert set(species_names()) >= {"velociraptor", "trex", "brachiosaurus"}
    file = read_search_file(SHIPPED[algorithm])
    for stage in stage_files(species):
        assert problems_of(file, stage, species, algorithm=algorithm) == []
        config = load_stage(species, stage)
        for one in file.of_stage(stage).parameters:
            section, _, key = one.path.partition(".")
            ships = getattr(getattr(config, section), key)
            if isinstance(one.domain, Range) and section == algorithm and key != "ent_coef":
                assert one.domain.low <= ships <= one.domain.high, one.path


def discrete(*values: float) -> dict[str, Any]:
    return {"type": "discrete", "values": list(values)}


def double(low: float, high: float) -> dict[str, Any]:
    return {"type": "double", "min": low, "max": high}


BAD: list[tuple[dict[str, Any] | str, list[str]]] = [
    ("", ["is not valid JSON"]),
    ("[1]", ["holds no table of parameters"]),
    ({}, ["holds no table of parameters"]),
    ({"trials": 3}, ["nothing is searched"]),
    ({"ppo_gama": LEARNING_RATE}, ["unknown key 'ppo.gama'; did you mean 'ppo.gamma'"]),
    ({"learning": LEARNING_RATE}, ["'learning' is no key of a stage"]),
    ({"1.ppo.gamma": LEARNING_RATE}, ["names a stage; leave the number out"]),
    ({"ppo_gamma": {"min": 0.9, "max": 0.99}}, ["has no type; write one of double, integer"]),
    ({"ppo_gamma": {"type": "dobule", "min": 0.9, "max": 0.99}}, ["did you mean 'double'"]),
    ({"ppo_gamma": {"type": "double", "min": 0.9}}, ["lacks 'max'"]),
    ({"ppo_gamma": {"type": "double", "min": 0.99, "max": 0.9}}, ["min must be below max"]),
    ({"ppo_gamma": {"type": "double", "min": "a", "max": None}}, ["min = 'a'; write a number", "max = None"]),
    ({"ppo_gamma": {"type": "double", "min": 0, "max": 0.9, "scale": "log"}}, ["on a log scale"]),
    ({"ppo_gamma": {**LEARNING_RATE, "scale": "exp"}}, ["has the scale 'exp'; write one of linear, log"]),
    ({"ppo_gamma": {**LEARNING_RATE, "sclae": "log"}}, ["has no 'sclae'; did you mean 'scale'"]),
    ({"ppo_gamma": {"type": "discrete", "values": []}}, ["write a list such as"]),
    ({"ppo_gamma": {"type": "discrete", "values": [0.9, "x"]}}, ["has the value 'x'; write numbers"]),
    ({"ppo_gamma": {"type": "discrete", "values": [0.9, 0.9]}}, ["lists a value twice"]),
    ({"ppo_gamma": LEARNING_RATE, "ppo.gamma": LEARNING_RATE}, ["searched twice under two names"]),
    ({"ppo_gamma": LEARNING_RATE, "trails": 3}, ["did you mean 'trials'"]),
    ({"ppo_gamma": LEARNING_RATE, "trials": 0}, ["trials is 0; write a whole number"]),
    ({"ppo_gamma": LEARNING_RATE, "stage1": 3}, ["stage1 is 3; write a table"]),
    ({"stage1": {"ppo_x": LEARNING_RATE}, "stage2": {"sac_y": 1}, "z": 1}, ["ppo.x", "'sac_y' is 1", "'z' is 1"]),
    # What each entry says makes sense, and no training takes it:
    ({"ppo_gamma": {"type": "double", "min": 0.9, "max": 1.5}}, ["ppo.gamma should be less than 1"]),
    ({"ppo_n_epochs": {"type": "double", "min": 1, "max": 9}}, ["ppo.n_epochs should be"]),
    ({"ppo_net_arch": {"type": "categorical", "values": ["small", "huge"]}}, ["ppo.net_arch should be one of small"]),
    (
        {"sac_learning_rate": {**LEARNING_RATE, "max": 7}, "ppo_vf_coef": {**LEARNING_RATE, "max": 5000.0}},
        ["sac.learning_rate should be less than or equal to 1", "ppo.vf_coef should be less than or equal to 1000"],
    ),
    (
        {"ppo_batch_size": discrete(512, 768), "ppo_n_steps": discrete(16, 20)},
        ["128 * 16 = 2048 steps does not divide into batches of ppo.batch_size = 768", "128 * 20 = 2560 steps does"],
    ),
    (
        {"env_push_velocity_min": double(0.0, 0.2), "env_push_velocity_max": double(0.1, 0.3)},
        ["push_velocity_min = 0.2 exceeds push_velocity_max = 0.1"],
    ),
    (
        {"curriculum_eval_episodes": discrete(8, 64), "ppo_gamma": {**LEARNING_RATE, "max": 2.0}},
        ["cannot be reached with 8 episodes", "ppo.gamma should be less than 1"],
    ),
]  # fmt: skip
"""What a file holds, and a part of each sentence that must be said of it."""


@pytest.mark.parametrize(("content", "parts"), BAD)
def test_a_bad_file_is_refused_with_all_that_is_wrong_in_it(content: dict[str, Any] | str, parts: list[str]) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    try:
        said = problems_of(read_json_text(text, "space.json"), 1)
    except UserError as error:
        said = list(sentences_of(error))
    assert all(one.startswith("space.json") and one.isprintable() for one in said)
    assert all(any(part in one for one in said) for part in parts), said
    assert len(said) == len(parts), said


def test_the_table_of_bad_files_is_long_enough() -> None:
    assert len(BAD) >= 20


def test_what_is_searched_and_set_as_well_is_refused() -> None:
    search = read_search_text(json.dumps({"ppo_gamma": LEARNING_RATE})).of_stage(1)
    said = space_problems(RunSpec(stage=1, overrides=("ppo.gamma=0.9",)), search.parameters, "x")
    assert said == ["x: ppo.gamma is searched, and set by an option or --override as well; leave one of them out"]


def test_other_overrides_of_the_sweep_count() -> None:
    """A space that fits with 128 worlds does not fit with 100."""
    search = read_search_text('{"ppo_batch_size": {"type": "discrete", "values": [256, 512]}}').of_stage(1)
    assert space_problems(RunSpec(stage=1), search.parameters, "x") == []
    assert len(space_problems(RunSpec(stage=1, overrides=("stage.n_envs=100",)), search.parameters, "x")) == 2


def test_a_space_too_large_to_check_is_refused_at_once() -> None:
    many = {"type": "discrete", "values": [16 * i for i in range(1, 400)]}
    search = read_search_text(json.dumps({"ppo_batch_size": many, "ppo_n_steps": many})).of_stage(1)
    said = space_problems(RunSpec(stage=1), search.parameters, "x")
    assert said == [
        "x: ppo.batch_size, ppo.n_steps have 159,201 combinations, more than the 2,000 that can be checked; list fewer"
        " values"
    ]


def values_to_try(section: str, key: str, ships: Any) -> list[Any]:
    """The ends of a number's range, and multiples of what ships."""
    field = StageConfig.model_fields[section].annotation.model_fields[key]  # type: ignore[union-attr]
    bounds = [one for one in field.metadata if isinstance(one, annotated_types.Ge | annotated_types.Le)]
    found = [getattr(one, "ge", getattr(one, "le", None)) for one in bounds]
    if isinstance(ships, int | float) and not isinstance(ships, bool):
        found += [type(ships)(ships * factor) for factor in (0.1, 0.5, 2, 10)]
    return found


def test_keys_that_are_checked_together_are_tried_together() -> None:
    """Of any two keys in no common group, values that are well alone are well together."""
    base = load_stage("velociraptor", 1).model_dump(mode="json")
    keys = [(section, key) for section in SECTIONS for key in section_keys(section) if section != "stage"]

    def sound(*changes: tuple[str, str, Any]) -> bool:
        raw = {section: dict(table) for section, table in base.items()}
        for section, key, value in changes:
            raw[section][key] = value
        try:
            config = StageConfig.model_validate(raw)
            config.check_ppo_batches()
        except (ValueError, UserError):
            return False
        return not gate_problems(config.curriculum)

    alone = {(s, k): [v for v in values_to_try(s, k, base[s][k]) if sound((s, k, v))] for s, k in keys}
    assert sum(map(len, alone.values())) > 80
    for one, other in combinations(keys, 2):
        names = {".".join(one), ".".join(other)}
        if any(names <= group for group in COUPLED):
            continue
        for first, second in product(alone[one], alone[other]):
            assert sound((*one, first), (*other, second)), names


def test_a_point_becomes_overrides_that_mean_the_same() -> None:
    point = {"ppo.net_arch": [64, 64], "ppo.learning_rate": 1e-7, "ppo.batch_size": 1024.0, "seed": 7}
    spec = with_point(RunSpec(stage=1, overrides=("ppo.gamma=0.9",)), point)
    assert spec.seed == 7
    config = load_stage("trex", 1, parse_overrides(spec.overrides))
    assert (config.ppo.net_arch, config.ppo.batch_size, config.ppo.gamma) == ((64, 64), 1024, 0.9)
    assert math.isclose(config.ppo.learning_rate, 1e-7)


def test_a_wandb_sweep_file_is_the_same_model(tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="needs the extra [sweep]")
    path = tmp_path / "sweep.yaml"
    path.write_text(
        "method: bayes\nrun_cap: 9\nmetric: {name: eval/score, goal: maximize}\n"
        "early_terminate: {type: hyperband, min_iter: 2, eta: 4}\n"
        "command: ['${env}', mesozoic, train, trex, --stage=2, --wandb, '${args}']\n"
        "parameters:\n"
        "  ppo:\n    parameters:\n"
        "      learning_rate: {distribution: log_uniform_values, min: 1.0e-4, max: 2.0e-3}\n"
        "      n_epochs: {min: 3, max: 8}\n"
        "  env_alive_bonus: {distribution: q_uniform, min: 1.0, max: 2.0, q: 0.25}\n"
        "  ppo.gae_lambda: {distribution: log_uniform, min: -0.2, max: -0.1}\n"
        "  ppo.net_arch: {values: [small, [64, 64]]}\n"
    )
    file = read_search_file(path)
    assert (file.method, file.run_cap, file.metric, file.early) == ("bayes", 9, "eval/score", Hyperband(2, 4))
    assert file.words == ("trex", "--stage=2", "--wandb", "${args}")
    found = {one.path: one.domain for one in file.of_stage(2).parameters}
    assert found["ppo.learning_rate"] == Range(1e-4, 2e-3, log=True)
    assert found["ppo.n_epochs"] == Range(3, 8, whole=True)
    assert found["env.alive_bonus"] == Range(1.0, 2.0, step=0.25)
    assert found["ppo.gae_lambda"] == Range(math.exp(-0.2), math.exp(-0.1), log=True)
    assert found["ppo.net_arch"] == Choice(("small", [64, 64]))
    assert problems_of(file, 2, "trex") == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("parameters: {ppo.gamma: {distribution: normal, min: 0, max: 1}}", ["method is None", "is 'normal'"]),
        ("method: random\nparameters: {ppo.gamma: {value: 0.9, probabilities: [1]}}", ["has probabilities"]),
        ("method: random\nparameters: {ppo.gamma: {min: 0, max: 0.9}}", ["wants both whole or both with a point"]),
        ("method: random\nparameters: {ppo.gamma: {min: 0.1}}\nrun_cap: x", ["has min and no max", "run_cap is 'x'"]),
        (
            "method: random\nmetric: {name: x, goal: minimize}\nearly_terminate: {type: median}\n"
            "parameters: {ppo.gamma: {value: 0.9}}",
            ["the goal of metric is 'minimize'", "type: hyperband"],
        ),
    ],
)
def test_all_mistakes_of_a_sweep_file(tmp_path: Path, text: str, parts: list[str]) -> None:
    pytest.importorskip("yaml", reason="needs the extra [sweep]")
    path = tmp_path / "sweep.yml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_search_file(path)
    said = sentences_of(caught.value)
    assert len(said) == len(parts)
    assert all(any(part in one for one in said) for part in parts), said


def test_the_command_of_a_trial_names_all_that_a_training_is_made_of() -> None:
    plan = plan_sweep(SweepRequest("velociraptor", 1, text=json.dumps({"ppo_learning_rate": LEARNING_RATE})))
    other = {"load": Path("a.zip"), "gpu_ids": "0", "seed": 3, "backend": "sb3", "algorithm": "sac", "physics": "auto"}
    words = replace(plan, spec=replace(plan.spec, **other)).trial_words({"ppo.learning_rate": 2e-4})
    for field in fields(RunSpec):
        if field.name not in ("target", "overrides"):  # a trial is one stage; its overrides are one word each
            value = other.get(field.name, getattr(plan.spec, field.name))
            assert f"--{field.name.replace('_', '-')}={value}" in words
    assert "--ppo.learning_rate=0.0002" in words
