#!/usr/bin/env bash
# Puts the TypeScript worker (harness/subjects/typescript) and its pinned packages into the user's cache folder; scenarios with
# it are skipped, with the reason, until this has run. Not part of setup.sh: 280 MB for a few subjects.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${SQUALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/squall}/subjects/typescript
command -v npm >/dev/null || { echo "[setup] error: Node 20 or newer and npm are missing" >&2; exit 1; }
mkdir -p "$folder"
cmp -s "$root/harness/subjects/typescript/package-lock.json" "$folder/installed" || rm -f "$folder/installed"
cp "$root"/harness/subjects/typescript/*.{json,ts} "$folder"
if [ ! -e "$folder/installed" ]; then
  echo "[setup] installing the TypeScript SDK"  # not npm ci: it insists on the packages of every platform
  (cd "$folder" && npm install --no-save --no-audit --no-fund --loglevel error)
fi
# Compiled and bundled here, so that a subject starts at once and leaves no cache behind.
(cd "$folder" && node_modules/.bin/esbuild ./*.ts --format=cjs --platform=node --outdir=. --log-level=error &&
  node -e 'require("@temporalio/worker").bundleWorkflowCode({workflowsPath: require.resolve("./workflows.js"),
    logger: new (require("@temporalio/worker").DefaultLogger)("ERROR")})
    .then(({code}) => require("fs").writeFileSync("workflow-bundle.js", code))')
cp "$root/harness/subjects/typescript/package-lock.json" "$folder/installed"
