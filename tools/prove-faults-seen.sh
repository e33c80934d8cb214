#!/usr/bin/env bash
# Shows every fault of the frame-aware proxy to grpc++, the production core, grpc-go and grpc-js, compares what each sees with
# what the table says, and writes docs/faults-seen.md. What the Go and Node toolchains fetch and build stays in the user's cache
# folder.
# Usage: prove-faults-seen.sh FAULTS_SEEN_TEST
set -euo pipefail
program=$(readlink -f "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SQUALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/squall}/faults-seen
say() { printf '[faults seen] %s\n' "$*"; }
for tool in go npm node; do
  command -v $tool >/dev/null || { say "$tool is missing: install Go and Node"; exit 1; }
done

say "building the Go client"
mkdir -p "$cache"
(cd "$root/tests/faults_seen/go" && go build -o "$cache/go-client" .)

key=$cache/js-$(sha256sum "$root/tests/faults_seen/js/package-lock.json" | cut -c1-12)
mkdir -p "$key" && cp "$root"/tests/faults_seen/js/*.{json,js} "$key"
if [ ! -e "$key/installed" ]; then
  say "installing grpc-js"
  (cd "$key" && npm ci --no-audit --no-fund --loglevel error) && : > "$key/installed"
fi

SQUALL_SOURCE_DIR=$root SQUALL_SEEN_GO="$cache/go-client" SQUALL_SEEN_JS="node $key/client.js" \
  SQUALL_SEEN_TABLE="$root/docs/faults-seen.md" "$program"
say "$(tail -n 1 "$root/docs/faults-seen.md") See docs/faults-seen.md"
