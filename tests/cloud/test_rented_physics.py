"""Which engine a rented machine simulates with is known, checked and priced before it is rented."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_sky import A10, A100

from mesozoic.cloud import estimate
from mesozoic.cloud.estimate import OVERHEAD_HOURS, budgets, cheapest_first, job_hours, possible
from mesozoic.cloud.limits import affordable
from mesozoic.cloud.offer import Offer, Placement
from mesozoic.cloud.request import LaunchRequest, make_request
from mesozoic.cloud.sky.launch import make_plan
from mesozoic.errors import UserError
from mesozoic.run import auto_physics
from mesozoic.species import load_stage

ROOT = Path(__file__).parents[2]
CPU = Placement("gcp", "us-central1", "n2-standard-8", "", False, 1, 0.4)
H200 = Placement("gcp", "us-central1", "a3-ultragpu-1g", "H200:1", False, 1, 9.0)
EIGHT = Placement("aws", "us-east-1", "p5en.48xlarge", "H200:8", False, 1, 60.0)


@pytest.fixture(autouse=True)
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The velociraptor's stages have tables for a GPU and no others, whatever the stage files say today."""
    monkeypatch.setattr(auto_physics, "has_device_table", lambda species, number: species == "velociraptor")


def request(**options: Any) -> LaunchRequest:
    return make_request({}, **{"species": "velociraptor", "stage": "1", **options})


def physics(wanted: LaunchRequest, placement: Placement) -> set[str]:
    return {stage.physics for stage in wanted.trainings.there(placement)}


@pytest.mark.parametrize(
    ("options", "gpu", "cpu"),
    [
        ({}, "mjx-warp", "native"),
        ({"stage": "all"}, "mjx-warp", "native"),
        ({"species": "trex"}, "native", "native"),
        ({"physics": "native"}, "native", "native"),
        ({"physics": "mjx-jax"}, "mjx-jax", "mjx-jax"),
    ],
)
def test_auto_is_warp_on_offers_with_a_gpu_for_an_animal_with_tables(
    options: dict[str, str], gpu: str, cpu: str
) -> None:
    wanted = request(**options)
    assert (physics(wanted, A10), physics(wanted, CPU)) == ({gpu}, {cpu})


def test_auto_is_native_for_a_learner_of_the_host() -> None:
    wanted = make_request({"BACKEND": "sb3"}, stage="1")
    assert physics(wanted, A10) == {"native"}
    assert "because sb3-ppo learns on no other" in wanted.trainings.lines([A10])[0]


def test_accelerators_of_other_makers_are_no_gpus_for_warp() -> None:
    for name in ("tpu-v5litepod-8:1", "Trainium:1", "MI300X:8", "Gaudi HL-205:8", "Radeon Pro V520:1", ""):
        assert not replace(CPU, accelerators=name).has_gpu
    for name in ("A10G:1", "L4:1", "H100-80GB:8", "GH200:1", "T4:1", "RTX6000:1", "V100:8"):
        assert replace(CPU, accelerators=name).has_gpu


def test_what_is_checked_and_priced_is_what_runs_there() -> None:
    """The budget and the worlds of the table `[device]` on a GPU, those of the file without one."""
    wanted = request()
    device, host = load_stage("velociraptor", 1, device=True), load_stage("velociraptor", 1)
    assert wanted.trainings.on(gpu=True)[0].config == device
    assert wanted.trainings.on(gpu=False)[0].config == host
    assert budgets(wanted, A10) == {1: device.curriculum.timesteps} != budgets(wanted, CPU)
    assert budgets(wanted, CPU) == {1: host.curriculum.timesteps}


def test_a_batch_that_fits_one_kind_of_machine_only_is_refused_on_the_other() -> None:
    """16,384 samples are a quarter of a rollout on a GPU, and no part of one of 128 worlds."""
    wanted = make_request({"OVERRIDES": "ppo.batch_size=16384 ppo.n_steps=16"}, stage="1", species="velociraptor")
    assert possible([Offer(A10, 8, None)], wanted)
    with pytest.raises(UserError, match=r"does not divide into batches of ppo.batch_size = 16384"):
        possible([Offer(A10, 8, None), Offer(CPU, 8, None)], wanted)
    with pytest.raises(UserError, match="does not divide"):
        make_request({"OVERRIDES": "ppo.batch_size=16384 ppo.n_steps=16"}, stage="1", gpus="CPU:8")


