#!/usr/bin/env bash
# Runs the tours of tests/sdks on the fake and on the real server: Python, Go and TypeScript must print the same on both.
# Usage: prove-sdks.sh SQUALL_SERVER [python|go|typescript...]
set -euo pipefail
. "$(dirname "$0")/common.sh"
server=$(readlink -f "$1"); shift
cache=$caches/sdks
[ $# -gt 0 ] || set -- python go typescript
mkdir -p "$cache"

program_of() {
  case $1 in
    python) program=("$root/.venv/bin/python" "$root/tests/sdks/tour.py") ;;
    go)
      need go
      say "building the Go tour"
      (cd "$root/tests/sdks/go" && go build -o "$cache/go-tour" .)
      program=("$cache/go-tour") ;;
    typescript)
      typescript_modules
      ln -sfn "$modules" "$cache/node_modules"
      cp "$root"/tests/sdks/typescript/*.ts "$cache"
      program=("$modules/.bin/tsx" "$cache/tour.ts") ;;
    *) say "no such SDK: $1 (python, go, typescript)"; exit 2 ;;
  esac
}

bad=0
for sdk in "$@"; do
  program_of "$sdk"
  if out=$("$root/.venv/bin/python" "$root/tests/sdks/parity_test.py" "$server" "$root/.venv/bin/temporal" "${program[@]}" 2>&1); then
    say "$sdk: $(tail -n 1 <<< "$out")"
  else
    say "$sdk: differs"; printf '%s\n' "$out"; bad=1
  fi
done
exit $bad
