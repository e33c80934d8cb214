#!/usr/bin/env bash
# Shows every fault of the frame-aware proxy to grpc++, the production core, grpc-go and grpc-js, compares what each sees with
# what the table says, and writes docs/faults-seen.md.
# Usage: prove-faults-seen.sh FAULTS_SEEN_TEST
set -euo pipefail
. "$(dirname "$0")/common.sh"
program=$(readlink -f "$1")
cache=$caches/faults-seen
need go
mkdir -p "$cache"

say "building the Go client"
(cd "$root/tests/faults_seen/go" && go build -o "$cache/go-client" .)
typescript_modules
ln -sfn "$modules" "$cache/node_modules"
cp "$root/tests/faults_seen/js/client.js" "$cache"

SQUALL_SOURCE_DIR=$root SQUALL_SEEN_GO="$cache/go-client" SQUALL_SEEN_JS="node $cache/client.js" \
  SQUALL_SEEN_TABLE="$root/docs/faults-seen.md" "$program"
say "$(tail -n 1 "$root/docs/faults-seen.md") See docs/faults-seen.md"