def test_what_is_wrong_on_every_machine_is_said_once() -> None:
    with pytest.raises(UserError) as caught:
        make_request({"OVERRIDES": "ppo.gama=1"}, stage="1")
    assert str(caught.value) == "override 'ppo.gama=1': unknown key 'ppo.gama'; did you mean 'ppo.gamma'?"


def test_warp_by_name_leaves_machines_without_a_gpu_out() -> None:
    wanted = request(physics="mjx-warp")
    offers = [Offer(CPU, 8, None), Offer(A10, 30, None)]
    assert [offer.placement for offer in possible(offers, wanted)] == [A10]
    with pytest.raises(UserError, match=r"simulates on an NVIDIA GPU.*give --gpus, or --physics native"):
        possible(offers[:1], wanted)
    for options in ({"gpus": "CPU:8"}, {"gpu": False}):
        with pytest.raises(UserError, match="simulates on an NVIDIA GPU"):
            request(physics="mjx-warp", **options)


def test_machines_with_fewer_gpus_than_are_named_are_left_out() -> None:
    """The job would be refused on them, once they are paid for."""
    wanted = make_request({"GPU_IDS": "0,3"}, species="velociraptor", stage="1", physics="mjx-jax")
    offers = [Offer(A10, 30, None), Offer(CPU, 8, None), Offer(EIGHT, 192, None)]
    assert [offer.placement for offer in possible(offers, wanted)] == [EIGHT]
    with pytest.raises(UserError, match=r"GPU_IDS 0,3 names device 3, and lambda gpu_1x_a10 .* has 1, counted from 0"):
        possible(offers[:2], wanted)
    everything = make_request({"GPU_IDS": "all"}, species="velociraptor", stage="1", physics="mjx-jax")
    assert possible(offers, everything) == offers


def test_the_option_wins_over_the_knob_and_travels_to_the_machine() -> None:
    wanted = make_request({"PHYSICS": "mjx-jax"}, physics="native", settings={"PHYSICS": "auto"}, stage="1")
    assert wanted.envs["PHYSICS"] == "native" and physics(wanted, A10) == {"native"}
    assert physics(make_request({"PHYSICS": "mjx-jax"}, stage="1"), A10) == {"mjx-jax"}
    with pytest.raises(UserError, match="unknown physics 'mjx'"):
        make_request({}, physics="mjx")


def test_the_plan_says_what_auto_becomes_on_each_kind_of_machine() -> None:
    lines = request().trainings.lines([A10, CPU, A100])
    assert len(lines) == 2
    assert lines[0].startswith("physics with a GPU: mjx-warp, because the machine has a GPU; 4,096 worlds, ")
    assert lines[1].startswith("physics without a GPU: native, because the machine has no NVIDIA GPU; ")
    (line,) = request(species="trex").trainings.lines([A10])
    assert "native, because stage 1 of trex has no [device] table for a GPU" in line
    (line,) = request(physics="native").trainings.lines([A10])
    assert line.startswith("physics with a GPU: native; ")


def test_a_dry_run_shows_it(sky_offline: Any, at_checkout: Path) -> None:
    text = "\n".join(make_plan(request(infra=["lambda"]), dry_run=True).lines())
    assert "physics with a GPU: mjx-warp" in text and "20,000,000 steps at most" in text
    assert "min at the pace of one NVIDIA H200" in text
    text = "\n".join(make_plan(request(gpus="CPU:8", infra=["gcp"]), dry_run=True).lines())
    assert "physics without a GPU: native" in text and "at the pace of 2 shared CPU cores" in text


def test_the_gpus_row_is_the_recorded_curriculum() -> None:
    """Steps by wall time, with evaluation and compilation."""
    recorded = json.loads((ROOT / "docs" / "gpu" / "h200.json").read_text(encoding="utf-8"))["curriculum"]
    (row,) = [speed for speed in estimate.speeds("velociraptor") if speed.gpu == "H200"]
    assert row.physics == "mjx-warp" and "docs/gpu/h200.json" in row.source
    assert row.steps_per_second == {one["stage"]: int(one["timesteps"] / one["wall_seconds"]) for one in recorded}


