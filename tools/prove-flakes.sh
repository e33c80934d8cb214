#!/usr/bin/env bash
# Runs every scenario in both worlds again and again, and after each round looks for what must not be there: a failed or
# flaky subject, a process, a listening port or a temporary folder that was not there before.
# Usage: [JOBS=n] prove-flakes.sh PATH-TO-SQUALL ROUNDS [squall run arguments]
set -uo pipefail
squall=$(readlink -f "$1"); rounds=$2; shift 2
root=$(mktemp -d)
mark=squall-proof-$$-$RANDOM
export SQUALL_PROOF_MARK=$mark TMPDIR="$root/tmp"
mkdir -p "$TMPDIR"

ports() { awk '$4 == "0A" {print $2}' /proc/net/tcp /proc/net/tcp6 | sort; }
marked() { grep -lza "SQUALL_PROOF_MARK=$mark" /proc/[0-9]*/environ 2>/dev/null | grep -v -e "/$$/" -e /self/ | sort; }

mine=$(marked)
before=$(ports)
bad=0
for round in $(seq 1 "$rounds"); do
  started=$SECONDS
  if "$squall" run --world all --jobs "${JOBS:-$(nproc)}" --out "$root/out-$round" "$@" > "$root/round-$round.txt" 2>&1; then
    verdict=ok
  else
    verdict="exit $?"; bad=$((bad + 1))
  fi
  left=""
  # shellcheck disable=SC2009
  extra=$(comm -13 <(printf '%s\n' "$mine") <(marked) | while read -r p; do [ -e "$p" ] && tr "\0" " " < "${p%environ}cmdline"; done 2>/dev/null)
  [ -z "$extra" ] || left="processes: $extra"
  new_ports=$(comm -13 <(printf '%s\n' "$before") <(ports))
  [ -z "$new_ports" ] || left="$left ports: $new_ports"
  temp=$(find "$TMPDIR" -mindepth 1 -maxdepth 1)
  [ -z "$temp" ] || left="$left temporary: $temp"
  [ -z "$left" ] || bad=$((bad + 1))
  printf 'round %2d of %d  %-8s %4ds  %s\n' "$round" "$rounds" "$verdict" $((SECONDS - started)) "${left:-nothing left}"
  [ "$verdict" = ok ] || tail -n 40 "$root/round-$round.txt"
done
echo "$((rounds)) rounds, $bad bad; outputs in $root"
[ "$bad" = 0 ] && rm -rf "$root"
[ "$bad" = 0 ]
