#!/usr/bin/env bash
# Run the project on a Colab GPU: bash .ci/colab_proof.sh [--gpu T4|L4|G4|A100|H100] [FOLDER]
#
# Rents a machine with Google's `colab` command, runs the notebooks that proof.py writes, gives the
# machine back, and writes FOLDER/proof-colab-DATE.md (default: the current folder). Exits with 1 if
# a step failed, with 2 if it could not start.
#
# Relies on google-colab-cli 0.7.5 (repository googlecolab/google-colab-cli, src/colab_cli):
# - `sessions` needs a login, and fails without one if stdin is closed.
# - `new` turns an unknown GPU into an A100; hence the list in `check`.
# - `upload` sends the file in one request: 64 MB are known to work, 128 MB to fail. Ours is 27 MB.
# - `exec -f NAME.ipynb` runs all cells in /content, in the session's one kernel, and writes
#   NAME_output.ipynb. It exits with 0 even if cells raised exceptions; proof.py reads the outputs.
#   Its --timeout defaults to 30 s and does not end a cell that hangs; proof.py does.
# - `stop` succeeds even if the session no longer exists.
set -euo pipefail

proof=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/proof.py
limit=1800 # seconds per step; LIMIT in proof.py
session=vqclip-proof-$$
gpu=T4
folder=
version=
work=
rented=
child=

fail() {
  printf 'colab_proof.sh: %s\n' "$*" >&2
  exit 2
}

# read_arguments WORD...: $gpu and $folder
read_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --gpu)
        gpu=${2:-}
        shift
        ;;
      -*) fail "$1 is unknown: give --gpu NAME, a folder, or nothing." ;;
      *)
        [ -z "$folder" ] || fail "two folders were given, $folder and $1: give one."
        folder=$1
        ;;
    esac
    [ $# -eq 0 ] || shift
  done
  folder=${folder:-.}
}

# check: refuse what cannot succeed, before renting anything; sets $version
check() {
  local problem
  case $gpu in
    T4 | L4 | G4 | A100 | H100) ;;
    *) fail "--gpu is '$gpu', which Colab does not have: give T4, L4, G4, A100 or H100." ;;
  esac
  { [ -d "$folder" ] && [ -w "$folder" ]; } ||
    fail "$folder is not a writable folder: give another one for the page."
  command -v python3 >/dev/null || fail "python3 is not installed: install Python 3.9 or newer."
  version=$(colab version 2>/dev/null) ||
    fail "colab is not installed, or does not run: see 'pip install google-colab-cli'."
  problem=$(python3 "$proof" pack "$work" 2>&1) || fail "$problem"
  run colab sessions >/dev/null 2>&1 ||
    fail "colab is not logged in, or offline: run 'colab sessions' and follow its instructions."
}

# run COMMAND...: for at most $limit seconds; in the background, where `wait` reacts to signals
run() {
  local status=0
  python3 "$proof" within "$limit" "$@" </dev/null &
  child=$!
  wait "$child" || status=$?
  child=
  return "$status"
}

# step NAME COMMAND...: run it, and record its status and seconds for the page
step() {
  local name=$1 began=$SECONDS status=0
  shift
  printf '%s\n' "$name"
  run "$@" >"$work/$name.log" 2>&1 || status=$?
  printf '{"status": %d, "seconds": %d}\n' "$status" "$((SECONDS - began))" >"$work/$name.json"
  [ "$status" -eq 0 ] || tail -n 20 "$work/$name.log" >&2
  return "$status"
}

# rent: get a machine. Signals wait until `colab` has its name, without which it cannot be stopped.
rent() {
  rented=yes
  (
    trap '' INT TERM HUP
    exec colab new -s "$session" --gpu "$gpu" </dev/null
  ) || fail "Colab provided no $gpu, see its message above: try later, or another --gpu."
}

# prove: run all steps, even after one has failed; only the upload is needed by all others
prove() {
  local notebook name
  step 0_upload colab upload -s "$session" "$work/vqclip_nb-main.zip" \
    /content/vqclip_nb-main.zip || return 0
  for notebook in "$work"/[1-9]_*.ipynb; do
    name=$(basename "$notebook" .ipynb)
    step "$name" colab exec -s "$session" -f "$notebook" --timeout "$limit" \
      --output-image "$work/shown.png" || :
  done
  run colab download -s "$session" /content/proof.png "$work/proof.png" >/dev/null 2>&1 || :
}

# give_back: stop the current step, and return the machine
give_back() {
  local tries
  trap '' INT TERM HUP
  if [ -n "$child" ]; then
    kill "$child" 2>/dev/null || :
    wait "$child" 2>/dev/null || :
    child=
  fi
  [ -n "$rented" ] || return 0
  rented=
  for tries in 1 2 3; do
    if python3 "$proof" within 120 colab stop -s "$session" </dev/null; then return 0; fi
    sleep 5
  done
  printf 'colab_proof.sh: colab stop failed %s times, so the machine may still run: %s\n' \
    "$tries" "run 'colab stop -s $session', or end it in Colab's session manager." >&2
  return 1
}

leave() {
  local status=$?
  give_back || status=1
  rm -rf "$work"
  exit "$status"
}

read_arguments "$@"
work=$(mktemp -d "${TMPDIR:-/tmp}/vqclip-proof.XXXXXX")
exec 3>&2 # an interrupt may come while stderr goes to a log
trap 'leave >&3 2>&3' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
check
rent
prove
status=0
give_back || status=1
python3 "$proof" page "$work" Colab "colab ${version#Version: }" "$folder" || status=1
exit "$status"
