#!/usr/bin/env bash
# Sweeps all stages on Vertex AI from a small machine; `run` of cloud/orchestrator.yaml calls it. Nothing trains here.
# Exit codes are those of `mesozoic sweep launch-all`; the same task again goes on: the sweep's state is in the bucket.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 # this checkout's code runs
python="$HOME/.mesozoic/venv/bin/python"

refuse() {
  echo "error: $*" >&2
  exit 2
}
[ -x "$python" ] || refuse "mesozoic is not installed on this machine; run there: bash cloud/node-setup.sh"
for name in SPECIES PROJECT REGION BUCKET IMAGE; do
  [ -n "${!name:-}" ] || refuse "$name is empty; launch again with --env $name=..."
done
if [ -n "${SERVICE_ACCOUNT:-}" ]; then account=("--service-account=$SERVICE_ACCOUNT"); else account=(); fi
# OPTIONS is split at spaces, like OVERRIDES of the other tasks; nothing in it is run or filled in.
set -f
# shellcheck disable=SC2206
options=(${OPTIONS:-})
exec "$python" -m mesozoic sweep launch-all --engine vertex --yes --species "$SPECIES" --project "$PROJECT" \
  --region "$REGION" --bucket "$BUCKET" --image "$IMAGE" ${account[@]+"${account[@]}"} ${options[@]+"${options[@]}"}
