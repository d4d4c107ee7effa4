#!/usr/bin/env bash
# Tests the Dockerfile where there is no Docker engine: executes the steps of one of its targets in a clean Debian, then
# trains, evaluates and renders in the result as the image's user, and prepares it as SkyPilot would.
# Usage, as root, with debootstrap installed: bash scripts/check_image.sh [--target cpu|cuda] [FOLDER]
# FOLDER keeps what is made (3 GB, cuda 9 GB; the next run reuses its clean Debian); without it nothing is left behind.
# The target is cpu if none is named. cuda is checked without a GPU: JAX then computes on the processor.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
began=$SECONDS

refuse() {
  echo "error: $*" >&2
  exit 2
}
[ "$(id -u)" = 0 ] || refuse "mounting needs root, and this is $(id -un); run: sudo bash scripts/check_image.sh"
for tool in debootstrap unshare python3 ip; do
  command -v "$tool" >/dev/null || refuse "$tool is not installed; run: apt-get install debootstrap util-linux iproute2"
done

# All mounts are made in a namespace of their own: when its processes end, however that happens, the mounts are gone.
if [ "${1:-}" = --inside ]; then
  work="$2" target="$3"
  mount --make-rprivate /
  if [ ! -f "$work/base/.complete" ]; then
    rm -rf --one-file-system "$work/base"
    # shellcheck disable=SC2016 # apt-get, not the shell, fills in $(...) here and below
    mirror="$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' | awk '$2 == "bookworm" { print $1; exit }')"
    echo "== a clean Debian bookworm with its Python 3.11, for the base image"
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-pip,python3-venv \
      bookworm "$work/base" ${mirror:+"$mirror"} >"$work/debootstrap.log" 2>&1 ||
      { tail -n 20 "$work/debootstrap.log" >&2 && exit 1; }
    # As in the base image: python and pip in /usr/local/bin, nothing that starts services, no caches, all updates.
    for name in python python3 python3.11; do ln -s /usr/bin/python3.11 "$work/base/usr/local/bin/$name"; done
    ln -s /usr/bin/pip3 "$work/base/usr/local/bin/pip"
    rm -f "$work/base/usr/lib/python3.11/EXTERNALLY-MANAGED"
    printf '#!/bin/sh\nexit 101\n' >"$work/base/usr/sbin/policy-rc.d"
    chmod 755 "$work/base/usr/sbin/policy-rc.d"
    # shellcheck disable=SC2016
    apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)' |
      grep -E ' bookworm(-updates|-security)? main$' | sort -u >"$work/base/etc/apt/sources.list"
    printf 'APT::Keep-Downloaded-Packages "false";\nDPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };\n' \
      >"$work/base/etc/apt/apt.conf.d/docker-clean"
    rm -rf "$work/base/var/cache/apt/archives"/*.deb "$work/base/var/lib/apt/lists"/*
    touch "$work/base/.complete"
  fi
  rm -rf --one-file-system "$work/layers" "$work/scratch" "$work/mounts"
  echo "== the steps of the Dockerfile for the target $target"
  PYTHONDONTWRITEBYTECODE=1 python3 scripts/image/check.py --base "$work/base" --work "$work" --target "$target"
  exit
fi

target=cpu
if [ "${1:-}" = --target ]; then
  [[ "${2:-}" =~ ^(cpu|cuda)$ ]] || refuse "--target '${2:-}' is not there; type --target cpu or --target cuda"
  target="$2"
  shift 2
fi
keep="${1:-}"
if [ -n "$keep" ]; then
  mkdir -p "$keep"
  work="$(cd "$keep" && pwd)"
else
  work="$(mktemp -d)"
fi
inside=""
# shellcheck disable=SC2329 # called by the traps
clean_up() {
  trap - EXIT
  if [ -n "$inside" ]; then
    # unshare ignores gentler signals; its child, and with it every process of the namespace, ends with it.
    kill -KILL "$inside" 2>/dev/null || true
    wait "$inside" 2>/dev/null || true
  fi
  # The last mount may go a moment after the last process.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -z "$keep" ] || break
    rm -rf --one-file-system "$work" 2>/dev/null && break
    sleep 0.5
  done
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
unshare --mount --pid --fork --kill-child --mount-proc bash "$PWD/scripts/check_image.sh" --inside "$work" "$target" &
inside=$!
status=0
wait "$inside" || status=$?
inside=""
echo "== $((SECONDS - began)) s"
exit "$status"
