#!/usr/bin/env bash
# Runs each libFuzzer program of a folder for some seconds, one after another, from its seeds and from what earlier runs
# have found worth keeping. Fails when one finds something, and says where the input that does it lies.
# Usage: [MAX_LEN=bytes] fuzz.sh FOLDER SECONDS [NAME...]     NAME: only these programs ("grpc_server_fuzzer")
#
# FOLDER/x_fuzzer is a program, FOLDER/x_fuzzer.seeds its seeds. Corpora are kept in the user's cache folder, reproducers
# in FOLDER/findings.
set -uo pipefail
folder=${1:?"usage: fuzz.sh FOLDER SECONDS [NAME...]"}
seconds=${2:?"usage: fuzz.sh FOLDER SECONDS [NAME...]"}
shift 2
. "$(dirname "$0")/common.sh"
corpora=$caches/corpora
findings=$folder/findings
mkdir -p "$findings" "$corpora"

programs=()
if [ $# -gt 0 ]; then
  for name in "$@"; do programs+=("$folder/$name"); done
else
  for program in "$folder"/*_fuzzer; do
    if [ -f "$program" ] && [ -x "$program" ]; then programs+=("$program"); fi
  done
fi
if [ ${#programs[@]} = 0 ]; then
  echo "fuzz: no *_fuzzer in $folder: build the target fuzzers of the preset fuzz first" >&2
  exit 2
fi

bad=0
for program in "${programs[@]}"; do
  name=$(basename "$program")
  if [ ! -x "$program" ]; then
    echo "fuzz: there is no program $program" >&2
    exit 2
  fi
  corpus=$corpora/$name
  log=$findings/$name.log
  mkdir -p "$corpus"
  folders=("$corpus")
  if [ -d "$program.seeds" ]; then folders+=("$program.seeds/"); fi
  printf '%-28s %4d s  ' "$name" "$seconds"
  # What was there before is no finding of this run.
  before=$(find "$findings" -maxdepth 1 -name "$name-*" | sort)
  "$program" -max_total_time="$seconds" -max_len="${MAX_LEN:-4096}" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$findings/$name-" -print_final_stats=1 "${folders[@]}" > "$log" 2>&1
  code=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  if [ "$code" = 0 ]; then
    printf 'clean  %9s runs  %5d inputs kept\n' "${runs:-0}" "$(find "$corpus" -type f | wc -l)"
    rm -f "$log"
    continue
  fi
  bad=$((bad + 1))
  printf 'FINDING (exit %d)\n' "$code"
  grep -m 3 -E '^SUMMARY|ERROR: |runtime error' "$log" | sed 's/^/    /'
  comm -13 <(printf '%s\n' "$before") <(find "$findings" -maxdepth 1 -name "$name-*" | sort) |
    while read -r input; do
      echo "    input:  $input"
      echo "    repeat: $program $input"
    done
  echo "    log:    $log"
done
if [ "$bad" != 0 ]; then
  echo "fuzz: $bad of ${#programs[@]} programs found something"
  exit 1
fi
echo "fuzz: ${#programs[@]} programs, no finding"
