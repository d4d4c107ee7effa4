"""Brings a managed job's run folder home from its bucket, with the cloud's own command-line tool."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mesozoic.cloud.ledger import launched
from mesozoic.cloud.names import check_name
from mesozoic.cloud.pulled import claim
from mesozoic.cloud.sky.client import CloudClient
from mesozoic.cloud.sky.sky_errors import one_line
from mesozoic.errors import UserError, shown

_COPY: dict[str, tuple[str, Callable[[str, str], list[str]]]] = {
    "GCS": ("gs", lambda source, target: ["gcloud", "storage", "rsync", "--recursive", source, target]),
    "S3": ("s3", lambda source, target: ["aws", "s3", "sync", "--no-progress", source, target]),
}
"""How each kind of bucket is copied from: the scheme of its addresses, and the command."""


def where_in_bucket(name: str, run_name: str | None, output: Path | None) -> tuple[str, str, Path]:
    """Bucket, run and target folder of a managed job that was launched from here.

    Raises:
        UserError: the job was launched without a bucket.
    """
    line: dict[str, Any] = launched(name)
    bucket = (line.get("envs") or {}).get("BUCKET")
    run = run_name or line.get("run_name")
    if not bucket or not run:
        raise UserError(f"managed job '{name}' has no bucket, so its results went with its machine")
    return str(bucket), check_name(str(run), "--run"), output or Path("runs") / str(run)


def pull_from_bucket(
    client: CloudClient, name: str, run_name: str | None, output: Path | None, say: Callable[[str], None]
) -> Path:
    """Copy a run folder from the bucket of a managed job, also while it trains.

    Raises:
        UserError: there is no such bucket, its tool is missing, or the copy failed.
    """
    bucket, run, target = where_in_bucket(name, run_name, output)
    kinds = [kind for kind in client.stores(bucket) if kind in _COPY]
    if not kinds:
        raise UserError(f"SkyPilot knows no bucket '{bucket}'; it is made when the job's first machine is up")
    scheme, command = _COPY[kinds[0]]
    source = f"{scheme}://{bucket}/{run}"
    if re.search(r"[*?\[\]#]", str(target)):  # the tools take these for patterns
        raise UserError(f"{shown(str(target))} has one of * ? [ ] # in it; give a folder without them with --output")
    words = command(source, str(target.absolute()))
    if shutil.which(words[0]) is None:
        raise UserError(f"no {words[0]} on PATH, which copies from {source}; 'mesozoic cloud check' says what to type")
    with claim(target, name, run, say):
        say(f"copying {source} to {target}")
        result = subprocess.run(words, capture_output=True, text=True, check=False)
        if result.returncode:
            raise UserError(f"could not copy {source} ({one_line(result.stderr or result.stdout)})")
    return target
