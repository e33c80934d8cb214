#!/usr/bin/env bash
# Runs all labelled cases of squall doctor and puts the figures into docs/doctor.md.
#   tools/prove-doctor.sh build/dev/tests/doctor_cases_test      DRAWN (150) cases more from SEED (the day's number)
set -euo pipefail
cd "$(dirname "$0")/.."
matrix=$(mktemp)
trap 'rm -f "$matrix"' EXIT
SQUALL_DOCTOR_DRAWN=${DRAWN:-150} SQUALL_DOCTOR_SEED=${SEED:-$(date +%Y%m%d)} SQUALL_DOCTOR_MATRIX="$matrix" "$1"
python3 - "$matrix" docs/doctor.md <<'PYTHON'
import pathlib, sys
matrix, document = (pathlib.Path(name) for name in sys.argv[1:])
begin, end = "<!-- make prove-doctor -->\n", "<!-- end of prove-doctor -->"
before, _, rest = document.read_text(encoding="utf-8").partition(begin)
after = rest.partition(end)[2]
document.write_text(before + begin + matrix.read_text(encoding="utf-8") + end + after, encoding="utf-8")
PYTHON
