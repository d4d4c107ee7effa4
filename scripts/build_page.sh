#!/usr/bin/env bash
# Builds the page that ships with the package, mesozoic/page/assets, from web/. Needs node 20 or newer and npm.
# With --check nothing is changed: exit code 1 if what ships is not what web/ makes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../web"
[ -f node_modules/.package-lock.json ] || npm ci --no-audit --no-fund
npm run --silent check
if [ "${1:-}" != --check ]; then
  exec node build.mjs
fi
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
node build.mjs "$fresh"
for file in "$fresh"/*.html; do
  cmp "$file" "../mesozoic/page/assets/${file##*/}"
done
cmp <(gzip -dc "$fresh/mujoco.wasm.gz") <(gzip -dc ../mesozoic/page/assets/mujoco.wasm.gz)
