# shellcheck shell=bash
# Owns how an end-to-end script says what it does: one line before each check, PASS or FAIL after it.
# Source it; it defines functions only.

say() { printf '      %s\n' "$*"; }

# check DESCRIPTION: announces what is checked next; the next pass ends it.
check() {
  e2e_check="$*"
  e2e_began=$SECONDS
  printf 'check %s\n' "$e2e_check"
}

# pass [DETAIL]: the announced check held.
pass() { printf 'PASS  %s%s (%d s)\n' "$e2e_check" "${1:+: $1}" "$((SECONDS - e2e_began))"; }

# fail DETAIL: the announced check did not hold; ends the script with 1.
fail() {
  printf 'FAIL  %s: %s\n' "${e2e_check:-setting up}" "$*" >&2
  exit 1
}

# show FILE [LINES]: the end of a log, indented, for the reader of a failure.
show() { tail -n "${2:-25}" "$1" 2>/dev/null | sed 's/^/      | /' || true; }

# typed CODE LOG LIMIT COMMAND...: runs a command as a user would type it, shows it, keeps its output in LOG; fails
# unless it ends with CODE within LIMIT seconds.
typed() {
  local code="$1" log="$2" limit="$3" status=0
  shift 3
  printf '      $ %s\n' "$*"
  timeout --kill-after=30 "$limit" "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" != "$code" ]; then
    show "$log" 60 >&2
    if [ "$status" = 124 ]; then fail "no end after $limit s: $* (log $log)"; fi
    fail "exit code $status, not $code, of: $* (log $log)"
  fi
}

# contains FILE REGEX: fails unless a line of FILE matches.
contains() {
  sed 's/\x1b\[[0-9;]*m//g' "$1" | grep -E -- "$2" >/dev/null || { show "$1" 40 >&2; fail "no line matches '$2' in $1"; }
}

# wait_until SECONDS COMMAND...: polls until COMMAND succeeds; returns 1 when the time is over.
wait_until() { wait_while "$$" "$@"; }

# wait_while PID SECONDS COMMAND...: the same; returns 1 as well when that process has ended and COMMAND still fails.
wait_while() {
  local pid=$1 limit=$((SECONDS + $2)) gone
  shift 2
  while true; do
    gone=no
    kill -0 "$pid" 2>/dev/null || gone=yes
    if "$@" >/dev/null 2>&1; then return 0; fi
    [ "$gone" = no ] && [ "$SECONDS" -lt "$limit" ] || return 1
    sleep 1
  done
}
