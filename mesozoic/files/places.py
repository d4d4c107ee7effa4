"""Where programs keep what they made, and what is known of the file system that a folder lies in."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where compiled programs are kept between runs: `$MESOZOIC_CACHE`, or `~/.cache/mesozoic`."""
    return Path(os.environ.get("MESOZOIC_CACHE", Path.home() / ".cache" / "mesozoic"))


def uploads_late(folder: Path) -> bool:
    """Whether what is written there reaches its place some time later, as in a bucket that is mounted with FUSE."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return False
    place = str(folder.resolve())
    kinds: dict[str, str] = {}
    for line in mounts:
        _, point, kind = line.split(" ")[:3]
        point = point.replace("\\040", " ").rstrip("/")
        if place == point or place.startswith(f"{point}/"):
            kinds[point] = kind  # a later mount on the same point hides an earlier one
    return bool(kinds) and kinds[max(kinds, key=len)].startswith("fuse")
