#!/usr/bin/env python3
"""Planted bugs: prove-planted.py SQUALL-SIM-PLANTED [BUG...]. Each is switched on by itself, and the swarm looks for it in up to
SEEDS (2000) seeds; what it finds is made small. At least 23 of each 25 must be found, shrunk to at most the known smallest scenario
and one thing more, in a median of 30 s at most."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time


def main():
    program = os.path.abspath(sys.argv[1])
    seeds, jobs = os.environ.get("SEEDS", "2000"), os.environ.get("JOBS", "2")
    table = subprocess.run([program, "list"], capture_output=True, text=True, check=True).stdout
    bugs = [line.split("\t") for line in table.splitlines()]
    if len(sys.argv) > 2:
        bugs = [row for row in bugs if row[0] in sys.argv[2:]]
    rows, found, small, times = [], 0, 0, []
    for name, where, smallest, what in bugs:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.monotonic()
            result = subprocess.run([program, name, "--seeds", f"1..{seeds}", "--jobs", jobs, "--stop-at-first", "--twice", "0", "--out", "",
                                     "--shrink", folder], capture_output=True, text=True)
            took = time.monotonic() - begun
            seed = re.search(r"^seed (\d+): \w+ ?(?:\[([^]]*)\])?", result.stdout, re.M)
            shrunk = re.search(r"-> (\d+), (\d+), (\d+) in (\d+) runs", result.stdout)
            if result.returncode not in (0, 1):
                sys.exit(f"{name}: {result.stdout}{result.stderr}")
            if seed is None or shrunk is None:
                rows.append((name, where, what, "not found", "", "", "", f"{took:.1f}"))
            else:
                size = sum(int(n) for n in shrunk.groups()[:3])
                found += 1
                small += size <= int(smallest) + 1
                times.append(took)
                rows.append((name, where, what, seed.group(1), seed.group(2) or "did not end", smallest, str(size), f"{took:.1f}"))
            print("| " + " | ".join(rows[-1]) + " |", flush=True)
    if not times:
        sys.exit("none was found")
    median = statistics.median(times)
    print(f"{found} of {len(bugs)} found, {small} of them shrunk far enough, in a median of {median:.1f} s")
    enough = found * 25 >= 23 * len(bugs) and small == found and median <= 30
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
