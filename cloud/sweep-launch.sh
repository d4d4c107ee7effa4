#!/usr/bin/env bash
# Searches hyperparameters on rented GPUs: creates a W&B sweep, rents a machine under a name of its own, and starts one
# agent for each GPU. Shows the price and asks first; if anything fails, takes down all that it created.
#
#   bash cloud/sweep-launch.sh [GPU[:N]] [--infra lambda|gcp|aws|slurm] [--sweep FILE] [--dry-run]
#
#   bash cloud/sweep-launch.sh A100:8                      eight agents on one machine
#   bash cloud/sweep-launch.sh A100 --sweep my-sweep.yaml  one agent (A100 means A100:1)
#   bash cloud/sweep-launch.sh CPU:4 --infra slurm         four agents without a GPU
#
# All other options of `mesozoic cloud sweep` are taken too: --nodes 2, --spot, --max-hours 8 --max-cost 50, --wait ...
set -euo pipefail

if ! command -v mesozoic >/dev/null; then
  echo "error: there is no 'mesozoic' on PATH; type in the checkout: pip install -c constraints.txt -e '.[cloud,sweep]'" >&2
  exit 2
fi

# A sweep file is meant from where the command is typed, everything else from the checkout that this script lies in.
arguments=()
previous=""
for argument in "$@"; do
  case "$previous $argument" in
    "--sweep "[!/]*) argument="$PWD/$argument" ;;
    *" --sweep="[!/]*) argument="--sweep=$PWD/${argument#--sweep=}" ;;
  esac
  arguments+=("$argument")
  previous="$argument"
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec mesozoic cloud sweep ${arguments[@]+"${arguments[@]}"} # old shells call an empty list unset
