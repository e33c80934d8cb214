#!/bin/sh
# tools/prove-faults.sh SQUALL WORLD [PATTERN]: runs the example of every fault of the catalogue (docs/faults.md): injected, met by
# something, healed, and a workflow completes afterwards. What cannot be had here is skipped with its reason.
set -eu

squall=$(realpath "$1")
world=$2
pattern=${3:-.}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for fault in $("$squall" list --faults | sed -n 's|^\([a-z]*/[a-z0-9_]*\) (.*|\1|p' | grep -e "$pattern"); do
  "$squall" list --example "$fault" > "$folder/$(echo "$fault" | tr / -).yaml"
done
cd "$folder"
status=0
"$squall" --library "$folder" run --world "$world" --out "$folder/out" || status=$?
if [ "$status" -ne 0 ]; then
  kept=$(mktemp -d)
  cp -r "$folder" "$kept/faults"
  echo "kept: $kept/faults" >&2
fi
exit "$status"
