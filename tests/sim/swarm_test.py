#!/usr/bin/env python3
"""The swarm: a thousand seeds are green, a share of them twice the same; bugs that are planted are found and made small; a failure
tells how to repeat it; a table says which faults met which phases of workers' lives; and any moment of a run can be looked at."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.join(os.environ["SQUALL_BIN_DIR"], "squall-sim")
PLANTED = os.path.join(os.environ["SQUALL_BUILD_DIR"], "tests", "squall-sim-planted")
# Of those that the first dozens of seeds show: bug, seeds, size of the smallest scenario and one thing more.
QUICK = (("task-timeout-forgotten", "1..40", 4), ("resolved-twice", "1..40", 3), ("polling-ends-with-cache", "1..40", 3))


def run(*command, timeout=800):
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


class Swarm(unittest.TestCase):
    def test_a_thousand_seeds(self):
        twice = 0
        for transport, seeds in (("calls", "1..500"), ("sockets", "501..1000")):
            result = run(PROGRAM, "--seeds", seeds, "--transport", transport, "--jobs", "2", "--twice", "0.03", "--out", "")
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            twice += int(re.search(r"(\d+) ran twice, 0 differed", result.stdout).group(1))
        self.assertGreater(twice, 5)

    def test_planted_bugs_are_found_and_made_small(self):
        for bug, seeds, size in QUICK:
            with self.subTest(bug), tempfile.TemporaryDirectory() as folder:
                command = [PLANTED, bug, "--seeds", seeds, "--jobs", "2", "--stop-at-first", "--twice", "0", "--out", folder]
                result = run(*command, "--shrink", folder)
                self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
                small = re.search(r"-> (\d+), (\d+), (\d+) in \d+ runs", result.stdout)
                self.assertLessEqual(sum(map(int, small.groups())), size, result.stdout)
                # The failure line: seed, commit, repeat command; the journal beside it.
                found = re.search(r"^seed (\d+): fail .*\n  commit \S+; repeat: squall-sim --seed \1 --story$", result.stdout, re.M)
                self.assertIsNotNone(found, result.stdout)
                seed = found.group(1)
                self.assertTrue(os.path.getsize(os.path.join(folder, f"seed-{seed}.jsonl")))
                with open(os.path.join(folder, f"seed_{seed}_test.cc")) as file:
                    self.assertIn("TEST(SwarmTest, Seed", file.read())
                scenario, luck = re.search(r"--scenario (\S+) --seed (\d+)$", result.stdout, re.M).groups()
                again = run(PLANTED, bug, "--scenario", scenario, "--seed", luck)
                self.assertEqual(again.returncode, 1, again.stdout + again.stderr)
                # Without the bug the same scenario passes: it is the bug that was found.
                without = run(PLANTED, "none", "--scenario", scenario, "--seed", luck)
                self.assertNotEqual(without.returncode, 2, without.stdout + without.stderr)
                self.assertNotIn(": fail", without.stdout)

    def test_table_of_hits(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "hits.md")
            result = run(PROGRAM, "--seeds", "1..40", "--jobs", "2", "--twice", "0", "--out", "", "--hits", path)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            with open(path) as file:
                table = file.read()
            self.assertTrue(table.startswith("| fault | starting | idle | working | reconnecting | stopping | down |\n"), table)
            self.assertRegex(table, r"\| link \w+ \|.* [1-9]\d* / [1-9]")

    def test_a_violated_assertion_of_core_fails_the_seed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "hits.md")
            command = [PROGRAM, "--seeds", "1..2", "--transport", "calls", "--out", "", "--twice", "0", "--hits", path]
            result = run(*command, "--plant", "core_assertion")
            self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
            line = r'^seed \d: fail \[oracle:core_assertions\]: core\'s own: planted \(Always\): {"seen":1} \('
            self.assertEqual(len(re.findall(line, result.stdout, re.M)), 2, result.stdout)
            with open(path) as file:
                self.assertIn("\n| planted | Always | 0 | 2 |\n", file.read())

    def test_a_moment_of_a_run(self):
        result = run(PROGRAM, "--seed", "3", "--until", "20.5", "--dump")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        for text in ("at 20.500000000 s of virtual time", "server temporal: up", "connection 1 from", "workflow of ", "threads:\n",
                     "waits for"):
            self.assertIn(text, result.stdout)

    def test_an_end_by_time(self):
        result = run(PROGRAM, "--seeds", "5..", "--minutes", "0.02", "--out", "")
        self.assertRegex(result.stdout, r"[1-9]\d* of [1-9]\d* seeds passed")
        bad = run(PROGRAM, "--seeds", "5..")
        self.assertEqual(bad.returncode, 2)
        self.assertIn("--minutes", bad.stdout)


if __name__ == "__main__":
    sys.exit(unittest.main())
