#!/usr/bin/env bash
# Tries the newest version of every dependency, whatever the upper bounds in pyproject.toml and constraints.txt say, in a
# virtual environment that is thrown away, and reports what is newer than tested and whether the tests pass with it.
#
#   bash scripts/try_newest.sh                        the extras viz and dev, and the fast tests
#   bash scripts/try_newest.sh --only mujoco          the newest of one dependency (several: repeat), all others as tested
#   bash scripts/try_newest.sh --extras viz,dev,sb3 tests/learn     other extras; what follows goes to pytest
#
# Exit codes: 0 the tests pass, 1 they do not, 2 bad input, 3 the newest versions cannot be installed together.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

extras="viz,dev" only=""
while [ "$#" -gt 0 ]; do
  case "$1" in
    --extras | --only)
      [ "$#" -ge 2 ] || { echo "error: $1 needs a value; see the head of scripts/try_newest.sh" >&2; exit 2; }
      if [ "$1" = --extras ]; then extras="$2"; else only="$only $2"; fi
      shift 2
      ;;
    *) break ;;
  esac
done

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
python="$work/venv/bin/python"
"${PYTHON:-python3}" -m venv "$work/venv"
# shellcheck disable=SC2086 # one word a dependency
"$python" scripts/newest_requirements.py "$extras" "$work" $only

# Several hours would mean that the resolver tries every version there is.
limit() { timeout --kill-after=60 "$@"; }
echo "== installing the newest versions"
if ! limit 3600 "$python" -m pip install --quiet --disable-pip-version-check \
  -r "$work/requirements.txt" -c "$work/constraints.txt" >"$work/pip.log" 2>&1; then
  tail -n 15 "$work/pip.log" >&2
  echo "error: the newest versions cannot be installed together" >&2
  exit 3
fi
limit 600 "$python" -m pip install --quiet --disable-pip-version-check --no-deps -e .

"$python" scripts/newest_requirements.py --report "$work"
echo "== the tests"
status=0
limit 7200 "$python" -m pytest -x "$@" || status=1
if [ "$status" = 0 ]; then echo "PASS  with the versions above"; else echo "FAIL  with the versions above"; fi
exit "$status"
