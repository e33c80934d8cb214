#!/usr/bin/env bash
# Proves that squall's proxy has Toxiproxy's API: the API tests of the original's Go module with its client package, the same
# requests to both servers side by side, and the Python and Node clients from the registries.
# Usage: prove-toxiproxy.sh SQUALL_PROXY [go|side-by-side|python|node...]
set -euo pipefail
. "$(dirname "$0")/common.sh"
program=$(readlink -f "$1"); shift
cache=$caches/toxiproxy
python_version=0.1.1 node_version=4.1.0
[ $# -gt 0 ] || set -- go side-by-side python node
mkdir -p "$cache"
bad=0

report() { # NAME STATUS OUTPUT
  if [ "$2" = 0 ]; then say "$1: $(tail -n 1 <<< "$3")"; else say "$1: failed"; printf '%s\n' "$3"; bad=1; fi
}

for part in "$@"; do
  status=0
  case $part in
    go) output=$("$root/.venv/bin/python" "$root/tests/toxiproxy/go_api_tests.py" "$program" "$(toxiproxy_module)" 2>&1) || status=$? ;;
    side-by-side)
      start_toxiproxy info "$cache/original.log"
      theirs=$port
      start_squall_proxy "$program"
      output=$("$root/.venv/bin/python" "$root/tests/toxiproxy/side_by_side.py" "$port" "$theirs" 2>&1) || status=$? ;;
    python)
      venv=$cache/python-$python_version
      [ -e "$venv/installed" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "toxiproxy-python==$python_version" requests future && : > "$venv/installed"; }
      start_squall_proxy "$program"
      output=$("$venv/bin/python" "$root/tests/toxiproxy/python_client.py" "$port" 2>&1) || status=$? ;;
    node)
      need npm node
      node_modules=$cache/node-$node_version
      [ -e "$node_modules/installed" ] || { mkdir -p "$node_modules" && npm install --prefix "$node_modules" --no-audit --no-fund --loglevel error "toxiproxy-node-client@$node_version" && : > "$node_modules/installed"; }
      start_squall_proxy "$program"
      output=$(NODE_PATH="$node_modules/node_modules" node "$root/tests/toxiproxy/node_client.js" "$port" 2>&1) || status=$? ;;
    *) say "no such part: $part (go, side-by-side, python, node)"; exit 2 ;;
  esac
  report "$part" "$status" "$output"
done
exit $bad
