#!/usr/bin/env bash
# Runs the tours of tests/sdks on the fake and on the real server: Python, Go and TypeScript must print the same on both.
# What the Go and Node toolchains fetch and build stays in the user's cache folder.
# Usage: prove-sdks.sh SQUALL_SERVER [python|go|typescript...]
set -euo pipefail
server=$(readlink -f "$1"); shift
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SQUALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/squall}/sdks
[ $# -gt 0 ] || set -- python go typescript
mkdir -p "$cache"
say() { printf '[sdks] %s\n' "$*"; }

program_of() {
  case $1 in
    python) program=("$root/.venv/bin/python" "$root/tests/sdks/tour.py") ;;
    go)
      command -v go >/dev/null || { say "Go is missing"; exit 1; }
      say "building the Go tour"
      (cd "$root/tests/sdks/go" && go build -o "$cache/go-tour" .)
      program=("$cache/go-tour") ;;
    typescript)
      command -v npm >/dev/null || { say "Node and npm are missing"; exit 1; }
      local key
      key=$cache/typescript-$(sha256sum "$root/tests/sdks/typescript/package-lock.json" | cut -c1-12)
      mkdir -p "$key" && cp "$root"/tests/sdks/typescript/*.{json,ts} "$key"
      if [ ! -e "$key/installed" ]; then
        say "installing the TypeScript SDK"  # not npm ci: it insists on the packages of every platform
        (cd "$key" && npm install --no-save --no-audit --no-fund --loglevel error) && : > "$key/installed"
      fi
      program=("$key/node_modules/.bin/tsx" "$key/tour.ts") ;;
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
