#!/usr/bin/env bash
# Reproduces the measured facts of tests/measured/rows with subjects in Python, Go and TypeScript against the real dev server,
# and writes docs/measured.md: expected against seen.
# Usage: prove-measured.sh SQUALL [PATTERN...]      patterns choose scenarios, as of `squall run`; then docs/ stays as it is
set -euo pipefail
. "$(dirname "$0")/common.sh"
squall=$(readlink -f "$1"); shift
source=$root/tests/measured
cache=$caches/measured
need go
mkdir -p "$cache/ts"

say "building the subjects"
(cd "$source/go" && go build -o "$cache/measured-go" .)
typescript_modules
ln -sfn "$modules" "$cache/ts/node_modules"
cp "$source"/typescript/*.ts "$cache/ts"
compile_typescript "$cache/ts"
printf '#!/bin/sh\nexec node "%s" "$@"\n' "$cache/ts/subject.js" > "$cache/measured-ts"
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$root/.venv/bin/python" "$source/python/subject.py" > "$cache/measured-py"
chmod +x "$cache"/measured-{ts,py}

PATH=$cache:$PATH SQUALL_SOURCE_DIR=$root "$root/.venv/bin/python" "$source/measured.py" --squall "$squall" "$@"
