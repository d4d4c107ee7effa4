#!/usr/bin/env bash
# Rents a machine for real, without a cloud: brings up a Slurm cluster on this machine and trains on it through
# SkyPilot, with the same task file and commands a user types. Needs root on Debian or Ubuntu and the package
# registries; leaves nothing behind but the Debian packages it installed.
#
#   bash scripts/e2e_cloud.sh                       all steps, a quarter of an hour on two cores
#   bash scripts/e2e_cloud.sh --cloud lambda        on stand-ins for Lambda and S3: sold out, pre-empted, ...
#   bash scripts/e2e_cloud.sh --list                names the steps
#   bash scripts/e2e_cloud.sh --only resume         one step (may be given several times)
#   bash scripts/e2e_cloud.sh --venv .venv          a virtual environment with mesozoic[cloud,sweep]; default: a new one
#   bash scripts/e2e_cloud.sh --run 'sky status'    one command on a fresh cluster, instead of the steps
#   bash scripts/e2e_cloud.sh --keep                stays up afterwards, until Ctrl-C, and keeps its files and logs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
E2E_SCRIPTS="$PWD/scripts/e2e"
export E2E_SCRIPTS
# shellcheck source=scripts/e2e/report.sh
source "$E2E_SCRIPTS/report.sh"
# shellcheck source=scripts/e2e/packages.sh
source "$E2E_SCRIPTS/packages.sh"
# shellcheck source=scripts/e2e/namespace.sh
source "$E2E_SCRIPTS/namespace.sh"
# shellcheck source=scripts/e2e/uv.sh
source "$E2E_SCRIPTS/uv.sh"
# shellcheck source=scripts/e2e/slurm.sh
source "$E2E_SCRIPTS/slurm.sh"
# shellcheck source=scripts/e2e/laptop.sh
source "$E2E_SCRIPTS/laptop.sh"
# shellcheck source=scripts/e2e/node_jobs.sh
source "$E2E_SCRIPTS/node_jobs.sh"
# shellcheck source=scripts/e2e/steps.sh
source "$E2E_SCRIPTS/steps.sh"
# shellcheck source=scripts/e2e/sweep.sh
source "$E2E_SCRIPTS/sweep.sh"
# shellcheck source=scripts/e2e/lambda/cloud.sh
source "$E2E_SCRIPTS/lambda/cloud.sh"
# shellcheck source=scripts/e2e/lambda/steps.sh
source "$E2E_SCRIPTS/lambda/steps.sh"

refuse() {
  echo "error: $*" >&2
  exit 2
}

usage() { sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' scripts/e2e_cloud.sh; }

# inside: what runs in the namespace. Works in a copy of the checkout, so that pulled results and installs stay there.
inside() {
  local original="$PWD"
  mkdir -p "$E2E_WORK/logs" "$E2E_WORK/checkout"
  rsync -a --filter=':- .gitignore' --exclude=.git "$PWD/" "$E2E_WORK/checkout/"
  cd "$E2E_WORK/checkout"
  private_folder /run 755 /run/systemd/resolve /run/resolvconf /run/NetworkManager
  laptop_venv "$E2E_VENV"
  laptop_registries
  private_folder /tmp 1777 "$original" "$E2E_VENV"
  if [ "$E2E_CLOUD" = slurm ]; then
    slurm_up
    laptop_home
    slurm_access
    finish
  else
    laptop_home
    lambda_prepare
    exec unshare --net bash "$original/scripts/e2e_cloud.sh" --inside-network "$E2E_WORK/checkout"
  fi
}

# finish: the server, the steps, and whatever was asked for afterwards.
finish() {
  local step status=0
  laptop_catalogs
  laptop_server
  if [ -n "$E2E_RUN" ]; then
    bash -c "$E2E_RUN" || status=$?
    echo "the command ended with $status"
  else
    for step in $E2E_STEPS; do
      echo "== $step"
      # In the background, because -e does not reach into a function that is called in a condition.
      (set -e; "step_${step//-/_}") &
      wait "$!" || { status=1; break; }
    done
  fi
  if [ -n "$E2E_KEEP" ]; then
    echo "up until Ctrl-C; another shell inside: nsenter -a -t \$(pgrep -f 'sleep 987654321') env HOME=$HOME" \
      "SKYPILOT_API_SERVER_LOCAL_PORT=$SKYPILOT_API_SERVER_LOCAL_PORT PATH=$PATH bash"
    sleep 987654321 &
    wait
  fi
  return "$status"
}

case "${1:-}" in
  --inside) inside; exit ;;
  --inside-network) cd "$2"; lambda_up; finish; exit ;;
esac

E2E_KEEP="" E2E_STEPS="" E2E_VENV="" E2E_RUN="" E2E_CLOUD=slurm
while [ "$#" -gt 0 ]; do
  case "$1" in
    --keep) E2E_KEEP=yes ;;
    --list) echo "slurm: ${SLURM_STEPS[*]}"; echo "lambda: ${SHAPED_STEPS[*]}"; exit ;;
    --cloud | --only | --venv | --run)
      [ "$#" -ge 2 ] || refuse "$1 needs a value; see --help"
      case "$1" in
        --cloud) E2E_CLOUD="$2" ;;
        --only) E2E_STEPS="$E2E_STEPS $2" ;;
        --venv) E2E_VENV="$(realpath -- "$2")" ;;
        --run) E2E_RUN="$2" ;;
      esac
      shift
      ;;
    -h | --help) usage; exit ;;
    *) refuse "no option '$1'; see --help" ;;
  esac
  shift
done
case "$E2E_CLOUD" in
  slurm) steps=("${SLURM_STEPS[@]}") ;;
  lambda) steps=("${SHAPED_STEPS[@]}") ;;
  *) refuse "no cloud '$E2E_CLOUD'; there are slurm and lambda" ;;
esac
E2E_STEPS="${E2E_STEPS:-${steps[*]}}"
for step in $E2E_STEPS; do
  [[ " ${steps[*]} " == *" $step "* ]] || refuse "no step '$step' on $E2E_CLOUD; there are: ${steps[*]}"
done
export E2E_KEEP E2E_STEPS E2E_VENV E2E_RUN E2E_CLOUD

[ "$(id -u)" = 0 ] || refuse "this needs root, to run Slurm's daemons; run it with sudo or in a throw-away machine"
command -v apt-get >/dev/null || refuse "this needs apt-get; run it on Debian or Ubuntu"
if [ -z "$E2E_VENV" ]; then install_packages with-python; else install_packages ""; fi
status=0
run_in_namespace bash "$PWD/scripts/e2e_cloud.sh" --inside || status=$?
if [ "$status" = 0 ]; then echo "PASS  everything, in $SECONDS s"; else echo "FAIL  see above ($status, after $SECONDS s)" >&2; fi
exit "$status"
