#!/usr/bin/env bash
# Installs mesozoic on a rented machine, in ~/.mesozoic/venv. The `setup` of every task file calls it; twice is no harm.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv="$HOME/.mesozoic/venv"
image_venv="${MESOZOIC_IMAGE_VENV:-/opt/mesozoic/venv}" # where the project's container image keeps its own
export PATH="$HOME/.local/bin:$PATH"

say() { echo "node-setup: $*"; }

# A set-up that hangs would be paid for until somebody looks, because the machine is not idle: it is ended.
limit="${MESOZOIC_SETUP_LIMIT:-30m}"
if [ "$limit" != none ] && command -v timeout >/dev/null; then
  code=0
  MESOZOIC_SETUP_LIMIT=none timeout --kill-after=1m "$limit" bash cloud/node-setup.sh || code=$?
  [ "$code" != 124 ] || echo "error: not set up after $limit, so it was ended; see above where it hung, then launch again" >&2
  exit "$code"
fi

# The container image brings everything; its packages are used, the checkout's code runs (node-train.sh starts it here).
if [ ! -e "$venv" ] && "$image_venv/bin/python" -c 'import mesozoic' 2>/dev/null; then
  mkdir -p "$(dirname "$venv")"
  ln -s "$image_venv" "$venv"
  say "using the packages of this container image, in $image_venv"
fi
if [ -L "$venv" ] && [ -x "$venv/bin/python" ]; then
  say "ready"
  exit 0
fi

# Nodes that share a home folder, as those of a Slurm cluster do, set up one after the other.
mkdir -p "$HOME/.mesozoic"
exec 9>"$HOME/.mesozoic/setup.lock"
if command -v flock >/dev/null; then flock 9; fi

# Physics and learner for the hardware that is here, and wandb and optuna, which every job may use.
extras="sweep"
if gpus="$(nvidia-smi -L 2>/dev/null)" && [[ "$gpus" == GPU* ]]; then
  extras="cuda,$extras"
  say "extra 'cuda', because nvidia-smi lists ${gpus%% (UUID*}"
else
  say "no extra for GPUs, because nvidia-smi lists none"
  if [ "${PHYSICS:-auto}" = mjx-jax ]; then
    extras="mjx,$extras"
    say "extra 'mjx', because PHYSICS=mjx-jax"
  fi
fi
if [ -n "${EXTRAS:-}" ]; then # what a task needs beside the hardware, such as vertex
  extras="$EXTRAS,$extras"
  say "extra '$EXTRAS', because the task asks for it"
fi
if [ "${BACKEND:-auto}" = sb3 ]; then
  extras="sb3,$extras"
  say "extra 'sb3', because BACKEND=sb3"
fi

# Installing again is skipped when nothing that decides it has changed.
stamp="$venv/installed"
wanted="$({ cat pyproject.toml constraints.txt && echo "$PWD $extras"; } | cksum)"
if "$venv/bin/python" -c 'import mesozoic' 2>/dev/null && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  say "ready, nothing has changed"
  exit 0
fi

# uv: found, else the tested version from the package registry, else the same with its own installer.
uv_version=""
while IFS= read -r line; do
  case "$line" in uv==*) uv_version="${line#uv==}" ;; esac
done <constraints.txt
[ -n "$uv_version" ] || { echo "error: constraints.txt names no version of uv; take the file of the checkout" >&2 && exit 2; }
uv_in_venv() {
  python3 -m venv "$HOME/.mesozoic/uv" && "$HOME/.mesozoic/uv/bin/pip" install --quiet -c constraints.txt uv
}
uv_installer="https://astral.sh/uv/$uv_version/install.sh"
if command -v uv >/dev/null; then
  say "uv: $(command -v uv) ($(uv --version 2>/dev/null || echo "of an unknown version"); tested: $uv_version)"
elif python3 -m pip install --quiet --user -c constraints.txt uv >/dev/null 2>&1 && command -v uv >/dev/null; then
  say "uv: installed with pip in $(command -v uv)"
elif uv_in_venv >/dev/null 2>&1; then
  export PATH="$HOME/.mesozoic/uv/bin:$PATH"
  say "uv: installed with pip in $(command -v uv)"
elif { curl -LsSf --retry 3 --max-time 300 "$uv_installer" | sh; } >/dev/null 2>&1 && command -v uv >/dev/null; then
  say "uv: installed with its own installer in $(command -v uv)"
else
  echo "error: uv could not be installed, neither with pip nor with its installer; put uv on PATH of this machine" >&2
  exit 2
fi

# A Python that is here is reused; 3.11, which the pinned versions were tested with, comes first.
if ! "$venv/bin/python" -c '' 2>/dev/null; then
  python=""
  for candidate in python3.11 python3.12 python3.13 python3 /usr/bin/python3 /usr/local/bin/python3; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
      python="$(command -v "$candidate")"
      say "Python: $python ($("$python" --version)), because it is here and new enough"
      break
    fi
  done
  if [ -z "$python" ]; then
    python=3.11 # uv knows the releases that there were when it was made, so its version decides which 3.11
    say "Python: 3.11 from uv, because none between 3.11 and 3.13 is here"
    uv python install 3.11
  fi
  rm -rf "$venv"
  uv venv --quiet --python "$python" "$venv"
fi

say "installing mesozoic[$extras] in $venv"
began=$SECONDS
uv pip install --quiet --python "$venv/bin/python" -c constraints.txt -e ".[$extras]"
devices="$("$venv/bin/python" -c 'import jax; print(*jax.devices())' 2>/dev/null || echo "nothing: JAX does not start")"
say "installed in $((SECONDS - began)) s; JAX sees $devices"
if [[ "$extras" == *cuda* ]]; then # JAX and Warp each try the GPU, as the job does before it trains
  problem="$("$venv/bin/python" -c 'from mesozoic.sim.physics import gpu_here; print(gpu_here().problem)' 2>/dev/null || echo "mesozoic does not start")"
  if [ -n "$problem" ]; then
    say "warning: the GPU cannot be used: $problem"
  else
    say "JAX and Warp can use the GPU"
  fi
fi
printf '%s' "$wanted" >"$stamp"
say "ready"
