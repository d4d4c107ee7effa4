"""Durations are measured ones or said to be unknown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_sky import A10, A100

from mesozoic.cloud import estimate
from mesozoic.cloud.limits import affordable
from mesozoic.cloud.offer import Offer, Placement
from mesozoic.cloud.request import make_request
from mesozoic.errors import UserError
from mesozoic.species import species_names

MEASURED = """
[[machine]]
name = "one A10"
cloud = "lambda"
instance_type = "gpu_1x_a10"
source = "a run of ours"
[machine.steps_per_second.trex]
1 = 1000
2 = 2000
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "throughput.toml"
    file.write_text(MEASURED)
    original = estimate.speeds
    monkeypatch.setattr(estimate, "speeds", lambda species, table=file: original(species, file))
    return file


def request(stage: str, **options: float):  # type: ignore[no-untyped-def]
    return make_request({"TIMESTEPS": "3600000"}, species="trex", stage=stage, **options)  # type: ignore[arg-type]


def test_every_row_names_its_source_and_covers_what_it_claims() -> None:
    for species in species_names():
        for speed in estimate.speeds(species):
            assert speed.source
            assert all(rate > 0 for rate in speed.steps_per_second.values())
            assert bool(speed.cloud) == bool(speed.instance_type)


def test_the_laptops_rows_are_those_of_the_published_results() -> None:
    """Steps by wall time, with evaluation and compilation, of the slowest seed of each stage on record."""
    text = (Path(__file__).parents[2] / "docs" / "results" / "records.json").read_text(encoding="utf-8")
    slowest: dict[tuple[str, int], int] = {}
    for run in json.loads(text)["runs"]:
        key, rate = (run["species"], run["stage"]), int(run["timesteps"] / run["wall_seconds"])
        slowest[key] = min(rate, slowest.get(key, rate))
    assert len(slowest) == 9
    for species in species_names():
        (here,) = [speed for speed in estimate.speeds(species) if not speed.cloud and not speed.gpu]
        assert here.steps_per_second == {stage: slowest[species, stage] for stage in (1, 2, 3)}


def test_what_is_not_measured_is_said_to_be_so() -> None:
    lines = estimate.explain(request("all"), [A100])
    assert "not measured on gpu_1x_a100_sxm4" in lines[0] and "docs/results.md" in lines[0]
    assert "10,800,000 steps" in lines[0]
    assert "total: unknown, $1.29 for every hour" in lines[1]


def test_a_measured_machine(table: Path) -> None:
    assert estimate.job_hours(request("1"), A10) == pytest.approx(1.0)
    assert "at most 1.00 h for 3,600,000 steps (a run of ours)" in estimate.explain(request("1"), [A10])[0]
    assert estimate.job_hours(request("1"), A100) is None
    assert estimate.job_hours(request("3"), A10) is None  # that stage was not measured


def test_the_limit_caps_the_measurement(table: Path) -> None:
    assert estimate.job_hours(request("1", max_hours=0.5), A10) == 0.5
    assert estimate.job_hours(request("1", max_hours=5), A10) == pytest.approx(1.0)


def test_setting_up_and_idling_are_paid_for() -> None:
    (_, line) = estimate.explain(request("1", max_hours=2), [A10, A100])
    assert f"${0.75 * 2.25:.2f}, ${1.29 * 2.25:.2f} on the dearest" in line


def test_a_limit_is_promised_only_where_it_is_one(table: Path) -> None:
    """Nothing limits how often a managed job's machine is taken away and another one set up."""
    assert "total: at most about $" in estimate.explain(request("1", max_hours=2), [A10])[1]
    assert "total: about $" in estimate.explain(request("1"), [A10])[1]  # measured, but nothing ends it
    managed = make_request({"TIMESTEPS": "3600000"}, species="trex", stage="1", max_hours=2, managed=True)
    (_, line) = estimate.explain(managed, [A10])
    assert "at most" not in line and "this is no limit: every recovery costs its set-up, about $0.12" in line


def test_a_managed_job_cannot_keep_a_limit_in_all() -> None:
    wanted = make_request({}, species="trex", stage="1", max_hours=2, max_cost=5, managed=True)
    with pytest.raises(UserError, match="--max-cost cannot be kept by a managed job"):
        affordable([Offer(A10, 30, None)], wanted)


def test_ones_own_cluster_costs_nothing() -> None:
    own = Placement("slurm", "mycluster", "2CPU--4GB", "", False, 1, 0.0)
    assert "nothing is rented" in estimate.explain(request("1", max_hours=2), [own])[1]
