#!/usr/bin/env python3
"""Compares what SDKs do under squall's faults with what was measured before, and writes the table docs/measured.md.

    measured.py --squall SQUALL [PATTERN...]

The scenarios (tests/measured/scenarios) are run by squall against the real dev server; everything that is compared is read from
their journals. The rows are data (tests/measured/rows/*.toml, judge.py); exit 1 when one differs in a way that it does not tell of.
"""

import argparse
import collections
import ctypes
import datetime
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import judge

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
AGAIN_JOBS = 3
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
LIBC = ctypes.CDLL(None)


def run_squall(flags, patterns, jobs, out):
    command = [flags.squall, "--library", str(HERE / "scenarios"), "run", *patterns, "--world", "real", "--keep",
               "--jobs", str(jobs), "--out", str(out)]
    # What it says of each subject is in the journals. SIGTERM lets it clean up, also when this process is killed.
    subprocess.run(command, check=False, preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM))


def not_green(found):
    """Subjects that did not get through their steps."""
    return {name for name, events in found.items()
            if not any(e["kind"] == "run" and e["what"] == "finished" and e.get("verdict") == "pass" for e in events)}


def journals(out):
    """Events by "scenario/subject", of several runs the last; and what was run more than once."""
    found, again = {}, set()
    for path in sorted(out.glob("*/*/journal.jsonl"), key=lambda p: p.stat().st_mtime):
        if "latest" in path.parts:
            continue
        events = [json.loads(line) for line in path.read_text().splitlines()]
        begun = next(e for e in events if e["kind"] == "run" and e["what"] == "started")
        name = f"{begun['scenario']}/{begun['subject']}"
        again |= {name} & set(found)
        found[name] = events
    return found, sorted(again)


def cell(text):
    return "`` " + text.replace("|", "\\|").replace("`", "'") + " ``" if text else ""


def table(rows, versions, again):
    verdicts = collections.Counter(row.verdict for row in rows)
    commit = subprocess.run(["git", "-C", str(ROOT), "log", "-1", "--format=%h"], capture_output=True, text=True).stdout.strip()
    lines = [
        "# What SDKs do under faults: measured before, and seen again", "",
        "Made by `make prove-measured` (`tests/measured`): small programs on the Python, Go and TypeScript SDKs, without resilience of",
        "their own, against Temporal's dev server, with faults that squall injects. *Expected* is what was measured by hand, without squall,",
        "before it had these faults: the text (a regular expression), what becomes of the process, and how long it takes as a class of time.",
        "*Seen* is this run's. Where both differ, the row says so, what is seen instead must be exactly what the row's table says, and the",
        "reason is told below. PY is the Python SDK, TS the TypeScript SDK's worker side (both core), TS-client its client side (grpc-js).",
        "", f"{datetime.date.today()}, commit {commit}; {versions}."
        + (f" SQUALL_TIMEOUT_SCALE was {judge.scale():g}." if judge.scale() != 1 else ""), "",
        f"**{len(rows)} rows: {verdicts['as expected']} as expected, {verdicts['differs, explained']} differ and are explained, "
        f"{verdicts['DIFFERS'] + verdicts['MISSING']} differ.**", "",
        f"{len({row.run for row in rows})} subjects of scenarios, most of them at once; " + (
            f"where a row differed they were run again, a few at a time, and the last run counts ({', '.join(again)})."
            if again else "none had to be run again."), "",
        "## Classes of time", "", "| class | from | to |", "|---|---|---|"]
    lines += [f"| {name} | {low:g} s | {high:g} s |" for name, (low, high) in judge.classes(HERE / "rows").items()]
    section = None
    for row in rows:
        if row.section != section:
            section = row.section
            lines += ["", f"## {section}", "", "| case | SDK | expected | seen | process: expected, seen | time: expected, seen | |",
                      "|---|---|---|---|---|---|---|"]
        fate = row.fate if row.fate_seen == row.fate else f"{row.fate}, **{row.fate_seen}**" if row.fate else ""
        time = f"{row.time}, {row.time_seen:.2f} s" if row.time and row.time_seen is not None else row.time
        mark = {"as expected": "", "differs, explained": f"differs: {row.why}"}.get(row.verdict, row.verdict)
        lines.append(f"| {row.case} | {row.sdk} | {cell(row.symptom)} | {cell(row.symptom_seen)} | {fate} | {time} | {mark} |")
    return "\n".join(lines) + "\n\n" + (HERE / "rows" / "left-out.md").read_text()


def versions(events):
    told = next(e for e in events if e["kind"] == "run" and e["what"] == "started").get("versions", {})
    server = subprocess.run([ROOT / ".venv/bin/temporal", "--version"], capture_output=True, text=True).stdout.strip()
    sdks = "Python SDK 1.35.0, Go SDK 1.50.0, TypeScript SDK 1.24.0"
    return ", ".join([*(f"{name} {version}" for name, version in sorted(told.items())), server, sdks])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--squall", required=True)
    parser.add_argument("--jobs", type=int, default=12, help="most of the time subjects wait")
    parser.add_argument("--runs", type=pathlib.Path, help="judge the journals of this folder, and run nothing")
    parser.add_argument("--out", type=pathlib.Path, help="where the table goes; default: docs/measured.md, after a whole run")
    parser.add_argument("patterns", nargs="*")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="squall-measured-") as folder:
        out = flags.runs
        if out is None:
            out = pathlib.Path(os.environ.get("SQUALL_MEASURED_OUT") or folder)
            run_squall(flags, flags.patterns, flags.jobs, out)
        found, again = journals(out)
        rows = judge.rows(HERE / "rows", found)
        differing = sorted(not_green(found) | {row.run for row in rows if row.verdict == "DIFFERS" and row.run in found})
        if differing and flags.runs is None:
            # Times that many subjects at once have spoilt; what is wrong is wrong again.
            print(f"once more, few at a time: {' '.join(differing)}")
            run_squall(flags, differing, AGAIN_JOBS, out)
            found, again = journals(out)
            rows = judge.rows(HERE / "rows", found)
    whole = not flags.patterns and not flags.runs
    if not whole:
        rows = [row for row in rows if row.run in found]
    if whole or flags.out:
        (flags.out or ROOT / "docs" / "measured.md").write_text(table(rows, versions(next(iter(found.values()))), again))
    for row in rows:
        if row.verdict in ("DIFFERS", "MISSING"):
            print(f"{row.verdict} {row.run} {row.case} {row.sdk}: {'; '.join(row.findings)}")
    verdicts = collections.Counter(row.verdict for row in rows)
    print(f"{len(rows)} rows: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())))
    failed = sorted(not_green(found))
    if failed:
        print(f"not green: {' '.join(failed)}")
    return 1 if verdicts["DIFFERS"] + verdicts["MISSING"] or failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
