#!/usr/bin/env python3
"""Every broken scenario file gives one clear error on the command line, with its place, and exit code 102.

Usage: bad_scenarios_test.py PATH-TO-SQUALL FOLDER-OF-FILES
"""
import os
import subprocess
import sys
import tempfile

SQUALL, FOLDER = sys.argv[1], sys.argv[2]
EXIT_BAD_SCENARIO = 102


def check(path):
    done = subprocess.run([SQUALL, "check", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == EXIT_BAD_SCENARIO, f"{path}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and lines[1] == "1 of 1 scenarios do not load", f"{path}: not one error:\n{done.stderr}"
    return lines[0]


with open(os.path.join(FOLDER, "expected.txt"), encoding="utf-8") as file:
    expected = {line.split(":", 1)[0]: line.rstrip("\n") for line in file if line.strip()}
names = sorted(name for name in os.listdir(FOLDER) if name.endswith(".yaml"))
assert len(names) >= 20, f"only {len(names)} files"
for name in names:
    error = check(os.path.join(FOLDER, name))
    assert error == os.path.join(FOLDER, expected[name]), f"{name}:\n  {error}\nis not\n  {expected[name]}"

with tempfile.TemporaryDirectory() as folder:
    huge = os.path.join(folder, "huge.yaml")
    with open(huge, "w", encoding="utf-8") as file:
        file.write("id: huge\n" + "# filler\n" * (10 * 1024 * 1024 // 9))
    error = check(huge)
    assert "at most 1048576 (1 MiB)" in error, error
    deep = os.path.join(folder, "deep.yaml")
    with open(deep, "w", encoding="utf-8") as file:
        file.write("id: " + "[" * 200000 + "]" * 200000 + "\n")
    error = check(deep)
    assert "nested deeper than" in error, error
    error = check(os.path.join(folder, "missing.yaml"))
    assert "no such file" in error, error

print(f"ok: {len(names) + 3} broken files, one clear error each")
