"""One table of a job's environment variables, which task files, guide and launcher agree with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mesozoic.errors import UserError, sentences_of
from mesozoic.job.environment import DEFAULTS, SECRET, VARIABLES, in_job_words, read_job
from mesozoic.run.spec import RunSpec

ROOT = Path(__file__).parents[2]
TASK_FILES = ("train", "train-docker", "train-managed")
ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))

needs_checkout = pytest.mark.skipif(not (ROOT / "cloud").is_dir(), reason="needs a checkout")


def task_file(name: str) -> tuple[str, dict[str, Any]]:
    text = (ROOT / "cloud" / f"{name}.yaml").read_text(encoding="utf-8")
    return text, yaml.safe_load(text)


def test_nothing_given_trains_all_stages_of_the_default_animal() -> None:
    job = read_job({})
    assert job.spec == RunSpec("velociraptor", physics="auto")
    assert job.run == Path.home() / "mesozoic-runs" / "velociraptor-stageall-seed0"
    assert (job.max_hours, job.wandb, job.job_id, job.moves) == (None, False, "", None)


def test_an_empty_variable_is_a_missing_one() -> None:
    assert read_job(dict.fromkeys([*DEFAULTS, SECRET, "JOB_ID", "JOB_MOVES"], "")) == read_job({})


def test_every_variable_reaches_the_job() -> None:
    job = read_job(
        {
            "SPECIES": "trex",
            "STAGE": "2",
            "TIMESTEPS": "5000",
            "N_ENVS": "64",
            "BACKEND": "sb3",
            "ALGORITHM": "sac",
            "PHYSICS": "native",
            "SEED": "7",
            "OVERRIDES": "ppo.net_arch=[64, 64]\n2.ppo.gamma=0.98",
            "LOAD": "other",
            "RUN_NAME": "mine",
            "MAX_HOURS": "2.5",
            "RESULTS": "/bucket",
            "WANDB_API_KEY": "k" * 40,
            "JOB_ID": "sky-1",
            "JOB_MOVES": "3",
        }
    )
    overrides = ("ppo.net_arch=[64, 64]", "2.ppo.gamma=0.98", "curriculum.timesteps=5000", "stage.n_envs=64")
    assert job.spec == RunSpec("trex", 2, None, 7, "sb3", "sac", overrides=overrides, load=Path("other"))
    assert (job.run, job.max_hours, job.wandb) == (Path("/bucket/mine"), 2.5, True)
    assert (job.job_id, job.moves) == ("sky-1", 3)


def test_the_same_variables_lead_to_the_same_run_folder() -> None:
    assert read_job({"SPECIES": "trex", "SEED": "3", "STAGE": "1"}).run.name == "trex-stage1-seed3"
    assert read_job({"RESULTS": "~/x"}).run.parent == Path.home() / "x"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("STAGE", value) for value in ("two", "1 2", "-1", "all;true", "²")],
        *[("TIMESTEPS", value) for value in ("5e6", "5_000", "-1", "1.5", "9" * 5000)],
        *[("N_ENVS", "many"), ("SEED", "x"), ("SEED", "٣")],
        *[("MAX_HOURS", value) for value in ("0", "0.0", "1h", "-1", ".", "inf", "nan")],
        *[("RUN_NAME", value) for value in ("../other", "/absolute", "a b", ".hidden", "-x", "a/b", "n" * 500)],
        *[("OVERRIDES", value) for value in ("ppo.net_arch=[64, 64", "stage.name='x")],
    ],
)
def test_a_bad_value_is_refused_in_one_sentence_that_names_it(name: str, value: str) -> None:
    with pytest.raises(UserError) as caught:
        read_job({"SPECIES": "trex", name: value})
    text = str(caught.value)
    assert value[:20] in text and "\n" not in text and len(text) <= 300


@given(st.dictionaries(st.sampled_from(sorted(DEFAULTS)), ANY_TEXT))
def test_any_environment_is_a_job_or_a_sentence_for_each_mistake(environment: dict[str, str]) -> None:
    try:
        job = read_job(environment)
    except UserError as error:
        refusals = sentences_of(error)
    else:
        refusals = ()
        assert job.run.name not in ("", ".", "..") and "/" not in job.run.name
    assert all("\n" not in one and len(one) < 500 for one in refusals)


@needs_checkout
@pytest.mark.parametrize("name", TASK_FILES)
def test_task_files_have_these_variables_with_these_defaults_and_words(name: str) -> None:
    text, content = task_file(name)
    envs = dict(content["envs"])
    envs.pop("BUCKET", None)
    assert list(envs) == [variable.name for variable in VARIABLES]
    for variable in VARIABLES:
        if (name, variable.name) != ("train-managed", "RESULTS"):
            assert envs[variable.name] == variable.default, variable.name
            assert re.search(rf"^  {variable.name}: .*# {re.escape(variable.meaning)}$", text, re.MULTILINE), variable
    assert content["secrets"] == {SECRET: ""}


@needs_checkout
def test_the_guide_has_these_variables_with_these_defaults_and_words() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| (.*) \|$", (ROOT / "docs" / "cloud.md").read_text(), re.MULTILINE)
    default = {variable.name: f"`{variable.default}`" if variable.default else "" for variable in VARIABLES}
    assert rows == [(variable.name, default[variable.name], variable.meaning) for variable in VARIABLES]


def test_the_launcher_sets_and_reads_no_other_variable() -> None:
    from mesozoic.cloud.request import make_request

    request = make_request({}, species="trex", stage="1", max_hours=2.0)
    assert set(request.envs) <= set(DEFAULTS)
    job = read_job(request.envs)
    assert (job.spec.species, job.spec.stage, job.run.name, job.max_hours) == ("trex", 1, request.run_name, 2.0)
    source = (ROOT / "mesozoic" / "cloud" / "request.py").read_text(encoding="utf-8")
    assert set(re.findall(r'envs(?:\.get\(|\[)"([A-Z_]+)"', source)) <= set(DEFAULTS)


def test_messages_about_options_speak_of_variables() -> None:
    message = "use another --output-dir, or lower --n-envs; --seed-like stays"
    assert in_job_words(message) == "use another --env RUN_NAME, or lower --env N_ENVS; --seed-like stays"
