"""A quota of zero is said in one sentence, with what to ask that cloud for."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_sky import FakeSky

from mesozoic.cloud.ledger import read_ledger
from mesozoic.cloud.offer import Offer, Placement
from mesozoic.cloud.request import make_request
from mesozoic.cloud.sky.client import SoldOut
from mesozoic.cloud.sky.launch import Plan, rent, rent_managed
from mesozoic.cloud.sky.quota import quota_sentence
from mesozoic.errors import UserError

NAME = "mesozoic-trex-1"
G5 = Placement("aws", "us-east-1", "g5.4xlarge", "A10G:1", False, 1, 1.6)
L4 = Placement("gcp", "us-central1", "g2-standard-4", "L4:1", False, 1, 0.7)
AWS_SAYS = (
    "Failed to acquire resources in all zones in us-east-1 for {AWS(g5.4xlarge, {'A10G': 1})}.\nReason: An error"
    " occurred (VcpuLimitExceeded) when calling the RunInstances operation: You have requested more vCPU capacity than"
    " your current vCPU limit of 0 allows for the instance bucket that the specified instance type belongs to."
)
GCP_SAYS = "Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 0.0 globally."


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (AWS_SAYS, ("AWS gives this account 0 vCPUs", "us-east-1", "'Running On-Demand G and VT instances'")),
        (AWS_SAYS.replace("of 0", "of 8").replace("g5.4x", "p4d.24x"), ("8 vCPUs", "'Running On-Demand P instances'")),
        ("MaxSpotInstanceCountExceeded: g6.xlarge in eu-west-1a", ("'All G and VT Spot Instance Requests'",)),
        (GCP_SAYS, ("GCP gives this project 0 of GPUS_ALL_REGIONS globally", "Quotas")),
        ("Quota 'NVIDIA_L4_GPUS' exceeded.  Limit: 0.0 in region us-central1.", ("NVIDIA_L4_GPUS in region us-c",)),
        ("global/quota-exceeded: Quota exceeded.", ("Lambda", "https://support.lambda.ai")),
        (
            "Found no quota for g5.4xlarge on-demand instances in region us-west-2 in AWS. To request quotas, check",
            ("0 vCPUs", "us-west-2", "G and VT"),
        ),
        ("Found no quota for a2-highgpu-1g spot instances in region us-central1 in GCP.", ("GCP", "us-central1")),
    ],
)
def test_what_the_clouds_say(answer: str, words: tuple[str, ...]) -> None:
    sentence = quota_sentence(answer)
    assert all(word in sentence for word in words) and "\n" not in sentence


@pytest.mark.parametrize(
    "answer",
    [
        "insufficient-capacity: Not enough capacity to fulfill launch request.",
        "ZONE_RESOURCE_POOL_EXHAUSTED",
        "no network",
    ],
)
def test_sold_out_is_no_quota(answer: str) -> None:
    assert quota_sentence(answer) == ""


def plan(offer: Placement, available: bool | None = None, **options: bool) -> Plan:
    """A plan with one offer, of whose quota the cloud says whether there is any; None: it does not tell."""

    def check(resources: object) -> bool:
        if available is None:
            raise ConnectionError
        return available

    resources = SimpleNamespace(cloud=SimpleNamespace(check_quota_available=check))
    request = make_request({}, species="trex", stage="1", name=NAME, **options)  # type: ignore[arg-type]
    return Plan(request, "the task", [Offer(offer, 16, resources)], [])


@pytest.mark.parametrize(("offer", "answer", "words"), [(G5, AWS_SAYS, "0 vCPUs"), (L4, GCP_SAYS, "GPUS_ALL_REGIONS")])
def test_a_launch_without_quota(offer: Placement, answer: str, words: str) -> None:
    sky = FakeSky()

    def refused(name: str) -> None:
        raise SoldOut(answer)

    sky.launching = refused
    with pytest.raises(UserError) as caught:
        rent(sky, plan(offer), lambda line: None)
    text = str(caught.value)
    assert "no quota for" in text and words in text and "nothing of it is left running" in text
    assert "--retry-until-up" not in text and "\n" not in text


@pytest.mark.parametrize("managed", [False, True])
def test_what_no_quota_allows_is_not_asked_for_again_and_again(managed: bool) -> None:
    sky = FakeSky()
    launch = rent_managed if managed else rent
    hopeless = plan(G5, available=False, managed=managed, retry=not managed)
    with pytest.raises(UserError, match=r"no quota: AWS gives this account 0 vCPUs.*another cloud"):
        launch(sky, hopeless, print)
    assert read_ledger() == [] and sky.requests == []


@pytest.mark.parametrize("available", [True, None])
def test_a_quota_that_is_there_or_not_told_is_tried(available: bool | None) -> None:
    sky = FakeSky()
    rent(sky, plan(G5, available, retry=True), lambda line: None)
    assert NAME in sky.there
