#!/usr/bin/env python3
"""Says how this machine reaches its package registries, as `export` lines for another user's shell.

    python scripts/e2e/registry_env.py > registry.sh

pip's settings (files and environment) become PIP_ variables and the UV_ variables that mean the same, because
uv does not read pip's configuration; proxies and certificate files pass through as they are. The lines may
hold a registry's password: write them to a file that only the other user can read.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys

PASSED_ON = re.compile(
    r"(?:https?|all|no)_proxy|SSL_CERT_(?:FILE|DIR)|(?:REQUESTS|CURL)_CA_BUNDLE|UV_.*", re.IGNORECASE
)
NOT_PASSED_ON = re.compile(r"UV_(?:CACHE_DIR|PYTHON.*|PROJECT.*|TOOL.*|INSTALL.*)")
# pip's key, uv's variable, and what separates several values there (pip: white space)
SAME_IN_UV = (
    ("index-url", "UV_DEFAULT_INDEX", None),
    ("extra-index-url", "UV_EXTRA_INDEX_URL", " "),
    ("find-links", "UV_FIND_LINKS", ","),
    ("timeout", "UV_HTTP_TIMEOUT", None),
    ("default-timeout", "UV_HTTP_TIMEOUT", None),
    ("cert", "SSL_CERT_FILE", None),
)


def pip_settings() -> dict[str, str]:
    """pip's settings by key; the environment wins over files, as in pip."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    settings: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in listing.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section + "."):
                settings[name.removeprefix(section + ".")] = str(ast.literal_eval(value))
    return settings


def registry_environment() -> dict[str, str]:
    """The variables that make pip and uv of another user install from the same registries."""
    pip = pip_settings()
    found = {f"PIP_{key.upper().replace('-', '_')}": value for key, value in pip.items()}
    for key, variable, separator in SAME_IN_UV:
        if key in pip:
            found[variable] = separator.join(pip[key].split()) if separator else pip[key]
    if "extra-index-url" in pip:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip's rule: the best version of all indexes
    passed_on = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    return found | {name: value for name, value in passed_on.items() if not NOT_PASSED_ON.fullmatch(name)}


if __name__ == "__main__":
    for name, value in sorted(registry_environment().items()):
        print(f"export {name}={shlex.quote(value)}")
