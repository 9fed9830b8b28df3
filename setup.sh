#!/usr/bin/env bash
# bash setup.sh               set up
# bash setup.sh demo          set up, then paint a prompt with the embedded pair
# bash setup.sh test [--all]  set up, then the fast tests; --all adds notebooks and long runs
# bash setup.sh lab           set up, then JupyterLab on the quick start
# bash setup.sh kit DIR       collect all that a laptop without network needs in the folder DIR
#
# Sets up a virtual environment in .venv/; on Colab, whose Python already has torch, in place.
# Wheels in ../wheels, where a kit has them, or in the folder VQCLIP_WHEELS are installed from
# without asking an index.
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { printf 'setup.sh: %s\n' "$*" >&2; exit 2; }

# find_wheels: the folder to install from in $wheels; empty where an index is asked
find_wheels() {
  wheels=${VQCLIP_WHEELS:-}
  if [ -z "$wheels" ]; then
    if ls ../wheels/*.whl >/dev/null 2>&1; then wheels=$(cd ../wheels && pwd); fi
    return
  fi
  case "$wheels" in /*) ;; *) wheels=$called_from/$wheels ;; esac
  [ -d "$wheels" ] || fail "VQCLIP_WHEELS is $wheels, where no folder is."
}

# find_python NAME...: the first that will do; a kit's wheels fit one version only
find_python() {
  local name version found="none" versions="3.13 3.12 3.11"
  if [ -n "$wheels" ] && [ -f "$wheels/python.txt" ]; then versions=$(cat "$wheels/python.txt"); fi
  for name in "$@"; do
    version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case " $versions " in
      *" $version "*)
        echo "$name"
        return
        ;;
    esac
    found="only Python $version"
  done
  fail "Python ${versions// / or } is needed and $found was found: install it."
}

# choose_python: the environment's Python in $python, made if need be, and its $stamp
choose_python() {
  find_wheels
  if [ -n "${COLAB_RELEASE_TAG:-}" ]; then
    python=python3
    stamp=/tmp/vqclip_nb.stamp
    return
  fi
  python=.venv/bin/python
  stamp=.venv/vqclip_nb.stamp
  [ -x "$python" ] || make_environment python3.13 python3.12 python3.11 python3 python
  set_up_in=$(sed -n 's/^in //p' "$stamp" 2>/dev/null || :)
  [ "${set_up_in:-$(pwd -P)}" = "$(pwd -P)" ] ||
    fail "this folder was $set_up_in when it was set up: move it back, or delete .venv here."
}

# make_environment NAME...: .venv, or what an interrupt or a full disk left out of it
make_environment() {
  local found
  found=$(find_python "$@")
  rm -f "$stamp"
  "$found" -m venv .venv ||
    fail "the virtual environment could not be made: free some space on the disk, and on Debian and \
Ubuntu install python3-venv."
}

# check_environment: it has pip and a Python that will do; only asked before pip is called
check_environment() {
  find_python "$python" >/dev/null
  if [ "$python" = .venv/bin/python ] && ! "$python" -m pip --version >/dev/null 2>&1; then
    make_environment "$python"
  fi
}

# run_pip COMMAND...: pip, which asks no index where there are wheels to install from
run_pip() {
  local command=$1
  shift
  if [ -n "$wheels" ]; then set -- --no-index --find-links "$wheels" "$@"; fi
  "$python" -m pip "$command" --quiet --disable-pip-version-check "$@"
}

# install EXTRA...: bring the environment up to date, only if what it is made from has changed
install() {
  local extras wanted
  extras=$(IFS=,; echo "$*")
  choose_python
  wanted=$(cat requirements.txt pyproject.toml | cksum)
  if ! grep -qsxF "$wanted $extras" "$stamp"; then
    check_environment
    say "Installing${wheels:+ from $wheels} (the first time takes minutes: torch is large) …"
    run_pip install -e ".${extras:+[$extras]}" ||
      fail "pip could not install everything${wheels:+ from $wheels, and no index was asked}."
    { grep -qsF "$wanted" "$stamp" || echo "in $(pwd -P)" >"$stamp"; } 2>/dev/null &&
      echo "$wanted $extras" >>"$stamp" ||
      fail "$stamp could not be written: free some space on the disk."
  fi
}

# kit_folder DIR: its whole path, once it is sure that a kit can be put there
kit_folder() {
  local dir
  dir=$("$python" -c 'import os, sys; print(os.path.realpath(os.path.join(*sys.argv[1:])))' \
    "$called_from" "$1")
  case "$dir/" in
    "$(pwd -P)"/*) fail "$dir is inside the project: give a folder outside it." ;;
  esac
  if [ -n "$(ls -A "$dir" 2>/dev/null)" ] && ! [ -f "$dir/START.txt" ]; then
    fail "$dir holds other things: give a new folder, or one with a kit to bring up to date."
  fi
  [ ! -e "$dir/vqclip_nb/.venv" ] ||
    fail "the kit in $dir was itself set up, which an update would undo: give another folder."
  { mkdir -p "$dir/wheels" && : >>"$dir/START.txt"; } 2>/dev/null || # from here on it is a kit
    fail "$dir cannot be written to: give a folder that you may write to."
  echo "$dir"
}

# needed: what a kit's wheels are of, the build's own requirements among it
needed() {
  cat requirements.txt
  "$python" -c 'import tomllib; facts = tomllib.load(open("pyproject.toml", "rb"))
print(*facts["build-system"]["requires"], *facts["project"]["optional-dependencies"]["lab"], sep="\n")'
}

# collect_wheels DIR: all that is needed, as wheels; what an install would not take goes
collect_wheels() {
  run_pip wheel --wheel-dir "$1" -r <(needed)
  wheels=$1 run_pip install --dry-run --ignore-installed --report "$1/report.json" -r <(needed)
  "$python" - "$1" <<'EOF' || exit 2
import json, pathlib, sys, urllib.parse

wheels = pathlib.Path(sys.argv[1])
chosen = json.loads((wheels / "report.json").read_text(encoding="utf-8"))["install"]
urls = [each["download_info"]["url"] for each in chosen]
names = {urllib.parse.unquote(url.rpartition("/")[2]) for url in urls}
for file in [*wheels.glob("*.whl"), wheels / "report.json"]:
    if file.name not in names:
        file.unlink()
(wheels / "python.txt").write_text("%d.%d\n" % sys.version_info[:2])
versions = {each["metadata"]["name"]: each["metadata"]["version"] for each in chosen}
torch, vision = (versions.get(name, "") for name in ("torch", "torchvision"))
if torch.partition("+")[2] != vision.partition("+")[2]:
    sys.exit(f"setup.sh: torch {torch} and torchvision {vision} do not fit each other: "
             "give pip an index that has both.")
EOF
}

# collect_project DIR: the project as it stands, without what was made in it
collect_project() {
  rm -rf "$1.part"
  mkdir "$1.part"
  tar -cf - --exclude .git --exclude .venv --exclude '*.egg-info' --exclude __pycache__ \
    --exclude '.*_cache' --exclude .hypothesis --exclude .ipynb_checkpoints --exclude build \
    --exclude runs --exclude sweep --exclude screenshots . |
    tar -xf - --no-same-owner --no-same-permissions -C "$1.part" # a stick may know neither
  rm -rf "$1"
  mv "$1.part" "$1"
}

# describe DIR: the kit's START.txt
describe() {
  "$python" - "$1" <<'EOF'
import pathlib, platform, sys, zipfile

kit = pathlib.Path(sys.argv[1])
files = [file.stat().st_size for file in kit.rglob("*") if file.is_file()]
packed = [zipfile.ZipFile(wheel).infolist() for wheel in (kit / "wheels").glob("*.whl")]
members = [member for wheel in packed for member in wheel]
unpacked = sum(member.file_size for member in members)
unpacked += sum(member.file_size for member in members if member.filename.endswith(".py"))  # .pyc
system = platform.system().replace("Darwin", "macOS")
python = ".".join(platform.python_version_tuple()[:2])
text = f"""Painting pictures from sentences: vqclip_nb, for laptops without a network.
1. Copy this folder to the laptop: {sum(files) / 1e9:.1f} GB, and {unpacked / 1e9:.1f} GB more when set up.
2. Open a terminal in the copy and type: cd vqclip_nb
3. Then type: bash setup.sh lab
It was made for Python {python} on {system} {platform.machine()}, and fits no other.
"""
(kit / "START.txt").write_text(text, encoding="utf-8")
EOF
}

# kit DIR: a folder for a stick or a share, from which laptops set up without network
kit() {
  local dir
  [ -n "$1" ] || fail "kit needs a folder to collect in, e.g. bash setup.sh kit ~/vqclip_kit"
  choose_python
  dir=$(kit_folder "$1")
  check_environment
  say "Collecting wheels (the first time takes minutes: torch is large) …"
  collect_wheels "$dir/wheels"
  collect_project "$dir/vqclip_nb"
  describe "$dir"
  say "Ready: $dir"
  cat "$dir/START.txt"
  (cd "$dir" && du -sh wheels vqclip_nb)
}

case "${1:-}" in
  "")
    install
    say "Ready. Try: bash setup.sh demo"
    ;;
  demo)
    install
    say "Painting …"
    "$python" -m vqclip_nb "a castle on a hill at sunset" --seed 3 --out runs
    ;;
  test)
    install test train lab
    "$python" -m ruff format --check .
    "$python" -m ruff check .
    at_once=(-n auto --maxprocesses 4) # each takes a core and 2.5 GB of memory
    case "${2:-}" in
      "") "$python" -m pytest "${at_once[@]}" -m "not slow" ;;
      --all)
        "$python" -m pytest "${at_once[@]}" -m "not slow"
        "$python" -m pytest "${at_once[@]}" -m slow
        ;;
      *) fail "test takes --all or nothing, not ${2@Q}." ;;
    esac
    ;;
  lab)
    install lab
    "$python" -m jupyter lab notebooks/00_quickstart.ipynb
    ;;
  kit)
    kit "${2:-}"
    ;;
  *)
    fail "${1@Q} is unknown: use demo, test, lab, kit or nothing."
    ;;
esac
