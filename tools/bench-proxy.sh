#!/usr/bin/env bash
# Starts squall's proxy and Toxiproxy's server (built from its Go module) and compares them with each other and with no proxy.
# Usage: bench-proxy.sh FOLDER_OF_PROGRAMS [options of squall-bench-proxy...]
set -euo pipefail
programs=$(readlink -f "$1"); shift
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SQUALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/squall}/toxiproxy
go_version=v2.12.0
original=$cache/toxiproxy-server-$go_version
mkdir -p "$cache"
say() { printf '[bench] %s\n' "$*" >&2; }
if [ ! -x "$original" ]; then
  command -v go >/dev/null || { say "Go is missing"; exit 1; }
  say "building Toxiproxy's server $go_version"
  module=$(cd "$cache" && go mod download -json "github.com/Shopify/toxiproxy/v2@$go_version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  (cd "$module" && go build -o "$original" ./cmd/server)
fi
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done' EXIT
exec {out}< <(exec "$programs/squall-proxy" --port 0 --seed 1)
ours_pid=$!
pids+=("$ours_pid")
IFS= read -r -u "$out" line
ours=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' <<< "$line")
# It cannot take port 0; the kernel knows one that is free.
theirs=$("$root/.venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# Its log is off: it would be part of what is measured.
LOG_LEVEL=disabled "$original" -host 127.0.0.1 -port "$theirs" > /dev/null 2>&1 &
theirs_pid=$!
pids+=("$theirs_pid")
curl --silent --retry 50 --retry-connrefused --retry-max-time 20 "http://127.0.0.1:$theirs/version" > /dev/null
"$programs/squall-bench-proxy" --squall "$ours:$ours_pid" --toxiproxy "$theirs:$theirs_pid" "$@"
