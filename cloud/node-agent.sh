#!/usr/bin/env bash
# Runs one agent of a W&B sweep on a rented machine; `run` of cloud/sweep-agent.yaml calls it.
# Exit codes: 0 all its runs finished, 1 one of them failed, 2 cannot start, 143 stopped (MAX_HOURS, cancelled).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" # this checkout's code runs, also in a container with its own
python="$HOME/.mesozoic/venv/bin/python"
if [ ! -x "$python" ]; then
  echo "error: mesozoic is not installed on this machine; run there: bash cloud/node-setup.sh" >&2
  exit 2
fi
exec "$python" -m mesozoic.sweep.agent "${SWEEP_ID:-}"
