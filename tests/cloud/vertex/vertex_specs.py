"""Small jobs for the loopback Vertex AI."""

from __future__ import annotations

from typing import Any

from support.vertex_server import IMAGE

from mesozoic.cloud.vertex.client import LABEL, MESOZOIC


def pool(*command: str, args: tuple[str, ...] = ()) -> dict[str, Any]:
    """A worker pool of one cheap machine that runs a command."""
    return {
        "machineSpec": {"machineType": "n1-standard-4"},
        "replicaCount": "1",
        "containerSpec": {"imageUri": IMAGE, "command": list(command), "args": list(args)},
    }


def shell_job(name: str, script: str, **scheduling: Any) -> dict[str, Any]:
    """A custom job that runs a line of shell."""
    spec = {"workerPoolSpecs": [pool("sh", "-c", script)], "scheduling": scheduling}
    return {"displayName": name, "labels": {LABEL: MESOZOIC}, "jobSpec": spec}


def shell_tuning(name: str, script: str, trials: int = 3, parallel: int = 2, **more: Any) -> dict[str, Any]:
    """A tuning job over `x` in 0..1 whose trials run a line of shell; their arguments are $1, $2 ..."""
    study = {
        "metrics": [{"metricId": "score", "goal": "MAXIMIZE"}],
        "parameters": [{"parameterId": "x", "doubleValueSpec": {"minValue": 0.0, "maxValue": 1.0}}],
        **more.pop("study", {}),
    }
    scheduling = more.pop("scheduling", {})
    return {
        "displayName": name,
        "labels": {LABEL: MESOZOIC},
        "studySpec": study,
        "maxTrialCount": trials,
        "parallelTrialCount": parallel,
        "trialJobSpec": {"workerPoolSpecs": [pool("sh", "-c", script, "trial")], "scheduling": scheduling},
        **more,
    }
