"""The `[jax]` names of an earlier trainer reach the keys of this one, in files, in `[device.jax]` and as overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mesozoic.config import StageConfig, load_file, parse_flag, parse_override, parse_overrides
from mesozoic.config.override import ALIASES
from mesozoic.errors import UserError, sentences_of
from mesozoic.species import load_stage

STAGE = "[stage]\nnumber = 1\nname = 'balance'\n"
SAME = {alias: path for alias, path in ALIASES.items() if alias.startswith("jax.")}
NAMES = ("num_envs", "rollout_len", "num_minibatches", "update_epochs", "warmup_updates", "ramp_updates")

settings = st.fixed_dictionaries(
    {
        "num_envs": st.integers(1, 512),
        "rollout_len": st.integers(2, 64),
        "num_minibatches": st.integers(1, 32),
        "update_epochs": st.integers(1, 10),
        "warmup_updates": st.integers(0, 50),
        "ramp_updates": st.integers(0, 50),
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stages")


def loaded(folder: Path, text: str, *overrides: str, device: bool = False) -> StageConfig:
    path = folder / "stage1_balance.toml"
    path.write_text(STAGE + text, encoding="utf-8")
    return load_file(path, parse_overrides(overrides), device=device)


def refusal(folder: Path, text: str, *overrides: str, device: bool = False) -> str:
    with pytest.raises(UserError) as caught:
        loaded(folder, text, *overrides, device=device)
    (sentence,) = sentences_of(caught.value)
    return sentence


def table(values: dict[str, int], name: str = "jax") -> str:
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


def meaning(config: StageConfig) -> dict[str, Any]:
    """The configuration in the words of the earlier trainer."""
    rollout = config.stage.n_envs * config.ppo.n_steps
    return {
        "num_envs": config.stage.n_envs,
        "rollout_len": config.ppo.n_steps,
        "num_minibatches": rollout / config.ppo.batch_size,
        "update_epochs": config.ppo.n_epochs,
        "warmup_updates": config.curriculum.warmup_timesteps / rollout,
        "ramp_updates": config.curriculum.ramp_timesteps / rollout,
    }


@given(settings)
def test_wherever_they_are_written_they_mean_the_same(folder: Path, values: dict[str, int]) -> None:
    """A rollout that divides: as many batches, and as many updates of warm-up and ramp, as were asked for."""
    assume(values["num_envs"] * values["rollout_len"] % values["num_minibatches"] == 0)
    texts = [f"jax.{name}={value}" for name, value in values.items()]
    found = [
        loaded(folder, table(values)),
        loaded(folder, table(values, "device.jax"), device=True),
        loaded(folder, "", *texts),
        loaded(folder, "", *reversed(texts)),
        loaded(folder, "", *(f"1.{text}" for text in texts)),
    ]
    assert meaning(found[0]) == values
    assert all(one == found[0] for one in found)
    found[0].check_ppo_batches()


@given(settings)
def test_what_does_not_divide_is_one_sentence_with_a_number_that_does(folder: Path, values: dict[str, int]) -> None:
    rollout = values["num_envs"] * values["rollout_len"]
    assume(rollout % values["num_minibatches"])
    for sentence in (
        refusal(folder, table(values)),
        refusal(folder, table(values, "device.jax"), device=True),
        refusal(folder, "", *(f"jax.{name}={value}" for name, value in values.items())),
    ):
        assert f"jax.num_minibatches is {values['num_minibatches']}, but a rollout of" in sentence
        fits = int(sentence.rpartition("give ")[2])
        assert loaded(folder, table({**values, "num_minibatches": fits}))


@given(settings, settings)
def test_a_device_table_wins_over_the_file_and_an_override_over_both(
    folder: Path, first: dict[str, int], second: dict[str, int]
) -> None:
    for values in (first, second):
        assume(values["num_envs"] * values["rollout_len"] % values["num_minibatches"] == 0)
    text = table(first) + table(second, "device.jax")
    assert meaning(loaded(folder, text)) == first
    assert meaning(loaded(folder, text, device=True)) == second
    texts = [f"jax.{name}={value}" for name, value in first.items()]
    assert meaning(loaded(folder, text, *texts, device=True)) == first


@pytest.mark.parametrize(("old", "new"), SAME.items())
def test_every_spelling_of_an_override_is_that_of_the_key(old: str, new: str) -> None:
    expected = parse_override(f"{new}=8")
    assert parse_override(f"{old}=8") == parse_flag(old, "8") == parse_flag(old.replace(".", "_"), "8") == expected


@pytest.mark.parametrize("name", ["num_minibatches", "warmup_updates", "ramp_updates"])
def test_a_count_is_written_and_read_back_as_it_is(name: str) -> None:
    override = parse_override(f"2.jax.{name}=8")
    assert str(override) == f"2.jax.{name}=8" and parse_override(str(override)) == override
    assert parse_flag(f"jax_{name}", "8.0") == parse_override(f"jax.{name}=8.0")


def test_results_carry_the_keys_alone(folder: Path) -> None:
    saved = loaded(folder, table(dict.fromkeys(NAMES, 4))).model_dump(mode="json")["jax"]
    assert not set(NAMES) & set(saved)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "n_envs = 64\n[jax]\nnum_envs = 128\n",
            "num_envs = 128 in [jax] and n_envs = 64 in [stage] are the same key; keep one",
        ),
        (
            "[jax]\nrollout_len = 8\n[ppo]\nn_steps = 16\n",
            "n_steps = 16 in [ppo] and rollout_len = 8 in [jax] are the same key; keep one",
        ),
        (
            "n_envs = 64\n[ppo]\nn_steps = 16\nbatch_size = 512\n[jax]\nnum_minibatches = 4\n",
            "jax.num_minibatches = 4 makes ppo.batch_size 256, and it is 512 as well; keep one",
        ),
        (
            "n_envs = 64\n[ppo]\nn_steps = 16\n[curriculum]\nramp_timesteps = 9\n[jax]\nramp_updates = 2\n",
            "jax.ramp_updates = 2 makes curriculum.ramp_timesteps 2048, and it is 9 as well; keep one",
        ),
    ],
)
def test_two_names_of_one_key_with_different_values_are_refused(folder: Path, text: str, sentence: str) -> None:
    assert refusal(folder, text) == f"stage1_balance.toml: {sentence}"


def test_two_names_with_the_same_value_are_not(folder: Path) -> None:
    text = "n_envs = 64\n[ppo]\nn_steps = 16\nbatch_size = 256\n[jax]\nnum_envs = 64\nnum_minibatches = 4\n"
    config = loaded(folder, text)
    assert (config.stage.n_envs, config.ppo.batch_size) == (64, 256)


def test_in_a_device_table_they_are_compared_with_what_holds_there(folder: Path) -> None:
    text = (
        "n_envs = 64\n[ppo]\nn_steps = 16\nbatch_size = 256\n"
        "[device.jax]\nnum_envs = 4096\nnum_minibatches = 8\n[device.ppo]\nbatch_size = 4096\n"
    )
    sentence = "jax.num_minibatches = 8 makes ppo.batch_size 8192, and it is 4096 as well; keep one"
    assert refusal(folder, text, device=True) == f"stage1_balance.toml [device]: {sentence}"
    assert loaded(folder, text.replace("batch_size = 4096", "batch_size = 8192"), device=True).ppo.batch_size == 8192


def test_of_overrides_the_later_one_wins_whatever_its_name() -> None:
    def batch(*texts: str) -> int:
        sizes = ("stage.n_envs=64", "ppo.n_steps=16")
        return load_stage("trex", 1, parse_overrides([*sizes, *texts])).ppo.batch_size

    assert batch("ppo.batch_size=512", "jax.num_minibatches=4") == 256
    assert batch("jax.num_minibatches=4", "ppo.batch_size=512") == 512
    assert load_stage("trex", 1, parse_overrides(["stage.n_envs=8", "jax.num_envs=64"])).stage.n_envs == 64


def test_a_number_of_batches_in_a_file_holds_for_other_worlds_too(folder: Path) -> None:
    text = "n_envs = 64\n[ppo]\nn_steps = 16\n[jax]\nnum_minibatches = 8\n"
    assert loaded(folder, text, "stage.n_envs=256").ppo.batch_size == 512
    assert loaded(folder, text, "ppo.n_steps=32").ppo.batch_size == 256
    assert loaded(folder, text, "ppo.batch_size=64").ppo.batch_size == 64


@pytest.mark.parametrize("value", ["0", "1.5", "true", "many", "[4]"])
def test_a_count_that_is_none_is_refused_with_the_override(folder: Path, value: str) -> None:
    sentence = refusal(folder, "", f"jax.num_minibatches={value}")
    assert sentence.startswith(f"override 'jax.num_minibatches={value}': jax.num_minibatches should be a whole number")
