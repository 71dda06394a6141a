#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Make .venv ready: system packages, virtual environment, Python packages at their pinned versions.
# Takes a fraction of a second when all is in place. PYTHON=/path/to/python3 picks the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VENV=.venv
STAMP=$VENV/set-up.stamp
# An interpreter inside .venv cannot make .venv anew.
PATH=${PATH//"$PWD/$VENV/bin:"/}
INPUTS=(pyproject.toml setup.py requirements/{constraints.txt,debian.txt,install.sh})

say() { printf 'set-up: %s\n' "$@"; }
fail() { say "$@" >&2; exit 1; }

# ---- Python --------------------------------------------------------------------------------------

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# cocotb loads Python into the simulator, which takes a shared libpython.
has_libpython() {
  "$1" 2>/dev/null <<'PY'
import ctypes, os, sysconfig as s
ctypes.CDLL(os.path.join(s.get_config_var("LIBDIR"), s.get_config_var("INSTSONAME")))
PY
}

has_module() { "$1" -c "import $2" 2>/dev/null; }

is_debians() { [[ $(readlink -f "$(command -v "$1")") == /usr/bin/python3* ]] && is_debian_like; }

is_debian_like() { command -v apt-get >/dev/null; }

# The first Python that is complete; failing that, Debian's own, which packages can complete. The
# system's comes first: many others are built without what makes it a fifth faster.
choose_python() {
  local candidates=(/usr/bin/python3 python3 python3.{14,13,12,11}) one
  [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
  for one in "${candidates[@]}"; do
    if is_recent "$one" && has_libpython "$one" && has_module "$one" ensurepip; then
      echo "$one" && return
    fi
  done
  for one in "${candidates[@]}"; do
    if is_recent "$one" && is_debians "$one"; then
      echo "$one" && return
    fi
  done
  fail "no suitable Python among: ${candidates[*]}" \
    "needed: Python 3.11 or newer with venv and a shared libpython (built with --enable-shared)" \
    "install one, or name one: make PYTHON=/path/to/python3"
}

# ---- System packages -----------------------------------------------------------------------------

is_present() { # TEST PYTHON
  case $1 in
    command:*) command -v "${1#*:}" >/dev/null ;;
    perl:*) perl "-M${1#*:}" -e 1 2>/dev/null ;;
    python:*) has_module "$2" "${1#*:}" ;;
    libpython) has_libpython "$2" ;;
    *) fail "requirements/debian.txt: no such test: $1" ;;
  esac
}

missing_packages() { # PYTHON [?]
  local version package test why mark
  version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  while read -r package test why; do
    [[ -z $package || $package == \#* ]] && continue
    [[ $package == \?* ]] && mark="?" || mark=""
    [[ $mark == "${2:-}" ]] || continue
    package=${package#"?"}
    is_present "$test" "$1" || echo "${package//@PYTHON@/$version}"
  done <requirements/debian.txt
}

install_packages() { # PACKAGE...
  local install=(apt-get install --yes --no-install-recommends "$@") as_root=()
  is_debian_like || fail "missing on this system: $*" \
    "(these are Debian's names; requirements/debian.txt says what each is for)" \
    "install them with the system's package manager, then run the same command again"
  if [[ $(id -u) != 0 ]]; then
    as_root=(sudo -n)
    sudo -n true 2>/dev/null || fail "system packages are missing, and installing them takes rights \
that you do not have here; run" "    sudo apt-get install --no-install-recommends $*" \
      "(or ask an administrator to), then run the same command again"
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive)
  say "installing system packages: $*"
  "${as_root[@]}" apt-get update -q || say "the package lists could not be refreshed, going on"
  "${as_root[@]}" "${install[@]}" </dev/null || fail "apt-get could not install: $*" \
    "its reason is above; put it right, or install them by hand, then run the same command again"
}

# Without them some tests are skipped, and nothing else is missing.
install_wanted() { # PYTHON
  local wanted
  mapfile -t wanted < <(missing_packages "$1" "?")
  ((${#wanted[@]} == 0)) || (install_packages "${wanted[@]}") \
    || say "going on without ${wanted[*]}: tests that need them are skipped"
}

# ---- Virtual environment -------------------------------------------------------------------------

# The path counts: a virtual environment cannot be moved.
fingerprint() { { printf '%s\n' "$PWD" "${PYTHON:-}" && cat "${INPUTS[@]}"; } | sha256sum; }

is_current() { [[ -x $VENV/bin/python && -f $STAMP && $(<"$STAMP") == "$(fingerprint)" ]]; }

is_usable() {
  local here="import sys; sys.exit(sys.prefix != '$PWD/$VENV')"
  "$VENV/bin/python" -c "$here" 2>/dev/null && is_recent "$VENV/bin/python" \
    && has_libpython "$VENV/bin/python" && has_module "$VENV/bin/python" pip
}

pip_install() {
  local quiet=()
  [[ -t 1 ]] || quiet=(--quiet)
  "$VENV/bin/python" -m pip install --disable-pip-version-check "${quiet[@]}" \
    --constraint requirements/constraints.txt "$@" || fail "pip could not install the Python packages" \
    "its reason is above; pip must reach a package index (network, proxy, PIP_INDEX_URL)" \
    "then run the same command again: what is already installed is kept"
}

fill_venv() { # PYTHON
  rm -f "$STAMP"
  if ! is_usable; then
    say "creating $VENV with $("$1" --version) ($1)"
    "$1" -m venv --clear "$VENV" || fail "python could not create $VENV; its reason is above"
  fi
  say "installing the Python packages into $VENV (about 1.6 GB, a minute or more the first time)"
  # First what builds the package, so that the next step needs no build environment of its own.
  pip_install setuptools
  pip_install --no-build-isolation --editable '.[dev]'
  fingerprint >"$STAMP"
  say "done"
}

main() {
  local python missing
  mkdir -p build
  exec 9>build/set-up.lock
  flock 9
  if is_current; then python=$VENV/bin/python; else python=$(choose_python); fi
  mapfile -t missing < <(missing_packages "$python")
  if ((${#missing[@]})); then
    install_packages "${missing[@]}"
    mapfile -t missing < <(missing_packages "$python")
    ((${#missing[@]} == 0)) || fail "still not found after the installation: ${missing[*]}"
  fi
  is_current && return
  install_wanted "$python"
  fill_venv "$python"
}

main
