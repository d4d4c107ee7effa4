#!/usr/bin/env bash
# Installs a headless OpenGL library where none is found and this user may (Debian, Ubuntu); otherwise does nothing:
# rendering then says what to install.
set -euo pipefail
have() { ldconfig -p 2>/dev/null | grep -q "$1"; }
if [ "$(uname)" = Linux ] && ! have libEGL.so && ! have libOSMesa.so; then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq && apt-get install -y -qq libosmesa6 >/dev/null
  else
    echo "note: no headless OpenGL library; rendering needs one (Debian, Ubuntu: sudo apt-get install libosmesa6)" >&2
  fi
fi
