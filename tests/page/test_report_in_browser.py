"""A report is shown by a browser, its replays inside."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from shutil import copy

import pytest

from mesozoic.policies import shipped_policy
from mesozoic.report.report import write_report

DRIVER = Path(__file__).with_name("report_browser.mjs")


@pytest.mark.e2e
def test_a_browser_shows_a_report_and_its_replays(browser: str, tmp_path: Path) -> None:
    """At a narrow width as well: nothing is requested, nothing is logged, the page does not scroll sideways."""
    page = tmp_path / "report.html"
    copy(shipped_policy("trex", 1), tmp_path / "other.zip")
    write_report([Path("trex"), tmp_path / "other.zip"], page, 1, episodes=4, robustness=0)
    done = subprocess.run([browser, str(DRIVER), str(page)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["requests"] == [f"file://{page}"] and seen["console"] == [] and seen["errors"] == []
    assert seen["colours"] > 300 and seen["episodes"] > 1 and seen["ghosts"] == 1
    assert all(one["content"] <= one["window"] for one in seen["widths"])
