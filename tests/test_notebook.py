"""The notebooks run from top to bottom, and are kept without what a run of them leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.notebooks import FOLDER, cells, executed, printed

TRAINING, SWEEP = "jax_training.ipynb", "sweep.ipynb"
TINY = [
    *("ppo.n_steps=16", "ppo.batch_size=512", "ppo.net_arch=[16,16]", "stage.n_envs=32", "env.max_episode_steps=100"),
    *("curriculum.eval_episodes=8", "curriculum.min_success_low=0.1", "curriculum.min_avg_episode_length=0"),
]

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs a checkout")


@pytest.mark.parametrize("notebook", [TRAINING, SWEEP])
def test_it_is_kept_without_outputs_and_begins_with_the_choice_of_an_animal(notebook: str) -> None:
    code = [cell for cell in cells(notebook) if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert code[0]["source"][0].startswith('SPECIES = "velociraptor"')


def trained(folder: Path, **settings: Any) -> dict[str, list[dict[str, Any]]]:
    return executed(TRAINING, folder, **{"TIMESTEPS": 1024, "OVERRIDES": TINY, "FOLDER": "run", **settings})


@pytest.mark.e2e
def test_it_trains_evaluates_and_shows_the_animal(tmp_path: Path) -> None:
    """With the whole curriculum, on a tiny budget."""
    outputs = trained(tmp_path, SPECIES="trex", WHOLE_CURRICULUM=True)
    assert printed(outputs["install"]) == ""  # nothing had to be installed
    assert "physics: native; 32 worlds, 1,024 steps at most" in printed(outputs["device"])
    pictures = [one["data"] for one in outputs["train"] if one["output_type"] == "display_data"]
    assert "image/png" in pictures[0], "the curve was not drawn"
    assert "after 1,024 steps" in printed(outputs["train"])
    assert "statue" in printed(outputs["evaluate"]) and "the gate is" in printed(outputs["evaluate"])
    assert "<video" in outputs["video"][-1]["data"]["text/html"]
    assert (tmp_path / "run" / "stage1.mp4").stat().st_size > 1000
    assert [word in printed(outputs["curriculum"]) for word in ("balance", "locomotion", "bite")] == [True] * 3


@pytest.mark.e2e
def test_a_cell_that_fails_ends_it(tmp_path: Path) -> None:
    exceptions = pytest.importorskip("nbclient.exceptions", reason="needs the extra [dev]")
    with pytest.raises(exceptions.CellExecutionError, match="unknown species 'trx'; did you mean 'trex'"):
        trained(tmp_path, SPECIES="trx")


@pytest.mark.e2e
def test_it_searches_prunes_plots_and_trains_the_winner_into_a_curriculum(tmp_path: Path) -> None:
    """With three trials, on a tiny budget."""
    pytest.importorskip("optuna", reason="needs the extra [sweep]")
    whole = [f"2.{text}" for text in TINY if not text.startswith("ppo.net_arch")]
    space = {"ppo_learning_rate": {"type": "double", "min": 1e-4, "max": 1e-3, "scale": "log"}}
    settings = {"SPACE": space, "TRIALS": 3, "TIMESTEPS": 1024, "EVAL_FREQ": 512, "PARALLEL": "1", "OVERRIDES": TINY}
    words = ["--target=2", "--timesteps=1024", *(f"--override={text}" for text in whole)]
    outputs = executed(SWEEP, tmp_path, FOLDER="sweep", CURRICULUM=words, **settings)
    assert printed(outputs["install"]) == ""  # nothing had to be installed
    assert "dry run: nothing was started" in printed(outputs["define"])
    assert "best: trial" in printed(outputs["sweep"])
    lines = printed(outputs["prune"]).splitlines()
    assert len(lines) == 4 and "of 3,072 steps; pruning and early ends saved" in lines[-1]
    pictures = [one for one in outputs["plot"] if "image/png" in one.get("data", {})]
    assert len(pictures) == 3, printed(outputs["plot"])  # of importance there are too few trials
    assert "on fresh episodes" in printed(outputs["best"]) and "1.ppo.learning_rate=" in printed(outputs["best"])
    table = outputs["curriculum"][-1]["data"]["text/markdown"]
    assert [stage in table for stage in (",balance,", ",locomotion,", ",strike,")] == [True, True, False]
    assert (tmp_path / "sweep" / "curriculum" / "stage2" / "models" / "stage2_final.zip").is_file()
