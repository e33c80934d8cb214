#!/usr/bin/env bash
# Makes the folder OUT a crate like core/bridge whose core has its own assertions compiled in: the same sources, one feature more, and
# its own lock file. It is a crate of its own so that ordinary builds know nothing of the crates that the feature brings along.
#   tools/asserting-bridge.sh OUT
# After a change of core/bridge/Cargo.lock:
#   tools/asserting-bridge.sh OUT && cp core/bridge/Cargo.lock OUT && cargo metadata --manifest-path OUT/Cargo.toml >OUT/metadata \
#     && cp OUT/Cargo.lock core/bridge/assertions.lock
set -euo pipefail
bridge=$(cd "$(dirname "$0")/../core/bridge" && pwd)
out=${1:?the folder to make}
mkdir -p "$out"
for part in src include build.rs; do ln -sfn "$bridge/$part" "$out/$part"; done

# Files that would be the same keep their times.
put() { cmp -s "$2" "$out/$1" || cp "$2" "$out/$1"; }
manifest=$(mktemp)
trap 'rm -f "$manifest"' EXIT
sed -E 's/^temporalio-sdk-core = "(.*)"$/temporalio-sdk-core = { version = "\1", features = ["antithesis_assertions"] }/' \
  "$bridge/Cargo.toml" > "$manifest"
grep -q antithesis_assertions "$manifest" || { echo "core/bridge/Cargo.toml names temporalio-sdk-core in another way" >&2; exit 1; }
put Cargo.toml "$manifest"
put Cargo.lock "$bridge/assertions.lock"
