"""The notebook runs from top to bottom, and is kept without what a run of it leaves behind."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "jax_training.ipynb"
TINY = [
    *("ppo.n_steps=16", "ppo.batch_size=512", "ppo.net_arch=[16,16]", "stage.n_envs=32", "env.max_episode_steps=100"),
    *("curriculum.eval_episodes=8", "curriculum.min_success_low=0.1", "curriculum.min_avg_episode_length=0"),
]
PATIENCE = 600
"""Seconds for one cell."""

pytestmark = pytest.mark.skipif(not NOTEBOOK.is_file(), reason="needs a checkout")


def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return found


def test_it_is_kept_without_outputs_and_begins_with_the_choice_of_an_animal() -> None:
    code = [cell for cell in cells() if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert code[0]["source"][0].startswith('SPECIES = "velociraptor"')


def executed(folder: Path, **settings: Any) -> dict[str, list[dict[str, Any]]]:
    """Outputs of each code cell by its name, of a run in `folder` with these settings.

    Raises:
        CellExecutionError: a cell failed.
    """
    nbformat = pytest.importorskip("nbformat", reason="needs the extra [dev]")
    nbclient = pytest.importorskip("nbclient", reason="needs the extra [dev]")
    pytest.importorskip("ipykernel", reason="needs the extra [dev]")
    pytest.importorskip("matplotlib", reason="needs the extra [viz]")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    values = {"TIMESTEPS": 1024, "OVERRIDES": TINY, "FOLDER": "run", **settings}
    text = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    notebook.cells.insert(2, nbformat.v4.new_code_cell(text))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    client = nbclient.NotebookClient(
        notebook, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env={**kept, "PYTHONPATH": path})
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def printed(outputs: list[dict[str, Any]]) -> str:
    return "".join(one["text"] for one in outputs if one["output_type"] == "stream" and one["name"] == "stdout")


@pytest.mark.e2e
def test_it_trains_evaluates_and_shows_the_animal(tmp_path: Path) -> None:
    """With the whole curriculum, on a tiny budget."""
    outputs = executed(tmp_path, SPECIES="trex", WHOLE_CURRICULUM=True)
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
        executed(tmp_path, SPECIES="trx")
