# shellcheck shell=bash
# Owns the walls around an end-to-end run: private process, mount, host-name and IPC namespaces, and a work folder.
#
# Nothing inside can leave anything behind: every process dies with the namespace, files under /etc and /tmp that
# are changed inside are private copies, and the work folder is removed by the shell outside, which also survives
# a failure inside. The network is the machine's own: the node installs packages from the registries.

# run_in_namespace COMMAND...: runs a command as the first process inside, with E2E_WORK set; its exit code.
run_in_namespace() {
  local status=0
  E2E_WORK="$(mktemp -d /var/tmp/mesozoic-e2e.XXXXXX)"
  export E2E_WORK
  chmod 755 "$E2E_WORK"
  e2e_child=""
  trap leave_nothing EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  # Both ends of the chain die with their parent, so even a killed script leaves no process.
  setpriv --pdeathsig KILL unshare --mount --uts --ipc --pid --fork --kill-child --mount-proc \
    --propagation private "$@" <&0 &
  e2e_child=$!
  wait "$e2e_child" || status=$?
  e2e_child=""
  return "$status"
}

leave_nothing() {
  trap '' HUP INT TERM
  if [ -n "$e2e_child" ]; then
    kill -KILL "$e2e_child" 2>/dev/null || true # unshare ignores SIGTERM; its child dies with it
    wait "$e2e_child" 2>/dev/null || true
  fi
  if [ -n "${E2E_KEEP:-}" ]; then
    echo "kept: $E2E_WORK (remove it with rm -r)"
  else
    rm -rf --one-file-system "$E2E_WORK"
  fi
}

# private_file FILE: from here on FILE is a copy of its own that only this namespace sees; again changes nothing.
private_file() {
  local copy="$E2E_WORK/etc/${1##*/}"
  if [ -e "$copy" ]; then return; fi
  mkdir -p "$E2E_WORK/etc"
  cp -p "$1" "$copy"
  mount --bind "$copy" "$1"
}

# private_folder FOLDER MODE [KEPT...]: an empty FOLDER that only this namespace sees; folders KEPT below it stay.
private_folder() {
  local folder="$1" mode="$2" fresh path below=() index
  shift 2
  fresh="$E2E_WORK/folders/${folder//\//_}"
  mkdir -p "$fresh"
  chmod "$mode" "$fresh"
  for path in "$@"; do
    if [[ "$path" == "$folder"/* && -d "$path" ]]; then below+=("$path"); fi
  done
  for index in "${!below[@]}"; do
    mkdir -p "$E2E_WORK/kept/$index"
    mount --rbind "${below[index]}" "$E2E_WORK/kept/$index"
  done
  mount --bind "$fresh" "$folder"
  for index in "${!below[@]}"; do
    mkdir -p "${below[index]}"
    mount --move "$E2E_WORK/kept/$index" "${below[index]}"
  done
}
