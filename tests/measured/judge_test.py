#!/usr/bin/env python3
"""The judge of measured rows: on a journal of a few events each kind of difference is found, and only a difference that the row
tells of is excused. And the rows that are there: their expressions compile, their classes and subjects exist."""

import copy
import json
import pathlib
import re
import tomllib
import unittest
import unittest.mock

import judge

HERE = pathlib.Path(__file__).resolve().parent


def event(t, kind, what, **fields):
    return {"t_ns": int(t * 1e9), "kind": kind, "what": what, **fields}


JOURNAL = [
    event(0.1, "run", "started", scenario="s", subject="x"),
    event(0.2, "process", "starting", process="py"),
    event(0.5, "log", "stdout", process="py", line=json.dumps({"measured": "connect", "seconds": 10.02, "error": "Refused: no"})),
    event(0.6, "log", "stderr", process="go", line="Refused: by another process"),
    event(1.0, "fault", "injected", target="wire"),
    event(1.5, "connection", "attempt", link="wire"),
    event(2.5, "connection", "attempt", link="wire"),
    event(3.0, "fault", "healed", target="wire"),
    event(3.5, "connection", "attempt", link="wire"),
    event(4.0, "process", "exited", process="py", exit_code=3),
    event(9.0, "run", "judging"),
    event(9.5, "process", "exited", process="go", signal=15),
]
CASE = {"section": "1", "name": "refused", "run": "s/x", "fate": "exits 3", "time": "line", "PY": ["Refused: no$", "10 s"]}


class Judge(unittest.TestCase):
    def setUp(self):
        judge.CLASSES = {"10 s": (9.5, 13), "1 s": (0.9, 1.1)}

    def verdict(self, journal=tuple(JOURNAL), **changes):
        self.row = judge.one({**copy.deepcopy(CASE), **changes}, "PY", list(journal) if journal else None)
        return self.row.verdict

    def test_as_expected(self):
        self.assertEqual(self.verdict(), "as expected")
        self.assertEqual((self.row.fate_seen, self.row.time_seen), ("exits 3", 10.02))

    def test_each_kind_of_difference(self):
        self.assertEqual(self.verdict(PY=["Denied", "10 s"]), "DIFFERS")
        self.assertIn("Refused: no", self.row.findings[0])
        self.assertEqual(self.verdict(PY=["Refused: by another", "10 s"]), "DIFFERS")  # said by another process
        self.assertEqual(self.verdict(fate="stays up"), "DIFFERS")
        self.assertEqual(self.verdict(PY=["Refused", "1 s"]), "DIFFERS")
        self.assertEqual(self.verdict(time="fault.injected -> fault.failed"), "DIFFERS")
        self.assertEqual(self.verdict(journal=None), "MISSING")

    def test_only_what_the_row_tells_is_excused(self):
        differs = {"PY": {"fate": "exits 3", "why": "because"}}
        self.assertEqual(self.verdict(fate="stays up", differs=differs), "differs, explained")
        self.assertEqual(self.row.why, "because")
        self.assertEqual(self.verdict(fate="stays up", PY=["Denied", "10 s"], differs=differs), "DIFFERS")
        self.assertEqual(self.verdict(differs=differs), "as expected")

    def test_late_on_a_busy_machine_is_told(self):
        late = {"time": "fault.injected -> process.exited", "PY": ["Refused", "1 s"]}  # 3 s
        self.assertEqual(self.verdict(**late), "DIFFERS")
        with unittest.mock.patch.dict("os.environ", SQUALL_TIMEOUT_SCALE="3"):
            self.assertEqual(self.verdict(**late), "differs, explained")
            self.assertIn("busy", self.row.why)
            self.assertEqual(self.verdict(**{**late, "PY": ["Denied", "1 s"]}), "DIFFERS")
        with unittest.mock.patch.dict("os.environ", SQUALL_TIMEOUT_SCALE="2"):
            self.assertEqual(self.verdict(**late), "DIFFERS")

    def test_what_squall_ends_itself_stays_up(self):
        self.assertEqual(judge.fate_of("go", JOURNAL), "was not started")
        began = [event(0.2, "process", "starting", process="go"), *JOURNAL]
        self.assertEqual(judge.fate_of("go", began), "stays up")

    def test_counts_and_times_between_events(self):
        see = "count connection.attempt link=wire from fault.injected until fault.healed target=wire"
        time = "fault.injected -> connection.attempt link=/w.re/ #2"
        self.assertEqual(self.verdict(see=see, time=time, PY=["^2$", ""]), "as expected")
        self.assertEqual(self.verdict(see=see, PY=["^3$", ""]), "DIFFERS")
        self.verdict(time=time, PY=["", "1 s"])
        self.assertEqual(self.row.time_seen, 1.5)

    def test_nothing_to_count_from_is_no_count_of_nothing(self):
        see = "count log.* process=py from fault.failed"
        self.assertEqual(self.verdict(see=see, PY=["^0$", ""]), "DIFFERS")


class Rows(unittest.TestCase):
    def test_rows_are_sound(self):
        classes = judge.classes(HERE / "rows")
        subjects = set()
        for path in (HERE / "scenarios").glob("*.yaml"):
            names = re.findall(r"^  - (?:\{)?name: ([\w-]+)", path.read_text(), re.M) or ["default"]
            subjects |= {f"{path.stem}/{name}" for name in names}
        count = 0
        for path in (HERE / "rows").glob("[0-9]*.toml"):
            for case in tomllib.loads(path.read_text())["case"]:
                known = {"section", "name", "run", "process", "see", "fate", "time", "differs", *judge.PROCESSES}
                self.assertLessEqual(set(case), known, case["name"])
                self.assertIn(case["run"], subjects, case["name"])
                for sdk in set(case) & set(judge.PROCESSES):
                    count += 1
                    symptom, time = case[sdk]
                    re.compile(symptom)
                    self.assertTrue(symptom or time or "fate" in case, case["name"])
                    self.assertIn(time, {"", *classes}, case["name"])
                    self.assertTrue(not time or case.get("time"), case["name"])
                for sdk, instead in case.get("differs", {}).items():
                    self.assertIn(sdk, case)
                    self.assertTrue(instead["why"])
        self.assertGreaterEqual(count, 60)


if __name__ == "__main__":
    unittest.main()
