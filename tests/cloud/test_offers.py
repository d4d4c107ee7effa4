"""What could be rented at which price: SkyPilot's real catalogs code, on test prices."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mesozoic.cloud.request import make_request
from mesozoic.cloud.sky.launch import make_plan
from mesozoic.cloud.sky.offers import find_offers
from mesozoic.cloud.sky.task import task_for
from mesozoic.errors import UserError

pytestmark = pytest.mark.usefixtures("no_aws_identity", "at_checkout")


@pytest.fixture
def no_aws_identity(sky_offline: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is logged in to AWS; asking its command line for that takes seconds."""
    from sky import clouds, exceptions

    def nobody() -> None:
        raise exceptions.CloudUserIdentityError("not logged in")

    monkeypatch.setattr(clouds.AWS, "get_active_user_identity", nobody)


def offers(gpus: str | None = None, **options: object):  # type: ignore[no-untyped-def]
    return find_offers(task_for(make_request({}, gpus=gpus, **options)))  # type: ignore[arg-type]


@pytest.mark.parametrize("cloud", ["lambda", "gcp", "aws"])
def test_each_cloud_offers_its_gpus_and_ends_them_when_idle(cloud: str) -> None:
    found = offers(infra=[cloud])
    assert {offer.placement.cloud for offer in found} == {cloud}
    for offer in found:
        assert offer.placement.accelerators
        assert offer.price > 0
        assert not offer.placement.spot
        autostop = offer.resources.autostop_config
        assert (autostop.enabled, autostop.idle_minutes, autostop.down) == (True, 5, True)


def test_a_gpu_of_ones_choice_comes_cheapest_first() -> None:
    found = offers("A100")
    assert {offer.placement.accelerators for offer in found} == {"A100:1"}
    assert len({offer.placement.cloud for offer in found}) > 1
    prices = [offer.price for offer in found]
    assert prices == sorted(prices)


def test_without_one_the_order_of_the_file_counts() -> None:
    clouds = list(dict.fromkeys(offer.placement.cloud for offer in offers()))
    assert clouds[:3] == ["lambda", "gcp", "aws"]


