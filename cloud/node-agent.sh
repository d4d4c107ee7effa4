#!/usr/bin/env bash
# Runs one agent of a W&B sweep on a rented machine; `run` of cloud/sweep-agent.yaml calls it.
# Exit codes: 0 all its runs finished, 1 one of them failed, 2 cannot start, 143 stopped (MAX_HOURS, cancelled).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" # this checkout's code runs, also in a container with its own
python="$HOME/.mesozoic/venv/bin/python"

refuse() {
  echo "error: $*" >&2
  exit 2
}

# An empty variable is not the same as none to W&B.
for variable in WANDB_API_KEY WANDB_BASE_URL; do
  [ -n "${!variable:-}" ] || unset "$variable"
done
[ -n "${SWEEP_ID:-}" ] || refuse "SWEEP_ID is empty; give --env SWEEP_ID=ENTITY/PROJECT/ID"
[ -n "${WANDB_API_KEY:-}" ] || [ -f "${NETRC:-$HOME/.netrc}" ] ||
  refuse "there is no key for W&B; export WANDB_API_KEY and give --secret WANDB_API_KEY"
[ -x "$python" ] || refuse "mesozoic is not installed on this machine; run there: bash cloud/node-setup.sh"

exec "$python" -m mesozoic.sweep.agent "$SWEEP_ID"
