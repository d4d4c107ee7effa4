#!/usr/bin/env bash
# Makes .venv with the tested versions. Usage: bash scripts/setup.sh [EXTRAS], for example: bash scripts/setup.sh viz,dev
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
extras="${1:-viz}"

works() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c '' 2>/dev/null; then
  python=""
  for candidate in "${PYTHON:-python3}" python3.11 python3.12 python3.13 python3.14; do
    if works "$candidate"; then python="$candidate"; break; fi
  done
  if [ -z "$python" ]; then
    echo "error: no Python 3.11 or newer with venv found; install one (Debian: apt-get install python3-venv) or set PYTHON" >&2
    exit 2
  fi
  "$python" -m venv .venv
fi

# Installing again is skipped when nothing that decides it has changed.
stamp=".venv/installed-$(printf '%s' "$extras" | tr ',' '-')"
wanted="$(cat pyproject.toml constraints.txt | cksum)"
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$extras]"
  printf '%s' "$wanted" > "$stamp"
fi
