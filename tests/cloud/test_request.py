"""What `mesozoic cloud launch` refuses before anything is rented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.animal_package import install_example

from mesozoic.cloud.request import make_request, parse_envs, parse_gpus, parse_infra
from mesozoic.errors import UserError
from mesozoic.policies import shipped_policy


@pytest.mark.parametrize(
    ("text", "meaning"), [("A100", ("A100", 1)), ("A100-80GB:8", ("A100-80GB", 8)), ("cpu:4", ("CPU", 4))]
)
def test_gpus(text: str, meaning: tuple[str, int]) -> None:
    gpus = parse_gpus(text)
    assert (gpus.name, gpus.count) == meaning
    assert gpus.is_cpu == (meaning[0] == "CPU")


@pytest.mark.parametrize(
    "text", ["", ":2", "A100:", "A100:0", "A100:two", "A100:-1", "A100:²", "A100:1e3", "A100:99999999999"]
)
def test_gpus_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match=r"--gpus '.*' is not GPU\[:N\].*--gpus A100:1"):
        parse_gpus(text)


def test_infra() -> None:
    assert parse_infra("GCP/us-central1") == "gcp/us-central1"
    with pytest.raises(UserError, match=r"unknown --infra 'lamda'; did you mean 'lambda'"):
        parse_infra("lamda")


def test_a_name_is_new_each_time_and_names_the_run() -> None:
    first, second = make_request({}, species="trex", stage="1"), make_request({}, species="trex", stage="1")
    assert first.name != second.name
    assert first.name.startswith("mesozoic-trex-1-")
    assert f"mesozoic-{first.run_name}" == first.name
    assert make_request({"RUN_NAME": "mine"}, name="other").run_name == "mine"


def test_the_limit_travels_to_the_machine() -> None:
    assert make_request({}, max_hours=2.5).envs["MAX_HOURS"] == "2.5"
    assert make_request({"MAX_HOURS": "3"}).max_hours == 3


def test_overrides_may_hold_spaces() -> None:
    request = make_request({"OVERRIDES": "ppo.net_arch=[64, 64] 1.ppo.gamma=0.97"}, stage="all")
    stages = request.trainings.on(gpu=True)
    assert [stage.config.ppo.net_arch for stage in stages] == [(64, 64)] * 3
    assert stages[0].config.ppo.gamma == 0.97 != stages[1].config.ppo.gamma


@pytest.mark.parametrize(
    ("envs", "options", "phrase"),
    [
        ({}, {"species": "tyrex"}, "unknown species 'tyrex'; did you mean 'trex'"),
        ({}, {"stage": "4"}, "stage 4: velociraptor has no stage 4; it has 1, 2, 3"),
        ({}, {"name": "-x"}, "--name '-x' is not usable"),
        ({}, {"name": "a" * 61}, "at most 60"),
        ({"RUN_NAME": "../up"}, {}, "RUN_NAME '../up' is not usable"),
        ({}, {"max_hours": 0.0}, "--max-hours 0 is not above 0"),
        ({}, {"max_cost": float("nan")}, "--max-cost nan"),
        ({}, {"max_hourly_cost": -1.0}, "--max-hourly-cost -1"),
        ({"MAX_HOURS": "two"}, {}, "MAX_HOURS=two is not a number"),
        ({"TIMESTEPS": "1e6"}, {}, "TIMESTEPS=1e6 is not a whole number"),
        ({"OVERRIDES": "ppo.learning_rte=1e-4"}, {}, "did you mean 'ppo.learning_rate'"),
        ({"OVERRIDES": "ppo.net_arch=[64, 64"}, {}, "the bracket [ is never closed"),
        ({"N_ENVS": "63", "OVERRIDES": "ppo.batch_size=1024"}, {"stage": "1"}, "does not divide"),
        ({}, {"managed": True, "retry": True}, "leave --retry-until-up out"),
    ],
)
def test_refusals(envs: dict[str, str], options: dict[str, Any], phrase: str) -> None:
    with pytest.raises(UserError) as caught:
        make_request(envs, **options)
    assert phrase in str(caught.value)
    assert "\n" not in str(caught.value)


def test_envs() -> None:
    assert parse_envs(["A=1", "B=x=y", "C="]) == {"A": "1", "B": "x=y", "C": ""}
    with pytest.raises(UserError, match="--env 'A' is not NAME=value"):
        parse_envs(["A"])


@pytest.mark.parametrize("name", ["WANDB_API_KEY", "HF_TOKEN", "MY_PASSWORD"])
def test_a_secret_is_no_env(name: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_envs([f"{name}=s3cr3t"])
    assert "export WANDB_API_KEY" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_an_animal_that_the_machine_would_not_have_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(install_example(tmp_path))
    with pytest.raises(UserError, match="'stepper' comes from another package, which a rented machine"):
        make_request({}, species="stepper")


def test_a_policy_on_the_machine_is_for_the_machine_to_check() -> None:
    """One that lies here as well is checked here."""
    assert make_request({"LOAD": "earlier-run"}, species="trex", stage="2").envs["LOAD"] == "earlier-run"
    policy = shipped_policy("velociraptor", 1)
    with pytest.raises(UserError, match="velociraptor"):
        make_request({"LOAD": str(policy)}, species="trex", stage="2")
