#!/usr/bin/env bash
# Proves that squall's proxy has Toxiproxy's API: the API tests of the original's Go module with its client package, the same
# requests to both servers side by side, and the Python and Node clients from the registries. What is fetched and built stays in
# the user's cache folder.
# Usage: prove-toxiproxy.sh SQUALL_PROXY [go|side-by-side|python|node...]
set -euo pipefail
program=$(readlink -f "$1"); shift
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SQUALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/squall}/toxiproxy
go_version=v2.12.0 python_version=0.1.1 node_version=4.1.0
[ $# -gt 0 ] || set -- go side-by-side python node
mkdir -p "$cache"
say() { printf '[toxiproxy] %s\n' "$*"; }
bad=0 pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done' EXIT

# The folder of the Go module, which stays where Go keeps its modules.
module() {
  command -v go >/dev/null || { say "Go is missing" >&2; exit 1; }
  (cd "$cache" && go mod download -json "github.com/Shopify/toxiproxy/v2@$go_version") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

# Starts squall's proxy on a free port; its port is in $port.
serve() {
  exec {out}< <(exec "$program" --port 0 --seed 1 2>&1)
  pids+=($!)
  IFS= read -r -u "$out" line
  port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' <<< "$line")
  [ -n "$port" ] || { say "squall's proxy does not start: $line"; exit 1; }
}

report() { # NAME STATUS OUTPUT
  if [ "$2" = 0 ]; then say "$1: $(tail -n 1 <<< "$3")"; else say "$1: failed"; printf '%s\n' "$3"; bad=1; fi
}

for part in "$@"; do
  status=0
  case $part in
    go) output=$("$root/.venv/bin/python" "$root/tests/toxiproxy/go_api_tests.py" "$program" "$(module)" 2>&1) || status=$? ;;
    side-by-side)
      original=$cache/toxiproxy-server-$go_version
      [ -x "$original" ] || (cd "$(module)" && go build -o "$original" ./cmd/server)
      serve
      # It cannot take port 0; the kernel knows one that is free.
      theirs=$("$root/.venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
      LOG_LEVEL=info "$original" -host 127.0.0.1 -port "$theirs" > "$cache/original.log" 2>&1 &
      pids+=($!)
      curl --silent --retry 50 --retry-connrefused --retry-delay 0 --retry-max-time 20 "http://127.0.0.1:$theirs/version" > /dev/null
      output=$("$root/.venv/bin/python" "$root/tests/toxiproxy/side_by_side.py" "$port" "$theirs" 2>&1) || status=$? ;;
    python)
      venv=$cache/python-$python_version
      [ -e "$venv/installed" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "toxiproxy-python==$python_version" requests future && : > "$venv/installed"; }
      serve
      output=$("$venv/bin/python" "$root/tests/toxiproxy/python_client.py" "$port" 2>&1) || status=$? ;;
    node)
      command -v npm >/dev/null || { say "Node and npm are missing"; exit 1; }
      modules=$cache/node-$node_version
      [ -e "$modules/installed" ] || { mkdir -p "$modules" && npm install --prefix "$modules" --no-audit --no-fund --loglevel error "toxiproxy-node-client@$node_version" && : > "$modules/installed"; }
      serve
      output=$(NODE_PATH="$modules/node_modules" node "$root/tests/toxiproxy/node_client.js" "$port" 2>&1) || status=$? ;;
    *) say "no such part: $part (go, side-by-side, python, node)"; exit 2 ;;
  esac
  report "$part" "$status" "$output"
done
exit $bad
