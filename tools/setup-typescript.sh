#!/usr/bin/env bash
# Puts the TypeScript worker (harness/subjects/typescript) and its pinned packages into the user's cache folder; scenarios with
# it are skipped, with the reason, until this has run. Not part of setup.sh: 280 MB for a few subjects.
set -euo pipefail
. "$(dirname "$0")/common.sh"
need npm node
folder=$caches/subjects/typescript modules=$folder/node_modules
mkdir -p "$folder"
cmp -s "$root/harness/subjects/typescript/package-lock.json" "$folder/installed" || rm -f "$folder/installed"
cp "$root"/harness/subjects/typescript/*.{json,ts} "$folder"
if [ ! -e "$folder/installed" ]; then
  say "installing the TypeScript SDK"  # not npm ci: it insists on the packages of every platform
  (cd "$folder" && npm install --no-save --no-audit --no-fund --loglevel error)
fi
compile_typescript "$folder"
cp "$root/harness/subjects/typescript/package-lock.json" "$folder/installed"
