# shellcheck shell=bash
# Owns uv on a node that reaches only package registries. SkyPilot wants it at hand, else it fetches an installer from
# elsewhere, and asks it for Python 3.10, which uv would fetch from elsewhere as well.

# furnish_uv FOLDER: puts uv, this machine's or else the registry's, into FOLDER; the system's Python is its 3.10.
furnish_uv() {
  local uv
  mkdir -p "$1"
  uv="$(command -v uv || true)"
  if [ -z "$uv" ]; then
    uv="$E2E_WORK/uv/bin/uv"
    typed 0 "$E2E_WORK/logs/uv.log" 1800 python3 -m pip install --quiet --no-deps -c constraints.txt --target "$E2E_WORK/uv" uv
  fi
  cp "$uv" "$1/uv-itself"
  cat >"$1/uv" <<'WRAPPER'
#!/bin/bash
arguments=()
for argument in "$@"; do
  if [ "$argument" = 3.10 ] && [ "${arguments[-1]:-}" = --python ]; then argument=/usr/bin/python3; fi
  arguments+=("$argument")
done
exec "$(dirname "$(readlink -f "$0")")/uv-itself" "${arguments[@]}"
WRAPPER
  chmod 755 "$1/uv" "$1/uv-itself"
}
