"""A stand-in for `gcloud` and `docker`: keeps what was made in a JSON file, and can refuse, be late or lose an answer.

Install it with `install(folder)` and put the folder first on PATH. State: `made` is a list of names; `rules` are tried
in order, each with `match` (a regular expression over the command), `say`, `code`, `sleep`, `times` (how often; without
it always), `done` (the command takes effect all the same); `calls` is what was typed.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

API = re.compile(r"^[a-z]+\.googleapis\.com$")


def install(folder: Path, state: dict[str, Any], programs: tuple[str, ...] = ("gcloud", "docker")) -> Path:
    """Programs in `folder` that run this file with Python's start-up kept short; returns the file of their state."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "state.json"
    file.write_text(json.dumps({"made": [], "rules": [], "calls": [], "secrets": {}, **state}))
    for name in programs:
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{__file__}" {name} "{file}" "$@"\n')
        program.chmod(0o755)
    return file


def option(words: list[str], name: str) -> str:
    return next((word.split("=", 1)[1] for word in words if word.startswith(f"--{name}=")), "")


def main(program: str, file: Path, words: list[str]) -> int:
    state = json.loads(file.read_text())
    line = " ".join([program, *words])
    state["calls"].append(line)
    code, text = 0, ""
    for rule in state["rules"]:
        if re.search(rule["match"], line) and rule.get("times", 1) > 0:
            rule["times"] = rule.get("times", 10**6) - 1
            code, text = rule.get("code", 1), rule.get("say", "")
            break
    else:
        rule = {}
    _save(file, state)
    time.sleep(rule.get("sleep", 0))
    if not rule or rule.get("done"):
        done, out = (gcloud if program == "gcloud" else docker)(state, words)
        _save(file, state)
        if not rule:
            code, text = done, out
    if text:
        print(text, file=sys.stderr if code else sys.stdout)
    return code


def _save(file: Path, state: dict[str, Any]) -> None:
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(state))
    temporary.replace(file)


def gcloud(state: dict[str, Any], words: list[str]) -> tuple[int, str]:
    """What the real one answers: its exit code and its text."""
    made: list[str] = state["made"]
    plain = [word for word in words if not word.startswith("--")]
    if plain[:2] == ["auth", "list"]:
        return 0, "someone@example.com"
    if plain[:2] == ["config", "get-value"]:
        return 0, state.get("project", "(unset)")
    if plain[0] == "auth":
        return 0, "ya29.token" if "print-access-token" in plain else ""
    if plain[:2] == ["billing", "projects"]:
        return 0, state.get("billing", "True")
    if plain[:2] == ["services", "list"]:
        return 0, "\n".join(one for one in made if API.match(one))
    if plain[:2] == ["services", "enable"]:
        made += plain[2:]
        return 0, ""
    if plain[:2] == ["builds", "submit"]:
        made.append(option(words, "substitutions").split("_IMAGE=")[1])
        return 0, ""
    verb = next(word for word in plain if word in VERBS)
    kind, name = " ".join(plain[: plain.index(verb)]), plain[plain.index(verb) + 1]
    if kind == "projects" and verb == "describe":
        denied = f"The caller does not have permission to access projects instance [{name}] (or it may not exist)"
        return (
            (0, "123456789")
            if name == state.get("exists", name)
            else (1, f"ERROR: (gcloud.projects.describe) {denied}")
        )
    if verb == "add-iam-policy-binding":
        made.append(f"{name}: {option(words, 'member')},{option(words, 'role')}")
        return 0, "Updated IAM policy"
    if verb == "get-iam-policy":
        return 0, "\n".join(one.split(": ", 1)[1] for one in made if one.startswith(f"{name}: "))
    if kind == "iam service-accounts" and verb == "create":
        name = f"{name}@{option(words, 'project')}.iam.gserviceaccount.com"
    if verb in ("create", "add"):
        if verb == "create" and name in made:
            return (
                1,
                f"ERROR: (gcloud.{kind}.create) Resource is the subject of a conflict: {name} already exists",
            )
        made.append(name)
        if kind.startswith("secrets"):
            state["secrets"][name] = sys.stdin.read()
        return 0, ""
    if name not in made:
        missing = (
            f"gs://{name} not found: 404." if name.startswith("gs://") else "NOT_FOUND: Requested entity was not found."
        )
        return 1, f"ERROR: (gcloud.{kind}.{verb}) {missing}"
    values = {"artifacts repositories": "DOCKER", "storage buckets": state.get("location", "US-CENTRAL1"),
              "secrets versions": "1" if name in state["secrets"] else ""}  # fmt: skip
    return 0, values.get(kind, "False" if kind == "iam service-accounts" else name)


VERBS = ("describe", "create", "list", "add", "add-iam-policy-binding", "get-iam-policy")


def docker(state: dict[str, Any], words: list[str]) -> tuple[int, str]:
    if words[0] == "push":
        state["made"].append(words[1])
    return 0, ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
