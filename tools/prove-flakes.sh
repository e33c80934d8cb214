#!/usr/bin/env bash
# Runs every scenario in both worlds again and again, and after each round looks for what it has left: a failed or flaky
# subject, a process, a listening port or a temporary folder. Other programs, another run of this among them, may come and
# go meanwhile: only what the round started counts.
# Usage: [JOBS=n] prove-flakes.sh PATH-TO-SQUALL ROUNDS [squall run arguments]
set -uo pipefail
squall=$(readlink -f "$1"); rounds=$2; shift 2
root=$(mktemp -d)
mkdir -p "$root/tmp"

# Ids of the processes that a round started. All have a TMPDIR below our folder, even those that squall starts with an
# environment of their own; nothing of this script has.
processes() { grep -lzaF "TMPDIR=$root/" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3; }

described() {
  local pid
  for pid in "$@"; do printf '%s(%s) ' "$(tr '\0' ' ' < "/proc/$pid/cmdline")" "$pid"; done 2>/dev/null
}

# Ports that these processes listen on, through the inodes of their sockets.
ports() {
  local pid address
  for pid in "$@"; do readlink "/proc/$pid/fd/"* 2>/dev/null; done | sed -n 's/^socket:\[\(.*\)\]$/\1/p' |
    awk 'FILENAME == "-" {mine[$1]; next} $4 == "0A" && $10 in mine {print $2}' - /proc/net/tcp /proc/net/tcp6 |
    while read -r address; do printf '%d ' "0x${address##*:}"; done
}

bad=0
for round in $(seq 1 "$rounds"); do
  started=$SECONDS
  if TMPDIR="$root/tmp" "$squall" run --world fake,real ${JOBS:+--jobs "$JOBS"} --out "$root/out-$round" "$@" \
    > "$root/round-$round.txt" 2>&1; then
    verdict=ok
  else
    verdict="exit $?"; bad=$((bad + 1))
  fi
  left=""
  mapfile -t extra < <(processes)
  if [ "${#extra[@]}" -gt 0 ]; then
    text=$(described "${extra[@]}")
    [ -z "$text" ] || left="processes: $text"
    text=$(ports "${extra[@]}")
    [ -z "$text" ] || left="$left ports: $text"
  fi
  temp=$(find "$root/tmp" -mindepth 1 -maxdepth 1)
  [ -z "$temp" ] || left="$left temporary: $temp"
  [ -z "$left" ] || bad=$((bad + 1))
  printf 'round %2d of %d  %-8s %4ds  %s\n' "$round" "$rounds" "$verdict" $((SECONDS - started)) "${left:-nothing left}"
  [ "$verdict" = ok ] || tail -n 40 "$root/round-$round.txt"
done
echo "$((rounds)) rounds, $bad bad; outputs in $root"
[ "$bad" = 0 ] && rm -rf "$root"
[ "$bad" = 0 ]
