"""The sample run's junit.xml, judged by others: valid against reports/junit.xsd (xmllint), and read back by PyPI's junitparser with
nothing lost that summary.json has. Damaged copies must be refused, or the schema would prove nothing.

usage: junit_roundtrip.py REPORTS_SAMPLE SCHEMA schema|parser
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile


def valid(document: pathlib.Path, schema: str) -> bool:
    return subprocess.run(["xmllint", "--noout", "--nonet", "--schema", schema, str(document)],
                          stderr=subprocess.PIPE, check=False).returncode == 0


# What makes a valid document invalid: (what, pattern, replacement), each applied once.
DAMAGE = [
    ("a case without a class name", r' classname="[^"]*"', ""),
    ("a case without a time", r'(<testcase [^>]*) time="[^"]*"', r"\1"),
    ("a time with a comma", r'time="(\d+)\.', r'time="\1,'),
    ("a count that is no number", r'failures="\d+"', 'failures="some"'),
    ("an unknown type of failure", r'type="fail"', 'type="oops"'),
    ("a failure without a message", r'<failure message="[^"]*"', "<failure"),
    ("a suite without properties", r"<properties>.*?</properties>", ""),
    ("a suite twice", r'name="squall\.real"', 'name="squall.fake"'),
    ("an unknown element", r"<system-out>", "<system-out></system-out><stdout></stdout><system-out>"),
    ("output before the result", r"(<failure .*?</failure>)\s*(<system-out>.*?</system-out>)", r"\2\1"),
    ("a calendar time that is none", r'timestamp="[^"]*"', 'timestamp="yesterday"'),
    ("another root", r"testsuites", "suites"),
]


def check_schema(folder: pathlib.Path, schema: str) -> None:
    document = folder / "junit.xml"
    assert valid(document, schema), "the sample is not valid"
    text = document.read_text(encoding="utf-8")
    damaged = folder / "damaged.xml"
    for what, pattern, replacement in DAMAGE:
        count = 0 if what == "another root" else 1
        broken, times = re.subn(pattern, replacement, text, count=count, flags=re.DOTALL)
        assert times > 0, f"{what}: nothing to damage"
        damaged.write_text(broken, encoding="utf-8")
        assert not valid(damaged, schema), f"{what}: accepted"
    print(f"valid; {len(DAMAGE)} damaged copies refused")


def shown(text: str) -> str:
    """As the report shows what XML cannot hold."""
    return "".join(c if c in "\n\t" or not (ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0) else f"\\x{ord(c):02x}" for c in text)


def check_parser(folder: pathlib.Path) -> None:
    from junitparser import Error, Failure, Skipped
    from junitparser.xunit2 import FlakyFailure, JUnitXml

    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    report = JUnitXml.fromfile(str(folder / "junit.xml"))
    assert report.name == "squall"
    assert report.tests == len(summary["subjects"])
    assert abs(report.time - summary["took_ns"] / 1e9) < 0.001
    suites = {suite.name: suite for suite in report}
    assert list(suites) == [f"squall.{world}" for world in summary["worlds"]], list(suites)
    seen = 0
    for world in summary["worlds"]:
        suite = suites[f"squall.{world}"]
        subjects = [s for s in summary["subjects"] if s["world"] == world]
        properties = {p.name: p.value for p in suite.properties()}
        assert properties["world"] == world
        assert int(properties["seed"]) == summary["seed"]
        assert int(properties["jobs"]) == summary["jobs"]
        assert properties["squall"] == summary["squall"]
        for subject in subjects:
            for name, version in subject["versions"].items():
                assert version in properties[f"version.{name}"]
        assert suite.hostname == "box.example"
        assert suite.timestamp == summary["began"][:19] + "Z"
        cases = list(suite)
        assert len(cases) == len(subjects) == suite.tests
        for case, subject in zip(cases, subjects):
            check_case(case, subject, Error, Failure, Skipped, FlakyFailure)
            seen += 1
        # The counts in the file are those that the parser makes of the cases.
        told = (suite.tests, suite.failures, suite.errors, suite.skipped)
        suite.update_statistics()
        assert told == (suite.tests, suite.failures, suite.errors, suite.skipped), told
    print(f"{seen} cases read back")


def check_case(case, subject, error, failure, skipped, flaky) -> None:
    label = f"{subject['scenario']}/{subject['subject']}"
    if subject["repetition"] > 1:
        label += f"#{subject['repetition']}"
    assert case.name == label, case.name
    assert case.classname == f"squall.{subject['world']}.{subject['scenario']}"
    assert abs(case.time - subject["took_ns"] / 1e9) < 0.001
    results = [r for r in case if isinstance(r, (error, failure, skipped, flaky))]
    status = subject["status"]
    if status in ("PASS", "CAUGHT"):
        assert not results, label
    else:
        assert len(results) == 1, label
        result = results[0]
        kinds = {"FAIL": (failure, "fail"), "MISSED": (failure, "missed"), "SKIP": (skipped, None), "FLAKY": (flaky, "flaky"),
                 "LEAK": (error, "leaky"),
                 "UNKNOWN": (error, "aborted" if subject["aborted"] else "timeout" if subject["timed_out"] else "unknown")}
        kind, kind_type = kinds[status]
        assert isinstance(result, kind), label
        assert result.type == kind_type, (label, result.type)
        if status == "SKIP":
            assert result.message == shown(subject["skipped"])
        elif status == "FLAKY":
            assert shown(subject["repeat_command"]) in result.stack_trace
        else:
            if status != "LEAK":
                assert result.message == shown(subject["explanation"] or subject["title"]), result.message
            needed = [subject["title"], subject["repeat_command"], str(subject["seed"]), subject["work_directory"], *subject["leaks"]]
            for check in subject["checks"]:
                if check["outcome"] != "pass" or check["check"] in subject["expected_failures"]:
                    needed += [check["check"], check["expected"], check["happened"]]
            for text in needed:
                assert shown(text) in result.text, (label, text, result.text)
    expected_output = "".join(shown(line) + "\n" for line in subject["last_lines"]) or None
    assert case.system_out == expected_output, (label, case.system_out)


def main() -> None:
    program, schema, what = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="squall-junit-") as name:
        folder = pathlib.Path(name)
        subprocess.run([program, name], check=True)
        if what == "schema":
            check_schema(folder, schema)
        else:
            check_parser(folder)


if __name__ == "__main__":
    main()
