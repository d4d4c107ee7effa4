#!/usr/bin/env bash
# Trains on a rented machine what the `envs` of a task file ask for. The `run` of every training task calls it.
# The same envs lead to the same run folder, so a job that was stopped, killed or moved goes on from its checkpoint.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python="$HOME/.mesozoic/venv/bin/python"
export PYTHONPATH="$PWD" PYTHONUNBUFFERED=1 # this checkout's code, also in a container image that has its own

say() { echo "node-train: $*"; }
refuse() {
  echo "error: $*" >&2
  exit 2
}
whole() { [[ "$2" =~ ^[0-9]*$ ]] || refuse "$1='$2' is not a whole number; give digits only, for example --env $1=$3"; }

species="${SPECIES:-velociraptor}"
stage="${STAGE:-all}"
seed="${SEED:-0}"
[[ "$stage" =~ ^(all|[0-9]+)$ ]] || refuse "STAGE='$stage' is no stage; give --env STAGE=all, 1, 2 or 3"
whole TIMESTEPS "${TIMESTEPS:-}" 2000000
whole N_ENVS "${N_ENVS:-}" 256
whole SEED "$seed" 0
[[ "${MAX_HOURS:-1}" =~ ^[0-9]*\.?[0-9]+$ && "${MAX_HOURS:-1}" =~ [1-9] ]] ||
  refuse "MAX_HOURS='$MAX_HOURS' is not a number of hours above 0; give for example --env MAX_HOURS=2.5"
name="${RUN_NAME:-$species-stage$stage-seed$seed}"
[[ "$name" =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] ||
  refuse "RUN_NAME='$name' cannot name a folder; give letters, digits, '.', '_' and '-' only"
[ "${SKYPILOT_NUM_NODES:-1}" = 1 ] ||
  refuse "training runs on one machine, and num_nodes is $SKYPILOT_NUM_NODES; launch it without --num-nodes"
[ -x "$python" ] || refuse "mesozoic is not installed on this machine; run there: bash cloud/node-setup.sh"

run="${RESULTS:-$HOME/mesozoic-runs}/$name"
if [ "$stage" = all ]; then command=(curriculum "$species"); else command=(train "$species" --stage "$stage"); fi
command+=(--output-dir "$run" --seed "$seed" --backend "${BACKEND:-auto}" --algorithm "${ALGORITHM:-ppo}")
[ -z "${TIMESTEPS:-}" ] || command+=(--timesteps "$TIMESTEPS")
[ -z "${N_ENVS:-}" ] || command+=(--n-envs "$N_ENVS")
read -r -d '' -a overrides <<<"${OVERRIDES:-}" || true
[ "${#overrides[@]}" = 0 ] || command+=(--override "${overrides[@]}")

# An empty variable is not the same as none to W&B.
for variable in WANDB_API_KEY WANDB_BASE_URL WANDB_PROJECT; do
  [ -n "${!variable:-}" ] || unset "$variable"
done
if [ -n "${WANDB_API_KEY:-}" ]; then
  command+=(--wandb)
  export WANDB_RESUME=allow WANDB_RUN_GROUP="${WANDB_RUN_GROUP:-$name}"
  # One training is one W&B run, also after a recovery: the task's id stays the same then. The stages of a curriculum
  # are a run each, whose ids mesozoic itself keeps in the run folder.
  if [ "$stage" != all ] && [ -n "${SKYPILOT_TASK_ID:-}" ]; then
    mkdir -p "$run"
    [ -s "$run/wandb-run-id" ] || sha256sum <<<"$SKYPILOT_TASK_ID" | cut -c 1-16 >"$run/wandb-run-id"
    WANDB_RUN_ID="$(cat "$run/wandb-run-id")"
    export WANDB_RUN_ID
  fi
fi

# A bucket gets new files seconds after they are written, and loses removed ones at once; copies close that gap.
if [ -n "${RESULTS:-}" ]; then
  "$python" cloud/node_copies.py restore "$run"
  "$python" cloud/node_copies.py watch "$run" "$$" &
  watcher=$!
  trap 'kill "$watcher" 2>/dev/null || true' EXIT
fi

deadline=""
if [ -n "${MAX_HOURS:-}" ]; then
  deadline="$(awk -v hours="$MAX_HOURS" -v now="$SECONDS" 'BEGIN { printf "%.0f", now + 3600 * hours }')"
  say "ends itself after $MAX_HOURS h"
fi
say "mesozoic ${command[*]}"
stopped="" trained=""
trap 'stopped=yes; [ -z "$trained" ] || kill -TERM "$trained" 2>/dev/null || true' TERM INT
"$python" -m mesozoic "${command[@]}" &
trained=$!
[ -z "$stopped" ] || kill -TERM "$trained" 2>/dev/null || true # the signal came before there was anyone to hand it to
over=""
while kill -0 "$trained" 2>/dev/null; do
  if [ -n "$deadline" ] && [ "$SECONDS" -ge "$deadline" ]; then
    # SIGTERM makes mesozoic save a checkpoint; ten minutes later nothing may run any more.
    kill "-${over:-TERM}" "$trained" 2>/dev/null || true
    over=KILL
    deadline=$((deadline + 600))
  fi
  sleep 1 &
  wait "$!" || true # a signal ends this wait, not the training
done
code=0
wait "$trained" || code=$?

if [ -n "$over" ] && [ "$code" != 0 ]; then
  say "stopped after $MAX_HOURS h, as MAX_HOURS says; the same command goes on"
  exit 143
fi
# A managed job moves to another machine when it exits with 75, and only then (recover_on_exit_codes in the task file).
# SIGTERM from outside means that this machine is being taken away. Bad input and too little memory (2, 137) would
# end the same way elsewhere; anything else may have been the machine's fault, a few times.
if [ -n "${SKYPILOT_MANAGED_JOB_ID:-}" ]; then
  if [ -n "$stopped" ]; then
    say "stopped from outside; asking for another machine"
    exit 75
  fi
  case "$code" in 0 | 2 | 137) exit "$code" ;; esac
  mkdir -p "$run"
  moves="$run/.moves-$SKYPILOT_MANAGED_JOB_ID"
  echo "exit code $code at $(date -u +%FT%TZ)" >>"$moves"
  if [ "$(wc -l <"$moves")" -le 3 ]; then
    say "failed with exit code $code; asking for another machine"
    exit 75
  fi
  say "failed with exit code $code for the fourth time; giving up"
fi
exit "$code"