def test_the_duration_is_measured_on_that_gpu_with_that_engine_only() -> None:
    wanted = request(stage="all")
    hours = job_hours(wanted, H200)
    assert hours is not None and 60 < hours * 3600 < 600
    assert job_hours(wanted, EIGHT) == hours  # one training uses one of its GPUs
    assert job_hours(wanted, A100) is None
    assert job_hours(request(stage="all", physics="native"), H200) is None
    assert job_hours(request(stage="all", species="trex"), H200) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"N_ENVS": "64"},
        {"OVERRIDES": "ppo.net_arch=[512,512]"},
        {"OVERRIDES": "ppo.n_epochs=20"},
        {"OVERRIDES": "curriculum.eval_freq=2000"},
        {"GPU_IDS": "all"},
        {"BACKEND": "sb3", "PHYSICS": "auto"},
    ],
)
def test_another_training_than_the_measured_one_has_no_duration(settings: dict[str, str]) -> None:
    """64 worlds on a GPU are far slower than the thousands that were measured, so nothing is promised of them."""
    wanted = make_request(settings, species="velociraptor", stage="1")
    assert job_hours(wanted, H200) is None
    text = estimate.duration(wanted, H200)
    assert text.startswith("duration: not measured on a3-ultragpu-1g; the budget is ") and "at the pace" not in text
    with pytest.raises(UserError, match="--max-cost needs --max-hours"):
        affordable([Offer(H200, 24, None)], replace(wanted, max_cost=5.0))


def test_what_does_not_decide_the_speed_may_be_otherwise() -> None:
    settings = {"OVERRIDES": "ppo.learning_rate=2e-3", "TIMESTEPS": "40000000", "SEED": "7"}
    hours = job_hours(make_request(settings, species="velociraptor", stage="1"), H200)
    assert hours is not None and hours > (job_hours(request(), H200) or 0.0)


def test_several_machines_were_not_measured() -> None:
    assert job_hours(request(), replace(H200, nodes=2)) is None


def test_machines_that_cannot_simulate_are_not_rented_either(
    sky_offline: Any, at_checkout: Path, tmp_path: Path
) -> None:
    """A task file with cheap machines without a GPU beside others: Warp by name leaves SkyPilot those with one."""
    text = (ROOT / "cloud" / "train.yaml").read_text(encoding="utf-8")
    before, _, rest = text.partition("  ordered:\n")
    after = rest[rest.index("\nenvs:") :]
    kinds = "  any_of:\n    - {infra: gcp, cpus: 4+}\n    - {infra: gcp, accelerators: {L4: 1}}\n"
    file = tmp_path / "mixed.yaml"
    file.write_text(before + kinds + after, encoding="utf-8")
    plan = make_plan(request(file=file, physics="mjx-warp"), dry_run=True)
    assert plan.offers and all(offer.placement.gpu == "L4" for offer in plan.offers)
    assert all(one.accelerators for one in plan.task.resources)
    both = make_plan(request(file=file), dry_run=True)
    assert {offer.placement.gpu for offer in both.offers} == {"", "L4"}


def test_the_first_use_of_a_machine_takes_longer() -> None:
    (row,) = [speed for speed in estimate.speeds("velociraptor") if speed.gpu]
    hours = estimate.hours_at(row, {1: row.steps_per_second[1]})
    assert hours == pytest.approx((1 + row.first_seconds) / 3600)


def test_the_cheapest_training_comes_first_where_all_are_measured() -> None:
    """A machine that costs more an hour may cost less for the training, which only measurements can tell."""
    offers = [Offer(EIGHT, 192, None), Offer(H200, 24, None)]
    assert [offer.placement for offer in cheapest_first(offers, request())] == [H200, EIGHT]
    unknown = [Offer(H200, 24, None), Offer(A10, 30, None)]
    assert [offer.placement for offer in cheapest_first(unknown, request())] == [A10, H200]


def test_a_dear_fast_machine_is_cheaper_for_a_training_than_a_cheap_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = estimate.Speed("slow", "a test", "gcp", CPU.instance_type, {1: 100.0})
    (fast,) = [speed for speed in estimate.speeds("velociraptor") if speed.gpu]
    monkeypatch.setattr(estimate, "speeds", lambda species: [slow, fast])
    found = cheapest_first([Offer(CPU, 8, None), Offer(H200, 24, None)], request())
    assert [offer.placement for offer in found] == [H200, CPU]
    hours = estimate.measured_hours(request(), CPU)
    assert hours is not None and hours[0] + OVERHEAD_HOURS > 5
