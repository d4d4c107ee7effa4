#!/usr/bin/env bash
# Everything that a user types for Vertex AI, end to end, without Google: stand-ins for the service and for its bucket on
# this machine, the real client, and jobs that really train, as processes. Needs no root, no account and no network.
#
#   bash scripts/e2e_vertex.sh                  all steps
#   bash scripts/e2e_vertex.sh --list           names them
#   bash scripts/e2e_vertex.sh --only chain     one step (may be given several times)
#   bash scripts/e2e_vertex.sh --venv .venv     a virtual environment with mesozoic[vertex,sweep,dev]; default: python's
#   bash scripts/e2e_vertex.sh --keep           keeps its files and logs, and says where
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/e2e/report.sh
source scripts/e2e/report.sh

refuse() {
  echo "error: $*" >&2
  exit 2
}
usage() { sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' scripts/e2e_vertex.sh; }

steps=(dry_run submit all_species cancel preempted tuning chain collect bad_input)
keep="" chosen=() venv=""
while [ "$#" -gt 0 ]; do
  case "$1" in
    --keep) keep=yes ;;
    --list) echo "${steps[*]}"; exit ;;
    --only | --venv)
      [ "$#" -ge 2 ] || refuse "$1 needs a value; see --help"
      if [ "$1" = --only ]; then chosen+=("$2"); else venv="$(realpath -- "$2")"; fi
      shift
      ;;
    -h | --help) usage; exit ;;
    *) refuse "no option '$1'; see --help" ;;
  esac
  shift
done
for step in ${chosen[@]+"${chosen[@]}"}; do
  [[ " ${steps[*]} " == *" $step "* ]] || refuse "no step '$step'; there are: ${steps[*]}"
done
[ ${#chosen[@]} = 0 ] || steps=("${chosen[@]}")
[ -z "$venv" ] || export PATH="$venv/bin:$PATH"
checkout="$PWD"
export PYTHONPATH="$checkout"
python -c 'import google.cloud.aiplatform_v1, gcsfs, hypertune, optuna, gcp_storage_emulator' 2>/dev/null ||
  refuse "this needs mesozoic[vertex,sweep,dev]; install it with: bash scripts/setup.sh vertex,sweep,dev, and add --venv .venv"

# A home and a folder of its own: nothing of the real ones is read or written, and no account is at hand.
E2E_WORK="$(mktemp -d "${TMPDIR:-/var/tmp}/mesozoic-e2e-vertex.XXXXXX")"
cloud=""
# shellcheck disable=SC2329 # called by the trap
clean_up() {
  trap - EXIT
  [ -z "$cloud" ] || { kill "$cloud" 2>/dev/null && wait "$cloud" 2>/dev/null; } || true
  if [ -n "$keep" ]; then echo "kept: $E2E_WORK"; else rm -rf "$E2E_WORK"; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$E2E_WORK/home" "$E2E_WORK/logs" "$E2E_WORK/user"
unset "${!AWS_@}" "${!GOOGLE_@}" "${!CLOUDSDK_@}" "${!WANDB_@}" "${!MESOZOIC_VERTEX_@}"
export E2E_WORK HOME="$E2E_WORK/home" JAX_PLATFORMS=cpu MESOZOIC_CACHE="$E2E_WORK/cache" GOOGLE_CLOUD_PROJECT=dig-site

check "the stand-ins for Vertex AI and its bucket start"
E2E_BUCKET=fossils
python scripts/e2e/vertex/cloud.py --folder "$E2E_WORK" --bucket "$E2E_BUCKET" >"$E2E_WORK/environment" 2>"$E2E_WORK/logs/cloud.log" &
cloud=$!
wait_until 60 test -s "$E2E_WORK/jobs.json" || { show "$E2E_WORK/logs/cloud.log" >&2; fail "no answer"; }
# shellcheck source=/dev/null
source "$E2E_WORK/environment"
pass "$E2E_BUCKET"
# shellcheck source=scripts/e2e/vertex/steps.sh
source scripts/e2e/vertex/steps.sh
cd "$E2E_WORK/user"
status=0
for step in "${steps[@]}"; do
  echo "== $step"
  # In the background, because -e does not reach into a function that is called in a condition.
  (set -e; "step_$step") &
  wait "$!" || { status=1; break; }
done
if [ "$status" = 0 ]; then echo "PASS  everything, in $SECONDS s"; else echo "FAIL  see above, after $SECONDS s" >&2; fi
exit "$status"
