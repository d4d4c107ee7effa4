"""`launch-all --engine wandb`: a sweep on W&B for each stage, whose agents run here, and the same command goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("wandb", reason="needs the extra [sweep]")

from support.wandb_server import WandbServer

from mesozoic.sweep.chain_state import FILE
from mesozoic.sweep.trial_record import read_trial

SPACE = {
    "trials": 1,
    "timesteps": 256,
    "n_envs": 8,
    "ppo_learning_rate": {"type": "double", "min": 1e-4, "max": 1e-3, "scale": "log"},
    "stage1": {"trials": 2},
}
TINY = (
    "env.max_episode_steps=20",
    "ppo.n_steps=8",
    "ppo.batch_size=32",
    "curriculum.eval_episodes=8",
    "curriculum.min_success_low=0",
    "curriculum.min_avg_episode_length=0",
    "curriculum.warmup_timesteps=0",
)


def call(folder: Path, *more: str) -> tuple[int, str]:
    words = ["sweep", "launch-all", "--engine=wandb", "--species=velociraptor", "--eval-freq=128", "--sampler=random"]
    words += ["--parallel=1", "--pruner=none", "--search-space", json.dumps(SPACE), "--output-dir", str(folder), *more]
    words += [f"--override={text}" for text in TINY]
    done = subprocess.run([sys.executable, "-m", "mesozoic", *words], capture_output=True, text=True, timeout=900)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.e2e
def test_three_sweeps_each_from_the_winner_before(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = tmp_path / "chain"
    code, said = call(folder)
    assert code == 0, said
    state: dict[str, Any] = json.loads((folder / FILE).read_text())
    assert [one["stage"] for one in state["stages"]] == [1, 2, 3]
    assert [one.state for one in server.sweeps.values()] == ["FINISHED"] * 3
    assert [one.state for one in server.runs.values()] == ["finished"] * 4
    for stage in (2, 3):
        before = state["stages"][stage - 2]
        record = read_trial(folder / f"stage{stage}" / state["stages"][stage - 1]["trial"])
        assert record is not None and record.engine == "wandb"
        assert record.spec["load"] == str(folder / before["policy"])
    assert "mesozoic curriculum velociraptor" in said
    # killed while the agents of the last stage were at it, when their sweep existed already
    (sweep,) = [one for one in server.sweeps.values() if one.name == list(server.sweeps)[-1]]
    job = {"sweep": f"dinosaurs/{sweep.project}/{sweep.name}", "stage": 3, "identity": state["stages"][2]["identity"]}
    (folder / FILE).write_text(json.dumps({**state, "stages": state["stages"][:2], "job": job}))
    code, again = call(folder)
    assert code == 0 and f"going on with sweep {job['sweep']}" in again and len(server.sweeps) == 3
    assert json.loads((folder / FILE).read_text())["stages"] == state["stages"]


def test_without_a_key_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    code, said = call(tmp_path / "chain")
    assert code == 2 and "a sweep of W&B needs a key; type 'wandb login'" in said
    assert not (tmp_path / "chain").exists()
