#!/usr/bin/env python3
"""What reaches the machine past every function that the simulator replaces ends the run by name: system calls by an instruction of
somebody's own, libc's own waiting and clocks, and the cycle counter."""

import os
import re
import subprocess
import sys
import unittest

PROGRAM = os.path.join(os.environ["SQUALL_BIN_DIR"], "squall-sim")

OWN = r" by squall-sim \(.*squall::sim::"
NAMED = {
    "raw_clock_gettime": "system call clock_gettime" + OWN,
    "raw_nanosleep": "system call nanosleep" + OWN,
    "raw_getrandom": "system call getrandom" + OWN,
    "raw_poll": "system call poll" + OWN,
    "raw_epoll_wait": "system call epoll_wait" + OWN,
    "raw_socket": "system call socket" + OWN,
    "raw_connect": "system call connect" + OWN,
    "raw_read": "system call read" + OWN,
    "raw_futex": "system call futex" + OWN,
    "raw_getpid": "system call getpid" + OWN,
    "libc_sleep": r"system call clock_nanosleep by libc\.so\.6\+0x",
    "libc_timed_wait": r"system call futex by libc\.so\.6\+0x",
    # The kernel's page of code reads the cycle counter where the machine's clock is made of it.
    "libc_clock": r"(cycle counter read by linux-vdso\.so\.1|system call clock_gettime by (linux-vdso|libc)\.so)",
    "cycle_counter": "cycle counter read" + OWN,
    "cycle_counter_and_processor": "cycle counter read" + OWN,
}


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120)


class Escapes(unittest.TestCase):
    def test_every_planted_one_is_named(self):
        self.assertEqual(set(NAMED), set(re.findall(r"(?:raw|libc|cycle)_\w+", run("--help").stdout)))
        for name, words in NAMED.items():
            with self.subTest(name):
                result = run("--seed", "1", "--transport", "calls", "--plant", name)
                self.assertEqual(result.returncode, 71, result.stdout + result.stderr)
                self.assertRegex(result.stderr, r"^squall-sim: escape: " + words + r".* \(process world, thread 0\)\n$")

    def test_a_forked_run_tells_its_parent(self):
        result = run("--seeds", "1..2", "--transport", "calls", "--plant", "raw_getrandom", "--out", "")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertEqual(len(re.findall(r"^seed \d: escape: escape: system call getrandom", result.stdout, re.M)), 2, result.stdout)

    def test_other_faults_are_as_ever(self):
        result = run("--seed", "1", "--transport", "calls", "--plant", "segmentation_fault")
        self.assertEqual(result.returncode, -11, result.stdout + result.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main())
