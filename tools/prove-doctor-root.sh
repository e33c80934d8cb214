#!/usr/bin/env bash
# squall-doctor in a clean minimal root made by debootstrap: which libraries it needs, that it runs there, how long it takes to start.
#   tools/prove-doctor-root.sh build/dev/bin        as root; the root stays in the user's cache folder
set -euo pipefail
. "$(dirname "$0")/common.sh"
bin=$(realpath "$1")
minimal=$caches/minimal-root
if [ ! -x "$minimal/bin/sh" ]; then
  rm -rf "$minimal"
  debootstrap --variant=minbase bookworm "$minimal" > /dev/null
fi
install -m 755 "$bin/squall-doctor" "$minimal/usr/local/bin/squall-doctor"
echo "libraries: $(ldd "$bin/squall-doctor" | awk '{print $1}' | grep -v '^linux-vdso' | xargs -n1 basename | sort | paste -sd' ')"
echo "size: $(stat -c %s "$bin/squall-doctor") bytes"
ready=$(mktemp)
"$bin/squall-server" --port 0 > "$ready" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -f "$ready"' EXIT
python3 - "$ready" "$minimal" <<'PYTHON'
import json, shutil, statistics, subprocess, sys, time

def ready():
    with open(sys.argv[1], encoding="utf-8") as file:
        return file.readline()

deadline = time.monotonic() + 10
while not ready().endswith("\n"):
    assert time.monotonic() < deadline, "squall-server does not get ready"
address = json.loads(ready())["address"]
CHROOT = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")
clean = {"PATH": "/usr/local/bin:/usr/bin:/bin"}

def run(*arguments):
    began = time.monotonic()
    done = subprocess.run([CHROOT, sys.argv[2], "squall-doctor", *arguments], capture_output=True, text=True, env=clean)
    return time.monotonic() - began, done

took, done = run("--address", address)
assert done.returncode == 0, done.stdout + done.stderr
print(done.stdout)
starts = sorted(run("explain", "BrokenPipe")[0] * 1000 for _ in range(50))
bare = sorted((lambda b: (subprocess.run([CHROOT, sys.argv[2], "true"], env=clean), time.monotonic() - b)[1] * 1000)(time.monotonic()) for _ in range(50))
print(f"exec to end of `squall-doctor explain BrokenPipe` in the root: median {statistics.median(starts):.1f} ms, worst {starts[-1]:.1f} ms; "
      f"of `true` there: {statistics.median(bare):.1f} ms")
PYTHON
