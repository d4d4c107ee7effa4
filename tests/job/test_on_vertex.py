"""A container on Vertex AI is told of its job in Vertex's words; a job that failed for good does not train again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from mesozoic.errors import UserError
from mesozoic.files import read_json, write_json
from mesozoic.job.environment import read_job
from mesozoic.job.on_vertex import on_vertex, secret_value
from mesozoic.job.supervisor import Supervisor

OUTPUT = {
    "AIP_MODEL_DIR": "gs://bones/training/dig/model/",
    "AIP_CHECKPOINT_DIR": "gs://bones/training/dig/checkpoints/",
}


def test_outputs_go_to_the_jobs_own_folder() -> None:
    """A job that was submitted by other means, without RESULTS, writes where Vertex AI says."""
    job = read_job(on_vertex({"CLOUD_ML_JOB_ID": "77", **OUTPUT}))
    assert (job.run, job.job_id) == (Path("/gcs/bones/training/dig"), "77")


def test_what_the_job_says_wins() -> None:
    given = {"RESULTS": "gs://bones/elsewhere/", "RUN_NAME": "a", "LOAD": "gs://bones/p.zip", "JOB_ID": "mine"}
    job = read_job(on_vertex({"CLOUD_ML_JOB_ID": "77", **OUTPUT, **given}))
    assert (job.run, job.job_id) == (Path("/gcs/bones/elsewhere/a"), "mine")
    assert job.spec.load == Path("/gcs/bones/p.zip")


def test_elsewhere_nothing_changes() -> None:
    environment = {"SPECIES": "trex", "RESULTS": "/data", "WANDB_API_KEY": "k"}
    assert on_vertex(environment) == environment


def test_a_key_that_is_there_is_not_fetched() -> None:
    environment = {"WANDB_KEY_SECRET": "projects/p/secrets/s/versions/1", "WANDB_API_KEY": "k"}
    assert on_vertex(environment)["WANDB_API_KEY"] == "k"


def test_a_secret_that_cannot_be_read_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("google.auth", reason="needs the extra [vertex]")
    monkeypatch.setenv("MESOZOIC_VERTEX_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot read projects/p/secrets/s.*secretAccessor"):
        secret_value("projects/p/secrets/s/versions/latest")


@pytest.mark.parametrize(
    ("ended", "moves", "trains"),
    [
        ({"state": "failed", "exit_code": 2}, "3", False),
        ({"state": "failed", "exit_code": 137}, "3", False),
        ({"state": "failed", "exit_code": 1, "crashes": ["a", "b", "c", "d"]}, "3", False),
        ({"state": "failed", "exit_code": 75, "crashes": ["a"]}, "3", True),
        ({"state": "stopped", "exit_code": 75}, "3", True),
        ({"state": "failed", "exit_code": 2}, "", True),
        ({"state": "failed", "exit_code": 2, "job_id": "another"}, "3", True),
    ],
)
def test_a_job_that_failed_for_good_is_not_trained_again_by_a_service_that_restarts_it(
    tmp_path: Path, ended: dict[str, Any], moves: str, trains: bool
) -> None:
    run = tmp_path / "dig"
    run.mkdir()
    write_json(run / "job.json", {"job_id": "77", "seconds": 9.0, "crashes": [], "why": "no room", **ended})
    environment = {"RESULTS": str(tmp_path), "RUN_NAME": "dig", "JOB_ID": "77", "JOB_MOVES": moves}
    said: list[str] = []
    mark = tmp_path / "trained"
    words = [sys.executable, "-c", f"open({str(mark)!r}, 'w').close()"]
    code = Supervisor(read_job(environment), words, {}, said.append).run()
    assert mark.exists() == trains and (code == 0) == trains
    if not trains:
        assert code == ended["exit_code"] and said == ["this job has failed for good already: no room"]
    else:
        assert read_json(run / "job.json", 1 << 20)["state"] == "finished"
