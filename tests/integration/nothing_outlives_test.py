#!/usr/bin/env python3
"""squall is killed or interrupted in the middle of scenarios; nothing that it started may be left.

Every process of the run carries a mark in its environment, so descendants are found wherever they were re-parented to.
Usage: nothing_outlives_test.py PATH-TO-SQUALL
"""
import os
import signal
import subprocess
import sys
import tempfile
import uuid

from processes import describe, marked, wait_until

SQUALL = sys.argv[1]
SCALE = float(os.environ.get("SQUALL_TIMEOUT_SCALE", "1"))
GONE_WITHIN_S = 2.0 * SCALE  # what the issue asks for
EXIT_ABORTED = 105


def hosts(mark):
    """Those of them that are hosts under test: when one lives, a scenario is in its middle."""
    found = []
    for pid in marked(mark):
        try:
            with open(f"/proc/{pid}/comm") as f:
                if f.read().strip() == "squall-host":
                    found.append(pid)
        except OSError:
            continue
    return found


def run_and_signal(signum):
    mark = f"SQUALL_TEST_MARK={uuid.uuid4()}"
    name, value = mark.split("=")
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        process = subprocess.Popen(
            [SQUALL, "run", "--world", "fake", "--jobs", "2", "--out", out, "R1", "R2"],
            env={**os.environ, name: value}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
            # A background child of a shell inherits SIGINT ignored; squall must see it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        # Mid-scenario: two subjects run side by side, each with its host.
        busy = wait_until(lambda: len(hosts(mark)) >= 2, 30 * SCALE)
        assert busy, f"squall never got going:\n{process.stdout.read() if process.poll() is not None else describe(marked(mark))}"
        os.kill(process.pid, signum)
        if signum == signal.SIGKILL:
            process.wait()
        text, _ = process.communicate(timeout=30 * SCALE)
        gone = wait_until(lambda: not marked(mark), GONE_WITHIN_S)
        left = marked(mark)
        assert gone, f"left running {GONE_WITHIN_S} s after signal {signum}:\n{describe(left)}"
        if signum != signal.SIGKILL:
            assert process.returncode == EXIT_ABORTED, f"exit code {process.returncode}, output:\n{text}"
            reports = [f for _, _, files in os.walk(out) for f in files]
            assert "junit.xml" in reports and "summary.json" in reports, f"no partial report in {reports}:\n{text}"
    print(f"ok: nothing left after signal {signum}")


for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
    run_and_signal(number)
