"""`mesozoic sweep launch` and `launch-all` on Vertex AI: what is shown, and refused, before anything is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.vertex_server import IMAGE, PROJECT, VertexServer

from mesozoic.cloud.vertex import provider

pytest.importorskip("gcsfs", reason="needs the extra [vertex]")

Run = Callable[..., tuple[int, str]]
SPACE = json.dumps({"ppo_learning_rate": {"type": "double", "min": 1e-5, "max": 1e-3, "scale": "log"}})
WHERE = (f"--project={PROJECT}", "--bucket=bones", f"--image={IMAGE}", "--search-space", SPACE, "--engine=vertex")
ONE = ("sweep", "launch", "--species=trex", "--stage=1", "--trials=4")
ALL = ("sweep", "launch-all", "--species=trex", "--trials=4")


@pytest.fixture(autouse=True)
def _elsewhere(server: VertexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_a_dry_run_shows_the_price_and_asks_nothing(run: Run, server: VertexServer) -> None:
    for words, stages in ((ONE, 1), (ALL, 3)):
        code, said = run(*words, *WHERE, "--dry-run", "--accelerator=T4", "--parallel=2", "--spot")
        assert code == 0 and "dry run: nothing was submitted" in said, said
        assert said.count("4 trials of") == stages and "2 side by side (bayes, pruner median), $" in said
        assert "/h a trial  vertex n1-standard-8" in said and "at most: spot machines cost less" in said
        assert "files in gs://bones/sweeps/trex" in said
    assert server.operations == [] and server.jobs == []


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--project="], "which Google Cloud project? give --project NAME"),
        (["--bucket="], "which bucket? give --bucket NAME"),
        (["--bucket=s3://x"], "names no bucket"),
        (["--image="], "which container image? give --image"),
        (["--accelerator=T5"], "unknown --accelerator 'T5'"),
        (["--pruner=asha"], "Vertex AI has no pruner 'asha'; give --pruner median or none"),
        (["--sampler=grid"], "a grid takes lists of values only"),
        (["--stuck-after=0"], "--stuck-after 0 is no number of minutes above 0"),
        (["--max-failed=0"], "--max-failed 0 is out of range"),
        (["--retry-after=soon"], "--retry-after 'soon' is no list of seconds"),
        (["--load=policy.zip"], "is on this machine, where trials on Vertex AI do not see it; type: gcloud storage cp"),
        (["--parallel=101", "--trials=200"], "at most 100 trials side by side"),
    ],
)
@pytest.mark.parametrize("words", [ONE, ALL], ids=["launch", "launch-all"])
def test_what_cannot_be_is_one_sentence_and_nothing_is_asked(
    run: Run, server: VertexServer, words: tuple[str, ...], more: list[str], sentence: str
) -> None:
    code, said = run(*words, *WHERE, "--yes", *more)
    assert code == 2 and sentence in said and said.count("error:") == 1, said
    assert server.operations == [] and not list(Path().iterdir())


def test_what_it_may_cost_in_all_is_said_and_held_against_limits(run: Run, server: VertexServer) -> None:
    """Trials of all stages, each as long as Google lets it; nobody knows without a timeout."""
    code, said = run(*ALL, *WHERE, "--dry-run", "--timeout=2")
    assert code == 0 and "total: at most about $11.36 (12 trials of 2 h, 10 min allowed" in said, said
    assert "an estimate: prices of us-central1, written down" in said
    code, said = run(*ALL, *WHERE, "--dry-run", "--timeout=2", "--max-cost=11.4", "--max-hourly-cost=1.75")
    assert code == 0, said
    assert "ends a trial after 168 h, which would be $881.87 for 12" in run(*ALL, *WHERE, "--dry-run")[1]
    for more, sentence in (
        (("--timeout=2", "--max-cost=3.7"), "--max-cost 3.7 is below every offer"),
        (("--max-cost=50",), "--max-cost needs --timeout"),
        (("--max-hourly-cost=1.7",), "--max-hourly-cost 1.7 is below every offer"),
        (("--timeout=2", "--max-cost=50", "--spot"), "--max-cost cannot be kept by a managed job"),
        (("--timeout=2", "--max-cost=50", "--machine-type=n2-standard-8"), "a limit of cost needs a price"),
        (("--timeout=2", "--max-cost=0"), "--max-cost 0 is not above 0"),
        (("--timeout=-1",), "--timeout -1 is not above 0"),
        (("--timeout=2", "--max-cost=3.8", "--region=europe-west4"), "--max-cost 3.8 is below every offer"),
        (("--engine=local", "--max-cost=50"), "--engine local rents nothing"),
    ):
        code, said = run(*ONE, *WHERE, "--yes", *more)
        assert code == 2 and sentence in said, said
    assert server.operations == [] and server.jobs == []


def test_one_stage_is_submitted_and_the_command_returns(
    run: Run, server: VertexServer, buckets: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pending = 600.0
    code, said = run(*ONE, *WHERE)
    assert code == 2 and "'submit it?' cannot be asked without a terminal; add --yes" in said and server.jobs == []
    code, said = run(*ONE, *WHERE, "--yes", "--label=team=raptors")
    job = server.job()
    assert code == 0 and f"watch it: mesozoic vertex status {job.proto.display_name}" in said, said
    assert "collect-results gs://bones/sweeps/trex --stages 1" in said
    assert job.proto.labels["team"] == "raptors" and job.proto.max_trial_count == 4
    code, said = run(*ONE, *WHERE, "--yes")
    assert code == 2 and "sweeps stage 1 into gs://bones/sweeps/trex already" in said and len(server.jobs) == 1
    code, said = run("cloud", "status")
    assert job.proto.display_name in said and "PENDING" in said and "/h a trial" in said
    monkeypatch.setattr(provider, "BETWEEN", 0.05)
    code, said = run("cloud", "down", "--all", "--yes")
    assert code == 0 and f"{job.proto.display_name} is down" in said and server.job().state == "CANCELLED"


def test_what_would_fail_there_is_said_before(run: Run, server: VertexServer, buckets: object) -> None:
    server.google.apis_off.add("aiplatform.googleapis.com")
    for words in (ONE, ALL):
        code, said = run(*words, *WHERE, "--yes")
        assert code == 2 and "aiplatform.googleapis.com is off; type: gcloud services enable" in said
    assert server.jobs == []
