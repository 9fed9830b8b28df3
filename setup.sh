#!/usr/bin/env bash
# bash setup.sh               set up
# bash setup.sh demo          set up, then paint a prompt with the embedded pair
# bash setup.sh test [--all]  set up, then the fast tests; --all adds notebooks and long runs
# bash setup.sh lab           set up, then JupyterLab on the quick start
#
# Sets up a virtual environment in .venv/; on Colab, whose Python already has torch, in place.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { printf 'setup.sh: %s\n' "$*" >&2; exit 2; }

find_python() {
  for name in python3.13 python3.12 python3.11 python3 python; do
    if command -v "$name" >/dev/null &&
      "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  fail "Python 3.11, 3.12 or 3.13 is needed and none was found: install one."
}

# install EXTRA...: bring the environment up to date, only if what it is made from has changed
install() {
  local extras wanted stamp
  extras=$(IFS=,; echo "$*")
  if [ -n "${COLAB_RELEASE_TAG:-}" ]; then
    python=python3
    stamp=/tmp/vqclip_nb.stamp
  else
    [ -x .venv/bin/python ] || "$(find_python)" -m venv .venv ||
      fail "the virtual environment could not be made: on Debian and Ubuntu install python3-venv."
    python=.venv/bin/python
    stamp=.venv/vqclip_nb.stamp
  fi
  wanted=$(cat requirements.txt pyproject.toml | cksum)
  if ! grep -qsxF "$wanted $extras" "$stamp"; then
    say "Installing (the first time takes minutes: torch is large) …"
    "$python" -m pip install --quiet --disable-pip-version-check -e ".${extras:+[$extras]}"
    grep -qsF "$wanted" "$stamp" || : >"$stamp"
    echo "$wanted $extras" >>"$stamp"
  fi
}

case "${1:-}" in
  "")
    install
    say "Ready. Try: bash setup.sh demo"
    ;;
  demo)
    install
    say "Painting …"
    "$python" -m vqclip_nb "a red apple on a light blue background" --seed 3 --out runs
    ;;
  test)
    install test train lab
    "$python" -m ruff format --check .
    "$python" -m ruff check .
    case "${2:-}" in
      "") "$python" -m pytest -m "not slow" ;;
      --all) "$python" -m pytest -m "not slow" && "$python" -m pytest -m slow ;;
      *) fail "test takes --all or nothing, not ${2@Q}." ;;
    esac
    ;;
  lab)
    install lab
    "$python" -m jupyter lab notebooks/00_quickstart.ipynb
    ;;
  *)
    fail "${1@Q} is unknown: use demo, test, lab or nothing."
    ;;
esac
