"""A task file of the user's own: what it says is checked and priced, and only options and --env win over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_sky import A10

from mesozoic.cloud.estimate import budgets
from mesozoic.cloud.request import LaunchRequest, make_request
from mesozoic.cloud.sky.accelerators import canonical_name
from mesozoic.cloud.sky.launch import make_plan, read_request
from mesozoic.cloud.sky.offers import find_offers
from mesozoic.cloud.sky.task import load_task, task_for
from mesozoic.errors import UserError, sentences_of

pytestmark = pytest.mark.usefixtures("sky_offline", "at_checkout")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Somebody's own: a T. rex that learns to walk, with a limit, an override and a name."""
    text = Path("cloud/train.yaml").read_text(encoding="utf-8")
    mine = {
        "SPECIES": "trex",
        "STAGE": "2",
        "TIMESTEPS": '"123000"',
        "OVERRIDES": '"ppo.gamma=0.98 ppo.net_arch=[64, 64]"',
        "RUN_NAME": "mine",
        "MAX_HOURS": '"3"',
    }
    lines = []
    for line in text.splitlines():
        name = line.strip().partition(":")[0]
        lines.append(f"  {name}: {mine.pop(name)}" if line.startswith("  ") and name in mine else line)
    assert not mine
    path = tmp_path / "mine.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(file: Path, *envs: tuple[str, str], **options: Any) -> LaunchRequest:
    return read_request(dict(envs), file=file, **options)


def steps(request: LaunchRequest) -> dict[int, int]:
    return budgets(request, A10)


def test_its_settings_are_what_is_checked_named_and_priced(file: Path) -> None:
    request = read(file)
    assert (request.species, request.stage, request.run_name, request.max_hours) == ("trex", "2", "mine", 3.0)
    assert steps(request) == {2: 123_000}
    (stage,) = request.trainings.on(gpu=True)
    assert (stage.config.ppo.gamma, stage.config.ppo.net_arch) == (0.98, (64, 64))
    task = task_for(request)
    assert {name: task.envs[name] for name in ("SPECIES", "STAGE", "RUN_NAME", "TIMESTEPS", "MAX_HOURS")} == {
        "SPECIES": "trex",
        "STAGE": "2",
        "RUN_NAME": "mine",
        "TIMESTEPS": "123000",
        "MAX_HOURS": "3",
    }
    assert any("123,000 steps" in line for line in make_plan(request, dry_run=True).lines())


def test_env_wins_over_the_file_and_an_option_over_both(file: Path) -> None:
    request = read(file, ("STAGE", "1"), ("TIMESTEPS", "5000"), ("RUN_NAME", "other"), ("MAX_HOURS", "2"))
    assert (request.species, request.stage, request.run_name, request.max_hours) == ("trex", "1", "other", 2.0)
    assert steps(request) == {1: 5000}
    request = read(file, ("STAGE", "1"), ("MAX_HOURS", "2"), stage="3", species="velociraptor", max_hours=1.5)
    assert (request.species, request.stage, request.max_hours) == ("velociraptor", "3", 1.5)
    assert task_for(request).envs["MAX_HOURS"] == "1.5"


def test_an_empty_env_means_the_default_and_not_the_file(file: Path) -> None:
    request = read(file, ("TIMESTEPS", ""), ("OVERRIDES", ""), ("MAX_HOURS", ""))
    assert steps(request)[2] > 123_000
    assert request.max_hours is None
    assert task_for(request).envs["TIMESTEPS"] == ""


def test_what_it_says_is_refused_like_anything_else(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    text = text.replace("ppo.gamma=0.98", "ppo.gamma=2").replace("BACKEND: auto", "BACKEND: torch")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read(file)
    assert sentences_of(caught.value) == (
        "unknown backend 'torch'; this version has: auto, jax, sb3",
        "override 'ppo.gamma=2': ppo.gamma should be less than 1, but it is 2; correct that value",
    )


@pytest.mark.parametrize("physics", ["native", "auto"])
def test_several_machines_need_an_engine_that_simulates_on_devices(file: Path, physics: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + "\nnum_nodes: 2\n", encoding="utf-8")
    with pytest.raises(UserError, match=rf"mine\.yaml has num_nodes: 2, and physics '{physics}' .* PHYSICS=mjx-jax"):
        make_plan(read(file, ("PHYSICS", physics)), dry_run=True)


def test_several_machines_are_planned_and_all_of_them_priced(file: Path) -> None:
    def cheapest() -> float:
        offers = make_plan(read(file, ("PHYSICS", "mjx-jax")), dry_run=True).offers
        return min(offer.placement.price or 0.0 for offer in offers)

    one = cheapest()
    file.write_text(file.read_text(encoding="utf-8") + "\nnum_nodes: 2\n", encoding="utf-8")
    assert cheapest() == pytest.approx(2 * one)
    with pytest.raises(UserError, match=r"255 worlds cannot be shared equally by 2 devices; .* N_ENVS=256"):
        make_plan(read(file, ("PHYSICS", "mjx-jax"), ("N_ENVS", "255")), dry_run=True)


@pytest.mark.parametrize(("typed", "spelled"), [("a100", "A100"), ("A100", "A100"), ("a10g", "A10G"), ("zz1", "zz1")])
def test_a_gpu_is_spelled_as_the_price_lists_spell_it(typed: str, spelled: str) -> None:
    assert canonical_name(typed) == spelled


@pytest.mark.parametrize("infra", ["gcp", "lambda"])
def test_a_gpu_in_small_letters_is_the_same_machine_at_the_same_price(infra: str) -> None:
    small, large = (find_offers(task_for(make_request({}, gpus=gpus, infra=[infra]))) for gpus in ("a100:1", "A100:1"))
    assert [(offer.placement, offer.price) for offer in small] == [(offer.placement, offer.price) for offer in large]
    assert small


def test_a_gpu_in_small_letters_in_a_file(file: Path) -> None:
    text = file.read_text(encoding="utf-8").replace("{A100: 1}", "{a100: 1}")
    file.write_text(text, encoding="utf-8")
    named = [dict(one.accelerators) for one in load_task(file, {}).resources if one.accelerators]
    assert {"A100": 1} in named and {"a100": 1} not in named
