#!/usr/bin/env bash
# Runs all labelled cases of squall doctor, those that a real server can play on the dev server too, and puts the figures into
# docs/doctor.md.
#   tools/prove-doctor.sh build/dev/tests/doctor_cases_test      DRAWN (150) cases more from SEED (the day's number)
set -euo pipefail
cd "$(dirname "$0")/.."
matrix=$(mktemp)
server=
finish() {
  rm -f "$matrix"
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
}
trap finish EXIT
temporal=.venv/bin/temporal
if [ -x "$temporal" ]; then
  read -r port web < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))')
  "$temporal" server start-dev --ip 127.0.0.1 --port "$port" --ui-port "$web" --log-level never \
    --search-attribute CustomerId=Keyword --search-attribute Amount=Double > /dev/null 2>&1 &
  server=$!
  python3 - "$port" "$web" "$server" <<'PYTHON'
import os, socket, sys, time
deadline = time.monotonic() + 60
for port in map(int, sys.argv[1:3]):
    while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
        os.kill(int(sys.argv[3]), 0)
        assert time.monotonic() < deadline, "the dev server does not get ready"
PYTHON
  export SQUALL_DOCTOR_REAL="$port:$web"
else
  echo "without the dev server: there is no $temporal"
fi
SQUALL_DOCTOR_DRAWN=${DRAWN:-150} SQUALL_DOCTOR_SEED=${SEED:-$(date +%Y%m%d)} SQUALL_DOCTOR_MATRIX="$matrix" "$1"
python3 - "$matrix" docs/doctor.md <<'PYTHON'
import pathlib, sys
matrix, document = (pathlib.Path(name) for name in sys.argv[1:])
begin, end = "<!-- make prove-doctor -->\n", "<!-- end of prove-doctor -->"
before, _, rest = document.read_text(encoding="utf-8").partition(begin)
after = rest.partition(end)[2]
document.write_text(before + begin + matrix.read_text(encoding="utf-8") + end + after, encoding="utf-8")
PYTHON
