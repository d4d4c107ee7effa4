# shellcheck shell=bash
# Owns the user's side of an end-to-end run: a home folder, the virtual environment and a SkyPilot API server.
#
# Call inside run_in_namespace, after slurm_up. Nothing of the real home is read or written.

# laptop_registries: pip's settings of the real home, for the node and for this user's own new home.
laptop_registries() { (umask 077 && python3 "$E2E_SCRIPTS/registry_env.py" >"$E2E_WORK/registries.sh"); }

# laptop_home: a home folder of its own; ssh takes it from the account file, everything else from HOME.
laptop_home() {
  local account
  HOME="$E2E_WORK/laptop"
  export HOME
  mkdir -p "$HOME/.sky"
  chmod 700 "$HOME"
  private_file /etc/passwd
  account="$(sed "s|^root:\([^:]*\):0:0:\([^:]*\):[^:]*:|root:\1:0:0:\2:$HOME:|" /etc/passwd)"
  printf '%s\n' "$account" >/etc/passwd
  # shellcheck source=/dev/null
  source "$E2E_WORK/registries.sh"
  # No other cloud may be at hand: this run must never rent anything.
  unset "${!AWS_@}" "${!GOOGLE_@}" "${!LAMBDA_@}" "${!SKYPILOT_@}" "${!WANDB_@}" KUBECONFIG
  export SKYPILOT_DISABLE_USAGE_COLLECTION=1 SKYPILOT_DISABLE_UPDATE_CHECK=1
}

# laptop_venv DIR: uses the virtual environment DIR, or makes one in the work folder when DIR is empty.
laptop_venv() {
  local venv="$1"
  if [ -z "$venv" ]; then
    venv="$E2E_WORK/venv"
    check "pip installs mesozoic[cloud,sweep] into a throw-away virtual environment (several minutes)"
    typed 0 "$E2E_WORK/logs/venv.log" 120 python3 -m venv "$venv"
    typed 0 "$E2E_WORK/logs/pip.log" 3000 "$venv/bin/python" -m pip install -q -c constraints.txt -e ".[cloud,sweep]"
    pass
  fi
  export PATH="$venv/bin:$PATH"
  for command in sky mesozoic; do
    command -v "$command" >/dev/null || fail "no '$command' in $venv; install there: pip install -c constraints.txt -e '.[cloud,sweep]'"
  done
}

# slurm_access: the Slurm cluster is the only cloud that this user has.
slurm_access() {
  mkdir -p "$HOME/.slurm"
  cat >"$HOME/.slurm/config" <<CONF
Host e2e
  HostName 127.0.0.1
  Port $NODE_PORT
  User $NODE_USER
  IdentityFile $NODE_KEY
  IdentitiesOnly yes
CONF
}

# laptop_catalogs: SkyPilot reads its price lists even where nothing has a price; without these it downloads them.
laptop_catalogs() {
  mkdir -p "$HOME/.sky/catalogs/v8"
  cp -r tests/cloud/catalogs/. "$HOME/.sky/catalogs/v8/"
}

# laptop_server: SkyPilot's API server on a port of its own, so that another one on this machine is left alone.
laptop_server() {
  check "SkyPilot's API server starts"
  SKYPILOT_API_SERVER_LOCAL_PORT="$(free_port)"
  export SKYPILOT_API_SERVER_LOCAL_PORT
  # On a busy machine the command gives up before the server, which it leaves behind, is ready.
  sky api start >"$E2E_WORK/logs/api-start.log" 2>&1 </dev/null || true
  wait_until 600 curl -fs "http://127.0.0.1:$SKYPILOT_API_SERVER_LOCAL_PORT/api/health" || {
    show "$E2E_WORK/logs/api-start.log" >&2
    fail "no answer from it"
  }
  pass "$(sky --version | tail -n 1), port $SKYPILOT_API_SERVER_LOCAL_PORT"
}
