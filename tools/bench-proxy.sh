#!/usr/bin/env bash
# Starts squall's proxy and Toxiproxy's server (built from its Go module) and compares them with each other and with no proxy.
# Usage: bench-proxy.sh FOLDER_OF_PROGRAMS [options of squall-bench-proxy...]
set -euo pipefail
. "$(dirname "$0")/common.sh"
programs=$(readlink -f "$1"); shift
start_squall_proxy "$programs/squall-proxy"
ours=$port:$pid
start_toxiproxy disabled /dev/null  # its log would be part of what is measured
"$programs/squall-bench-proxy" --squall "$ours" --toxiproxy "$port:$pid" "$@"
