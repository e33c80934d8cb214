#!/bin/sh
# tools/track-record.sh BUILD: runs every incident in both worlds and writes what came of each subject into docs/incidents.md.
# The page is written whatever came of them; the test of the page refuses what should not have come.
set -eu

build=$(realpath "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

status=0
cd "$root"
"$build/bin/squall" run --world fake,real --out "$out" || status=$?
SQUALL_SOURCE_DIR=$root SQUALL_UPDATE_DOCS=1 SQUALL_TRACK_RECORD=$out/latest/summary.json \
  SQUALL_COMMIT=$(git rev-parse --short HEAD) \
  "$build/tests/meta_incidents_doc_test" --gtest_filter='IncidentsDoc.*' || status=$?
exit "$status"
