#!/usr/bin/env bash
# Prepares a Google Cloud project for `mesozoic vertex`: APIs, a repository with the container image, a bucket, an account
# that jobs run as, the W&B key as a secret, and a smoke job. Looks first, shows what is missing, asks, then creates it;
# typed again, it goes on where it stopped and leaves alone what is there.
#
#   bash scripts/setup_vertex_ai.sh                                      asks for everything
#   bash scripts/setup_vertex_ai.sh --project my-project --yes           asks nothing
#   bash scripts/setup_vertex_ai.sh --project my-project --dry-run       prints every command; needs no gcloud
#
#   --project ID           the project; default: gcloud's
#   --region NAME          where jobs run and files lie (us-central1)
#   --bucket NAME          results and checkpoints (PROJECT-mesozoic)
#   --repository NAME      of Artifact Registry (mesozoic)
#   --target cuda|cpu      which image of the Dockerfile; cuda runs without a GPU, too (cuda)
#   --build docker|cloud   on this machine or with Cloud Build; default: docker if it runs here
#   --rebuild              build the image although it is there
#   --service-account NAME what jobs run as (mesozoic-jobs)
#   --wandb-secret NAME    where the W&B key lies in Secret Manager (mesozoic-wandb if WANDB_API_KEY is set)
#   --no-smoke             no training of a minute at the end
#   --yes, --dry-run, --help
#
# Exit codes: 0 ready, 1 something failed half-way (type it again to go on), 2 refused before anything was created.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/vertex/gcloud.sh
source scripts/vertex/gcloud.sh
# shellcheck source=scripts/vertex/project.sh
source scripts/vertex/project.sh

usage() { sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' scripts/setup_vertex_ai.sh; }

# asked QUESTION DEFAULT: the answer is in $reply.
asked() {
  reply="$2"
  [ -z "$yes$dry" ] || return 0
  printf '%s%s: ' "$1" "${2:+ [$2]}"
  IFS= read -r reply || refuse "no answer to '$1'; give it as an option and add --yes"
  reply="${reply:-$2}"
}
confirmed() {
  [ -z "$yes$dry" ] || return 0
  asked "$1 (y/N)" ""
  case "$reply" in y | Y | yes) ;; *) return 1 ;; esac
}

project="" region="" bucket="" repository="mesozoic" target="" build="" rebuild="" service_account="mesozoic-jobs"
secret="" smoke=yes yes="" dry="" account="" key="${WANDB_API_KEY:-}"
unset WANDB_API_KEY # no program that is started here needs it
while [ "$#" -gt 0 ]; do
  case "$1" in
    --*=*)
      option="${1%%=*}" value="${1#*=}"
      shift
      set -- "$option" "$value" "$@"
      ;;
  esac
  case "$1" in
    --yes) yes=yes ;;
    --dry-run) dry=yes ;;
    --rebuild) rebuild=yes ;;
    --no-smoke) smoke="" ;;
    --help | -h) usage; exit ;;
    --project | --region | --bucket | --repository | --target | --build | --service-account | --wandb-secret)
      case "${2:-}" in "" | --*) refuse "$1 needs a value; see --help" ;; esac
      case "$1" in
        --project) project="$2" ;;
        --region) region="$2" ;;
        --bucket) bucket="$2" ;;
        --repository) repository="$2" ;;
        --target) target="$2" ;;
        --build) build="$2" ;;
        --service-account) service_account="$2" ;;
        --wandb-secret) secret="$2" ;;
      esac
      shift
      ;;
    *) refuse "no option '$1'; see --help" ;;
  esac
  shift
done

complaints="$(mktemp)"
trap 'rm -f "$complaints"' EXIT
status=0 answer=""

# What is wanted, and whether it can be so.
look_account
if [ -z "$project" ] && [ -z "$dry" ]; then
  tried 60 "$transient" gcloud config get-value project
  project="${answer#"(unset)"}"
  asked "Project" "$project" && project="$reply"
