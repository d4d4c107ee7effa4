#!/usr/bin/env bash
# Trains on a rented machine what the `envs` of a task file ask for. The `run` of every training task calls it.
# Everything else is in `python -m mesozoic.job`; this hands over what SkyPilot calls by names of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python="$HOME/.mesozoic/venv/bin/python"
export PYTHONPATH="$PWD" PYTHONUNBUFFERED=1 # this checkout's code, also in a container image that has its own

refuse() {
  echo "error: $*" >&2
  exit 2
}
[ -x "$python" ] || refuse "mesozoic is not installed on this machine; run there: bash cloud/node-setup.sh"

# A job that was given no GPU leaves those of the machine alone, as on a node of a Slurm cluster that others use too.
if [ "${SKYPILOT_NUM_GPUS_PER_NODE:-}" = 0 ]; then export CUDA_VISIBLE_DEVICES="" JAX_PLATFORMS=cpu; fi

# The task's id stays the same when a managed job is moved, and a managed job is moved when it exits with 75 (see
# train-managed.yaml): for a machine that is taken away, and for three crashes.
export JOB_ID="${SKYPILOT_TASK_ID:-}" JOB_MOVES="${SKYPILOT_MANAGED_JOB_ID:+3}"

# With num_nodes above 1 this runs on every machine. The first address is that of machine 0, which leads.
ips="${SKYPILOT_NODE_IPS:-}"
export JOB_MACHINES="${SKYPILOT_NUM_NODES:-1}" JOB_RANK="${SKYPILOT_NODE_RANK:-0}" JOB_FIRST="${ips%%$'\n'*}"
exec "$python" -m mesozoic.job
