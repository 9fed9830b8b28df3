#!/usr/bin/env bash
# Run the project on a Kaggle GPU: bash .ci/kaggle_proof.sh [--gpu NvidiaTeslaT4] [FOLDER]
#
# Uploads the code as a private dataset, runs the notebooks that proof.py writes in a private
# script, deletes both, and writes FOLDER/proof-kaggle-DATE.md (default: the current folder). The
# account needs a verified phone number; without one, Kaggle gives it no GPU and no internet access.
# Exits with 1 if a step failed, with 2 if it could not start.
#
# Relies on kaggle 2.2.5 (repository Kaggle/kaggle-cli, src/kaggle and docs/kernels.md):
# - A script cannot bring files along, so the code is a dataset. Kaggle unpacks archives in it.
# - `datasets create` and `kernels push` exit with 0 even if Kaggle refuses: only the text says so.
#   Every command exits with 0 if interrupted.
# - No command stops a run: `kernels delete` is the closest, and `push --timeout` ends it for sure.
# - --accelerator takes the names in docs/kernels.md.
set -euo pipefail

proof=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/proof.py
limit=90 # minutes for waiting and running
gpu=NvidiaTeslaT4
folder=
version=
work=
ours= # OWNER/NAME of the dataset, and of the script
uploaded=
pushed=
child=

fail() {
  printf 'kaggle_proof.sh: %s\n' "$*" >&2
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
  [ -n "$gpu" ] || fail "--gpu needs a name, e.g. NvidiaTeslaT4."
  folder=${folder:-.}
}

# check: refuse what cannot succeed, before uploading anything; sets $version and $ours
check() {
  local name problem owner
  { [ -d "$folder" ] && [ -w "$folder" ]; } ||
    fail "$folder is not a writable folder: give another one for the page."
  command -v python3 >/dev/null || fail "python3 is not installed: install Python 3.9 or newer."
  version=$(kaggle --version 2>/dev/null) ||
    fail "kaggle is not installed, or does not run: see 'pip install kaggle'."
  problem=$(python3 "$proof" pack "$work" 2>&1) || fail "$problem"
  owner=$(kaggle config view </dev/null 2>/dev/null | sed -n 's/^- username: //p') || owner=
  case $owner in
    '' | None) fail "kaggle is not logged in: run 'kaggle auth login' first." ;;
  esac
  name=vqclip-nb-proof-$(date +%Y%m%d-%H%M%S)
  ours=$owner/$name
  python3 "$proof" kaggle "$work" "$owner" "$name"
}

# pause SECONDS: in the background, where `wait` reacts to signals
pause() {
  sleep "$1" &
  child=$!
  wait "$child" || :
  child=
}

# upload: create the dataset, and wait until scripts can read it
upload() {
  local said tries
  uploaded=yes
  said=$(kaggle datasets create -p "$work/code" -q </dev/null 2>&1) || :
  printf '%s\n' "$said"
  case $said in
    *'being created'*) ;;
    *'creation error'*)
      uploaded=
      return 1
      ;;
    *) return 1 ;;
  esac
  for ((tries = 0; tries < 60; tries++)); do
    case $(kaggle datasets status "$ours" </dev/null) in
      *ready) return 0 ;;
    esac
    pause 10
  done
  echo "The dataset $ours is not ready after 10 minutes."
  return 1
}

# step NAME COMMAND...: run it, and record its status and seconds for the page
step() {
  local name=$1 began=$SECONDS status=0
  shift
  printf '%s\n' "$name"
  "$@" >"$work/$name.log" 2>&1 || status=$?
  printf '{"status": %d, "seconds": %d}\n' "$status" "$((SECONDS - began))" >"$work/$name.json"
  [ "$status" -eq 0 ] || tail -n 20 "$work/$name.log" >&2
  return "$status"
}

# push: start the script. Signals wait for the end of it, or nothing would delete the script.
push() {
  local said
  pushed=yes
  said=$(
    trap '' INT TERM HUP
    exec kaggle kernels push -p "$work/run" --timeout "$((limit * 60))" --accelerator "$gpu" \
      </dev/null 2>&1
  ) || :
  printf '%s\n' "$said"
  case $said in
    *'push error'*) pushed= ;;
    *'not valid'*) ;; # without the dataset, although it was pushed
    *'successfully pushed'*) return 0 ;;
  esac
  return 1
}

# await: wait for the end of the run; fails if it failed, or took more than $limit minutes
await() {
  local said tries
  for ((tries = 0; tries < limit; tries++)); do
    said=$(kaggle kernels status "$ours" </dev/null 2>/dev/null | tr '[:upper:]' '[:lower:]') || :
    case $said in
      *'complete"'*) return 0 ;;
      *'error"'* | *cancel*) break ;;
    esac
    pause 60
  done
  printf 'kaggle_proof.sh: the run did not complete, its status after %s minutes is: %s\n' \
    "$tries" "${said:-unknown}" >&2
  return 1
}

# prove: run all steps, and fetch their results
prove() {
  step 0_upload upload || return 0
  push || fail "Kaggle rejected the script, see its message above: fix that, and try again."
  await || :
  kaggle kernels output "$ours" -p "$work" -o -q --file-pattern '^(proof[.]png|[1-9]_)' \
    </dev/null >/dev/null || :
  if ! [ -f "$work/1_first_cell.json" ] && [ -f "$work/${ours#*/}.log" ]; then
    tail -n 20 "$work/${ours#*/}.log" >&2
  fi
}

# drop datasets|kernels: delete the dataset, or the script with its run
drop() {
  kaggle "$1" delete -y "$ours" </dev/null && return 0
  printf 'kaggle_proof.sh: %s could not be deleted from your %s: %s\n' "$ours" "$1" \
    "stop and delete it on Kaggle's website." >&2
  return 1
}

# give_back: end the run, and leave nothing on Kaggle
give_back() {
  local status=0
  trap '' INT TERM HUP
  if [ -n "$child" ]; then kill "$child" 2>/dev/null || :; fi
  if [ -n "$pushed" ]; then drop kernels || status=1; fi
  if [ -n "$uploaded" ]; then drop datasets || status=1; fi
  pushed=
  uploaded=
  return "$status"
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
prove
status=0
give_back || status=1
python3 "$proof" page "$work" Kaggle "$version" "$folder" || status=1
exit "$status"
