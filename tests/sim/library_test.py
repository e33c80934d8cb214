#!/usr/bin/env python3
"""The library in virtual time, by `squall run --world sim`: every subject that can be simulated ends as its scenario expects, with the
same steps, checks and reports as in the other worlds; the others say why they are skipped. What breaks the simulator is told. And what
the swarm finds shrinks to a scenario that fails again."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

BIN = os.environ["SQUALL_BIN_DIR"]
DATA = os.path.join(os.environ["SQUALL_SOURCE_DIR"], "tests", "data")
OK, NOTHING, UNKNOWN = 0, 4, 101
# How many subjects of the library can be simulated; it may only grow.
SIMULATED = 42
# And of how many faults the example can.
FAULTS = 70

# Everything about it is right.
CALM = """
id: CALM
title: A worker that works
topology: {servers: {temporal: {}}, workers: {w: {}}}
steps: [{wait_healthy: w}]
expect: [no_unexpected_exit]
"""


def simulator(*arguments):
    return subprocess.run([os.path.join(BIN, "squall-sim"), *arguments], capture_output=True, text=True, timeout=300)


class Run:
    """`squall run --world sim`, with what it wrote."""

    def __init__(self, *arguments, program=os.path.join(BIN, "squall"), keep=True):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "out")
            command = [program, "run", "--world", "sim", "--out", out, *(["--keep"] if keep else []), *arguments]
            self.result = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder)
            self.text = self.result.stdout + self.result.stderr
            self.files = {}
            latest = os.path.join(out, "latest")
            for base, _, names in os.walk(os.path.realpath(latest)):
                for name in names:
                    path = os.path.join(base, name)
                    with open(path, encoding="utf-8", errors="replace") as file:
                        self.files[os.path.relpath(path, os.path.realpath(latest))] = file.read()
            self.subjects = {f"{s['scenario']}/{s['subject']}": s for s in json.loads(self.files["summary.json"])["subjects"]} \
                if "summary.json" in self.files else {}
            self.judged = None
            if keep and self.subjects:
                folders = [s["work_directory"] for s in self.subjects.values() if s["work_directory"]]
                if folders:
                    self.judged = subprocess.run([os.path.join(BIN, "squall"), "judge", *folders], capture_output=True, text=True, timeout=300)


class Library(unittest.TestCase):
    def test_subjects_end_as_expected(self):
        run = Run(keep=False)
        self.assertEqual(run.result.returncode, OK, run.text)
        states = [s["status"] for s in run.subjects.values()]
        self.assertGreaterEqual(states.count("PASS") + states.count("CAUGHT"), SIMULATED, run.text)
        for name, subject in run.subjects.items():
            if subject["status"] == "SKIP":
                self.assertRegex(subject["skipped"], r"^not meant for the sim world: \w.{20}", name)

    def test_reports_are_those_of_the_other_worlds(self):
        run = Run("A4", "I6/*", "--seed", "7", "--jobs", "2")
        self.assertEqual(run.result.returncode, OK, run.text)
        states = {name: subject["status"] for name, subject in run.subjects.items()}
        self.assertEqual(states["A4/fixed"], "PASS", run.text)
        self.assertEqual(states["A4/broken"], "CAUGHT", run.text)
        self.assertIn("SKIP", [states[name] for name in states if name.startswith("I6/")])
        # JUnit: a case for each, skipped ones with their reason.
        cases = {(c.get("classname"), c.get("name")): c for c in ElementTree.fromstring(run.files["junit.xml"]).iter("testcase")}
        self.assertEqual(len(cases), len(states))
        skipped = [c.find("skipped").get("message") for c in cases.values() if c.find("skipped") is not None]
        self.assertTrue(skipped and all("not meant for the sim world: worker w" in reason for reason in skipped), skipped)
        # The timeline's page holds both.
        self.assertIn("A4/fixed", run.files["timeline.html"])
        # Journal, scenario and result lie in the work folder, and judge reads them as any others.
        for name in ("journal.jsonl", "scenario.yaml", "result.json"):
            self.assertIn(f"A4.fixed.sim/{name}", run.files)
        events = [json.loads(line) for line in run.files["A4.fixed.sim/journal.jsonl"].splitlines()]
        self.assertEqual([e["world"] for e in events if e["kind"] == "run" and e["what"] == "started"], ["sim"])
        self.assertEqual(run.judged.returncode, OK, run.judged.stdout + run.judged.stderr)
        self.assertIn("(caught, as expected)", run.judged.stdout)
        # What is said to repeat it does, event for event.
        self.assertIn("squall run A4/broken --world sim --seed 7", run.subjects["A4/broken"]["repeat_command"])
        again = Run("A4/broken", "--seed", "7")
        self.assertEqual(again.files["A4.broken.sim/journal.jsonl"], run.files["A4.broken.sim/journal.jsonl"])
        other = Run("A4/broken", "--seed", "8")
        self.assertNotEqual(other.files["A4.broken.sim/journal.jsonl"], run.files["A4.broken.sim/journal.jsonl"])

    def test_oracles_see_what_no_check_asks_for(self):
        run = Run("--library", os.path.join(DATA, "oracles"))
        self.assertEqual(run.result.returncode, OK, run.text)
        for name, subject in run.subjects.items():
            self.assertEqual(subject["status"], "CAUGHT" if name.endswith("/broken") else "PASS", name)
        self.assertEqual(len(run.subjects), 8)

    def test_faults_of_the_catalogue(self):
        # Their examples, each injected, met, healed, and work goes on; what is not simulated says so.
        done = subprocess.run([os.path.join(os.environ["SQUALL_SOURCE_DIR"], "tools", "prove-faults.sh"), os.path.join(BIN, "squall"), "sim"],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, OK, done.stdout + done.stderr)
        self.assertGreaterEqual(int(re.search(r"(\d+) passed", done.stdout).group(1)), FAULTS, done.stdout)

    def test_a_broken_simulator_is_told(self):
        # squall itself under another folder, with something else beside it.
        with tempfile.TemporaryDirectory(dir=BIN) as folder:
            squall, beside = os.path.join(folder, "squall"), os.path.join(folder, "squall-sim")
            os.link(os.path.join(BIN, "squall"), squall)
            path = os.path.join(folder, "calm.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(CALM)
            missing = Run(path, program=squall)
            self.assertEqual(missing.result.returncode, NOTHING, missing.text)
            self.assertIn(f"the simulator is not built: there is no {beside}", missing.files["junit.xml"])
            for script, told in (("kill -KILL $$", "its process killed by SIGKILL"),
                                 ("echo 'thread 3 waits' >&2; echo 'squall-sim: escape: open of /dev/urandom' >&2; exit 71",
                                  "its process exited with code 71: squall-sim: escape: open of /dev/urandom"),
                                 ("exit 0", "its process exited with code 0")):
                with open(beside, "w", encoding="utf-8") as file:
                    file.write("#!/bin/sh\n" + script + "\n")
                os.chmod(beside, 0o755)
                with self.subTest(script):
                    run = Run(path, program=squall)
                    self.assertEqual(run.result.returncode, UNKNOWN, run.text)
                    self.assertIn(told, run.subjects["CALM/default"]["explanation"])
                    self.assertEqual(run.subjects["CALM/default"]["status"], "UNKNOWN")

    def test_without_a_result_its_last_line_says_why(self):
        with tempfile.TemporaryDirectory() as folder:
            result = simulator("run-one", "--file", "nowhere.yaml", "--subject", "x", "--work", folder)
            self.assertEqual(result.returncode, 1)
            self.assertIn("nowhere.yaml", result.stderr.splitlines()[-1])

    def test_a_seeds_timeline_is_a_page(self):
        with tempfile.TemporaryDirectory() as folder:
            page = os.path.join(folder, "seed.html")
            done = simulator("--seed", "5", "--html", page)
            self.assertEqual(done.returncode, OK, done.stdout + done.stderr)
            with open(page, encoding="utf-8") as file:
                text = file.read()
            self.assertIn("squall sim --seed 5", text)
            self.assertIn("after-all", text)
            nowhere = simulator("--seed", "5", "--html", os.path.join(folder, "no", "seed.html"))
            self.assertEqual(nowhere.returncode, 1)
            self.assertRegex(nowhere.stdout, r"--html: .*seed\.html: cannot be written")
            self.assertEqual(simulator("--seeds", "1..2", "--html", page).returncode, 2)

    def test_what_is_found_shrinks_and_fails_again(self):
        with tempfile.TemporaryDirectory() as folder:
            found = simulator("--seeds", "1..4", "--hazards", "--jobs", "2", "--out", "", "--shrink", folder)
            self.assertEqual(found.returncode, 1, found.stdout + found.stderr)
            scenarios = sorted(name for name in os.listdir(folder) if name.endswith(".yaml"))
            self.assertTrue(scenarios, found.stdout)
            self.assertIn("repeat: squall-sim --seed", found.stdout)
            self.assertRegex(found.stdout, r"-> [01] faults?|-> [01], ")
            path = os.path.join(folder, scenarios[0])
            seed = re.search(rf"--scenario {re.escape(path)} --seed (\d+)$", found.stdout, re.M).group(1)
            self.assertEqual(simulator("--scenario", path, "--seed", seed).returncode, 1)


if __name__ == "__main__":
    sys.exit(unittest.main())
