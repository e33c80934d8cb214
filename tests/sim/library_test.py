#!/usr/bin/env python3
"""The library in virtual time: every subject that can be simulated ends as its scenario expects, with the same steps and checks as
in the other worlds; the others say why they are skipped. And what the swarm finds shrinks to a scenario that fails again."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.join(os.environ["SQUALL_BIN_DIR"], "squall-sim")
LIBRARY = os.path.join(os.environ["SQUALL_SOURCE_DIR"], "scenarios", "library")


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=300)


class Library(unittest.TestCase):
    def test_subjects_end_as_expected(self):
        result = run("--library", LIBRARY, "--jobs", "2")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        for line in result.stdout.splitlines()[:-1]:
            self.assertRegex(line, r"^\S+ +(pass|caught|skipped +\S)", line)

    def test_what_is_found_shrinks_and_fails_again(self):
        with tempfile.TemporaryDirectory() as folder:
            found = run("--seeds", "1..4", "--hazards", "--jobs", "2", "--shrink", folder)
            self.assertEqual(found.returncode, 1, found.stdout + found.stderr)
            scenarios = sorted(os.listdir(folder))
            self.assertTrue(scenarios, found.stdout)
            self.assertIn("repeat: squall-sim --seed", found.stdout)
            self.assertRegex(found.stdout, r"-> [01] faults?|-> [01], ")
            path = os.path.join(folder, scenarios[0])
            seed = re.search(r"\d+", scenarios[0]).group()
            self.assertEqual(run("--scenario", path, "--seed", seed).returncode, 1)


if __name__ == "__main__":
    sys.exit(unittest.main())
