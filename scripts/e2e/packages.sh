# shellcheck shell=bash
# Owns the Debian packages an end-to-end run needs. They stay installed; their own services are never started.

# install_packages WITH_PYTHON: installs what is missing; does nothing when all is there. WITH_PYTHON: not empty when
# a virtual environment has to be made.
install_packages() {
  local missing=() command package status=0 log deny=/usr/sbin/policy-rc.d
  if [ ! -x /usr/bin/python3 ]; then missing+=(python3); fi
  if [ -n "$1" ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then missing+=(python3-venv); fi
  while read -r command package; do
    command -v "$command" >/dev/null || missing+=("$package")
  done <<'LIST'
slurmctld slurm-wlm
munged munge
sshd openssh-server
ssh openssh-client
rsync rsync
git git
curl curl
sudo sudo
openssl openssl
pgrep procps
ip iproute2
fusermount3 fuse3
hostname hostname
LIST
  if [ "${#missing[@]}" = 0 ]; then return; fi
  check "apt-get installs ${missing[*]} (they stay installed)"
  log="$(mktemp)"
  # Debian's way of saying that a package must not start its service: ours run from a folder of their own.
  if [ -e "$deny" ]; then deny=""; else printf '#!/bin/sh\nexit 101\n' >"$deny"; chmod 755 "$deny"; fi
  apt-get update >"$log" 2>&1 || true # a list that is out of date may still do; installing decides
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" \
    >>"$log" 2>&1 </dev/null || status=$?
  if [ -n "$deny" ]; then rm -f "$deny"; fi
  if [ "$status" != 0 ]; then
    show "$log" >&2
    rm -f "$log"
    fail "apt-get ended with $status"
  fi
  rm -f "$log"
  pass
}