fi
[ -n "$project" ] || refuse "no project; type --project ID (gcloud projects list shows yours)"
[[ "$project" =~ ^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] ||
  refuse "'$project' is no project id: 6 to 30 small letters, digits and hyphens (gcloud projects list shows yours)"
[ -n "$region" ] || { asked "Region" us-central1 && region="$reply"; }
[[ ! "$region" =~ ^[a-z]+-[a-z]+[0-9]+-[a-z]$ ]] || refuse "'$region' is a zone; type its region: --region ${region%-*}"
[[ "$region" =~ ^[a-z]+-[a-z]+[0-9]+$ ]] || refuse "'$region' is no region such as us-central1 or europe-west4"
[ -n "$bucket" ] || { asked "Bucket" "${project##*:}-mesozoic" && bucket="$reply"; }
bucket="${bucket#gs://}" bucket="${bucket%/}"
[[ "$bucket" =~ ^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$ ]] ||
  refuse "'$bucket' is no bucket's name: 3 to 63 small letters, digits, hyphens and underscores, no folder behind it"
[ -n "$target" ] || { asked "Image, cuda or cpu" cuda && target="$reply"; }
[[ "$target" =~ ^(cuda|cpu)$ ]] || refuse "no image '$target'; there are cuda and cpu"
[[ "$repository" =~ ^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$ ]] ||
  refuse "'$repository' is no repository's name: small letters, digits and hyphens"
[[ "$service_account" =~ ^[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] ||
  refuse "'$service_account' is no service account's name: 6 to 30 small letters, digits and hyphens, without @ and what follows"
if [ -z "$build" ]; then
  build=cloud
  if [ -n "$dry" ] || { command -v docker >/dev/null && timeout 60 docker info >/dev/null 2>&1; }; then build=docker; fi
fi
[[ "$build" =~ ^(docker|cloud)$ ]] || refuse "cannot build with '$build'; there are docker and cloud"
[ "$build" = cloud ] || [ -n "$dry" ] || timeout 60 docker info >/dev/null 2>&1 ||
  refuse "docker does not run here; start it, or type --build cloud"
if [ -z "$key$yes$dry$secret" ]; then
  printf 'W&B key (not shown; empty: none): '
  IFS= read -rs key || refuse "no answer; export WANDB_API_KEY, or add --yes"
  echo
fi
[ -z "$key" ] || secret="${secret:-mesozoic-wandb}"
[ -z "$key" ] || [[ "$key" =~ ^[A-Za-z0-9_-]{40,}$ ]] || refuse "the W&B key has ${#key} characters that do not look like one; copy it from https://wandb.ai/authorize"
[ -z "$secret" ] || [[ "$secret" =~ ^[A-Za-z0-9_-]{1,255}$ ]] || refuse "'$secret' is no secret's name: letters, digits, hyphens and underscores"
version="$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' mesozoic/version.py)"
image="$region-docker.pkg.dev/${project/://}/$repository/mesozoic:$version-$target"

things=(apis repository bucket account_of_jobs secret rights image)
look_project
for thing in "${things[@]}"; do "look_$thing"; done

if [ ${#todo[@]} = 0 ]; then
  say "everything is there already"
else
  say "to be created in project $project, as $account:"
  for line in "${todo[@]}"; do say "  $line"; done
  say "A bucket and an image cost cents a month; building in the cloud some cents once. Jobs are paid by the hour."
  confirmed "Create this?" || refuse "nothing was created"
  for thing in "${things[@]}"; do "make_$thing"; done
fi

place=("--project=$project" "--region=$region" "--bucket=$bucket" "--image=$image" "--service-account=$jobs")
[ -z "$secret" ] || place+=("--wandb-secret=$secret")

# The same check, price and books as for every other job. In a fresh Cloud Shell mesozoic is not installed yet.
mesozoic=mesozoic
if [ -n "$smoke" ] && [ -z "$dry" ] && ! mesozoic vertex submit --help >/dev/null 2>&1; then
  say "installing mesozoic[vertex] into .venv"
  bash scripts/setup.sh vertex
  mesozoic=.venv/bin/mesozoic
fi
smoke_job=("$mesozoic" vertex submit velociraptor --stage=1 --timesteps=8192 --machine-type=n1-standard-4 --accelerator=None
  "${place[@]}" "--name=mesozoic-smoke-$(date -u +%Y%m%d-%H%M%S)")
if [ -n "$smoke" ]; then
  [ -n "$dry" ] || "${smoke_job[@]}" --dry-run || stop "the smoke job was refused"
  if confirmed "Train for a minute now?"; then watched 3600 "train in the cloud" "${smoke_job[@]}" --wait --yes; fi
fi
say "ready; a whole curriculum is: $(quoted mesozoic vertex submit velociraptor "${place[@]}")"
