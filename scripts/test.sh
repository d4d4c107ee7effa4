#!/usr/bin/env bash
# Sets up .venv and runs the fast tests, two files at a time. Arguments go to pytest, for example:
# bash scripts/test.sh -m slow
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh viz,dev
bash scripts/gl.sh
.venv/bin/python -m pytest -n 2 --dist loadfile "$@"