def test_the_file_of_a_user_decides_nothing_about_ending(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "forgetful.yaml"
    file.write_text("resources: {infra: lambda, accelerators: A10}\nenvs: {SPECIES: '', STAGE: '', RUN_NAME: ''}\n")
    (first, *_) = offers(file=file)
    assert first.resources.autostop_config.down


def test_a_region() -> None:
    region = offers(infra=["aws"])[0].placement.region
    assert {offer.placement.region for offer in offers(infra=[f"aws/{region}"])} == {region}


def test_spot_is_cheaper_and_lambda_has_none() -> None:
    spot = offers(infra=["gcp"], spot=True)
    assert all(offer.placement.spot for offer in spot)
    assert spot[0].price < offers(infra=["gcp"])[0].price
    with pytest.raises(UserError, match=r"no spot GPU .* on lambda \(Spot instances are not supported"):
        offers(infra=["lambda"], spot=True)


def test_cores_instead_of_gpus() -> None:
    found = offers("CPU:8", infra=["aws"])
    assert found[0].placement.accelerators == ""
    assert found[0].cores is not None and found[0].cores >= 8


def test_an_unknown_gpu_gets_a_suggestion() -> None:
    with pytest.raises(UserError, match=r"no GPU A1O0:1 is offered on lambda, gcp, aws; did you mean 'A10") as caught:
        make_plan(make_request({}, gpus="A1O0"), dry_run=True)
    assert "\n" not in str(caught.value)


def test_a_number_of_gpus_that_nobody_has() -> None:
    with pytest.raises(UserError, match=r"no GPU A100:7 is offered .*; there it comes as A100:1 or A100:8;"):
        offers("A100:7")
    with pytest.raises(UserError, match="no GPU H100:1 is offered on aws; it is offered on lambda;"):
        offers("H100", infra=["aws"])


def test_price_lists_that_cannot_be_fetched_are_one_sentence(tmp_path: Path) -> None:
    """Nothing of SkyPilot's talk with its own server is printed."""
    keys = tmp_path / ".lambda_cloud" / "lambda_keys"
    keys.parent.mkdir()
    keys.write_text("api_key = nobody\n")
    nowhere = {"HOME": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9", "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
    command = [sys.executable, "-m", "mesozoic", "cloud", "cost", "--gpus", "A100", "--infra", "lambda"]
    done = subprocess.run(
        command, env={**os.environ, **nowhere}, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 2 and "sky-payload" not in done.stdout + done.stderr
    assert done.stderr.startswith("error: SkyPilot could not fetch its price lists") and done.stderr.count("\n") == 1


def test_a_price_limit_keeps_the_launch_to_what_it_allows() -> None:
    everything = make_plan(make_request({}, gpus="A100"), dry_run=True).offers
    limit = everything[0].price
    dearer = [offer for offer in everything if offer.price > limit]
    assert dearer
    plan = make_plan(make_request({}, gpus="A100", max_hourly_cost=limit), dry_run=True)
    assert plan.offers and all(offer.price <= limit for offer in plan.offers)
    may_use = {(str(one.cloud).lower(), one.instance_type, one.region) for one in plan.task.resources}
    kept = {(one.placement.cloud, one.placement.instance_type, one.placement.region) for one in plan.offers}
    assert may_use == kept
    assert all(one.autostop_config.down for one in plan.task.resources)


def test_a_price_limit_below_every_offer() -> None:
    with pytest.raises(UserError, match=r"--max-hourly-cost 0.01 is below every offer; the cheapest is \w+ .*/h"):
        make_plan(make_request({}, max_hourly_cost=0.01), dry_run=True)


def test_a_limit_on_the_total() -> None:
    with pytest.raises(UserError, match="--max-cost needs --max-hours"):
        make_plan(make_request({}, max_cost=5), dry_run=True)
    with pytest.raises(UserError, match=r"--max-cost 0.05 is below every offer"):
        make_plan(make_request({}, max_cost=0.05, max_hours=1), dry_run=True)
    cheapest = min(make_plan(make_request({}), dry_run=True).offers, key=lambda offer: offer.price)
    pays_for_one = cheapest.price * 1.25  # an hour, and a quarter for set-up and idling
    plan = make_plan(make_request({}, max_cost=pays_for_one, max_hours=1), dry_run=True)
    assert {offer.price for offer in plan.offers} == {cheapest.price}


def test_knobs_reach_the_task_and_the_checkout_travels(at_checkout) -> None:  # type: ignore[no-untyped-def]
    task = task_for(make_request({"TIMESTEPS": "20000"}, species="trex", stage="1", max_hours=2))
    assert task.envs["SPECIES"] == "trex"
    assert task.envs["STAGE"] == "1"
    assert task.envs["TIMESTEPS"] == "20000"
    assert task.envs["MAX_HOURS"] == "2"
    assert task.workdir == str(at_checkout)


def test_a_key_travels_as_a_secret_only(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "0123456789abcdef0123456789abcdef01234567"
    assert task_for(make_request({})).secrets["WANDB_API_KEY"].get_secret_value() == ""
    monkeypatch.setenv("WANDB_API_KEY", key)
    plan = make_plan(make_request({}), dry_run=True)
    assert plan.task.secrets["WANDB_API_KEY"].get_secret_value() == key
    assert key not in "".join(plan.lines()) and key not in repr(plan)
    assert key not in plan.task.envs.values()


def test_an_unknown_knob() -> None:
    with pytest.raises(UserError, match="no knob 'SPECES'; did you mean 'SPECIES'"):
        task_for(make_request({"SPECES": "trex"}))


def test_a_managed_job_wants_a_bucket() -> None:
    with pytest.raises(UserError, match="add --env BUCKET="):
        task_for(make_request({}, managed=True))
    task = task_for(make_request({"BUCKET": "my-mesozoic-runs"}, managed=True))
    assert all(one.use_spot for one in task.resources)
