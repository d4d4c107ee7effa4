#!/usr/bin/env bash
# From a fresh clone to a velociraptor that keeps its balance when pushed: install, train, evaluate, render.
# Run it again to continue after an interruption. Files: runs/quickstart (or the folder given as first argument).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
run="${1:-runs/quickstart}"
began=$SECONDS

echo "== installing into .venv"
bash scripts/setup.sh viz
bash scripts/gl.sh
export PATH="$PWD/.venv/bin:$PATH"

echo "== training (again: continues or reports the finished run)"
mesozoic train velociraptor --stage 1 --seed 0 --output-dir "$run"

echo "== evaluating on episodes that training never saw"
mesozoic eval "$run" --episodes 256 --check

echo "== rendering"
mesozoic render "$run"
echo "== done in $((SECONDS - began)) s"
