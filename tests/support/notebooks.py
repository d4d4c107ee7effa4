"""Runs a notebook of the checkout as somebody would, with other settings, and gives what its cells showed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
PATIENCE = 600
"""Seconds for one cell."""


def cells(notebook: str) -> list[dict[str, Any]]:
    """The cells of a notebook, as they are kept."""
    found: list[dict[str, Any]] = json.loads((FOLDER / notebook).read_text(encoding="utf-8"))["cells"]
    return found


def executed(notebook: str, folder: Path, **settings: Any) -> dict[str, list[dict[str, Any]]]:
    """Outputs of each code cell by its name, of a run in `folder` with these settings.

    Raises:
        CellExecutionError: a cell failed.
    """
    nbformat = pytest.importorskip("nbformat", reason="needs the extra [dev]")
    nbclient = pytest.importorskip("nbclient", reason="needs the extra [dev]")
    pytest.importorskip("ipykernel", reason="needs the extra [dev]")
    pytest.importorskip("matplotlib", reason="needs the extra [viz]")
    read = nbformat.read(FOLDER / notebook, as_version=4)
    text = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
    read.cells.insert(2, nbformat.v4.new_code_cell(text))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    client = nbclient.NotebookClient(
        read, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env={**kept, "PYTHONPATH": path})
    return {cell.id: cell.outputs for cell in read.cells if cell.cell_type == "code"}


def printed(outputs: list[dict[str, Any]]) -> str:
    """What a cell printed."""
    return "".join(one["text"] for one in outputs if one["output_type"] == "stream" and one["name"] == "stdout")
