#!/usr/bin/env bash
# Reproduces the measured facts of tests/measured/rows with subjects in Python, Go and TypeScript against the real dev server,
# and writes docs/measured.md: expected against seen. What the Go and Node toolchains fetch and build stays in the user's cache
# folder.
# Usage: prove-measured.sh SQUALL [PATTERN...]      patterns choose scenarios, as of `squall run`; then docs/ stays as it is
set -euo pipefail
squall=$(readlink -f "$1"); shift
root=$(cd "$(dirname "$0")/.." && pwd)
source=$root/tests/measured
caches=${SQUALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/squall}
cache=$caches/measured
say() { printf '[measured] %s\n' "$*"; }
for tool in go npm node; do
  command -v $tool >/dev/null || { say "$tool is missing: install Go and Node"; exit 1; }
done
mkdir -p "$cache/ts"

say "building the subjects"
(cd "$source/go" && go build -o "$cache/measured-go" .)
"$root/tools/setup-typescript.sh"
modules=$caches/subjects/typescript/node_modules  # the same packages, at the same versions
ln -sfn "$modules" "$cache/ts/node_modules"
cp "$source"/typescript/*.ts "$cache/ts"
(cd "$cache/ts" && node_modules/.bin/esbuild ./*.ts --format=cjs --platform=node --outdir=. --supported:dynamic-import=false --log-level=error &&
  node -e 'require("@temporalio/worker").bundleWorkflowCode({workflowsPath: require.resolve("./workflows.js"),
    logger: new (require("@temporalio/worker").DefaultLogger)("ERROR")})
    .then(({code}) => require("fs").writeFileSync("workflow-bundle.js", code))')
printf '#!/bin/sh\nexec node "%s" "$@"\n' "$cache/ts/subject.js" > "$cache/measured-ts"
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$root/.venv/bin/python" "$source/python/subject.py" > "$cache/measured-py"
chmod +x "$cache"/measured-{ts,py}

PATH=$cache:$PATH SQUALL_SOURCE_DIR=$root "$root/.venv/bin/python" "$source/measured.py" --squall "$squall" "$@"
