"""What scripts/try_newest.sh installs: the dependencies of pyproject.toml without their upper bounds; and its report.

    newest_requirements.py EXTRAS FOLDER [NAME...]    writes requirements.txt and constraints.txt into FOLDER
    newest_requirements.py --report FOLDER            compares what is installed with constraints.txt and the index

The constraints keep everything at the tested version except the names given; without names they are empty.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAME = re.compile(r"[A-Za-z0-9._-]+")


def name_of(requirement: str) -> str:
    """Its normal name: `jax[cuda12]>=0.10,<0.11` is `jax`."""
    found = NAME.match(requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def without_upper_bound(requirement: str) -> str:
    """`jax[cuda12]>=0.10,<0.11` is `jax[cuda12]>=0.10`."""
    return ",".join(part for part in requirement.split(",") if not part.startswith("<"))


def requirements(extras: list[str]) -> list[str]:
    """Those of the project and its extras.

    Raises:
        SystemExit: there is no such extra.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    for extra in extras:
        if extra not in optional:
            print(f"error: there is no extra '{extra}'; there are: {', '.join(optional)}", file=sys.stderr)
            raise SystemExit(2)
    return [*project["dependencies"], *(one for extra in extras for one in optional[extra])]


def pins() -> dict[str, str]:
    """Tested version by name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = (line.partition("==") for line in lines if "==" in line)
    return {name_of(name): tested for name, _, tested in found}


def prepare(extras: list[str], folder: Path, only: list[str]) -> None:
    """Write what pip is to install."""
    wanted = requirements(extras)
    chosen = {name_of(one) for one in only}
    unknown = chosen - {name_of(one) for one in wanted}
    if unknown:
        print(f"error: {', '.join(sorted(unknown))} is no dependency of these extras", file=sys.stderr)
        raise SystemExit(2)
    relaxed = [one if chosen and name_of(one) not in chosen else without_upper_bound(one) for one in wanted]
    kept = [f"{name}=={tested}" for name, tested in pins().items() if chosen and name not in chosen]
    (folder / "requirements.txt").write_text("\n".join(relaxed) + "\n", encoding="utf-8")
    (folder / "constraints.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")


def report(folder: Path) -> None:
    """Print each dependency with its tested, its installed and, where that is another, its newest version."""
    words = [sys.executable, "-m", "pip", "list", "--outdated", "--format=json", "--disable-pip-version-check"]
    listed = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
    newest = {name_of(one["name"]): one["latest_version"] for one in json.loads(listed.stdout or "[]")}
    print(f"{'dependency':<24}{'tested':>12}{'here':>12}")
    for name in sorted({name_of(line) for line in (folder / "requirements.txt").read_text().splitlines() if line}):
        try:
            here = version(name)
        except PackageNotFoundError:
            here = "none"
        held = f"   {newest[name]} is out, and something here does not take it" if name in newest else ""
        print(f"{name:<24}{pins().get(name, 'unpinned'):>12}{here:>12}{held}")


if __name__ == "__main__":
    if sys.argv[1] == "--report":
        report(Path(sys.argv[2]))
    else:
        prepare([one for one in sys.argv[1].split(",") if one], Path(sys.argv[2]), sys.argv[3:])
