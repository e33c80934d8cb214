#!/usr/bin/env python3
"""The command line from outside: exit codes, seeds, reports, settings, judging again.

Usage: cli_test.py PATH-TO-SQUALL
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
import xml.etree.ElementTree as ElementTree

SQUALL = sys.argv[1]
SCALE = float(os.environ.get("SQUALL_TIMEOUT_SCALE", "1"))
OK, USAGE, NOTHING, FAILED, BAD_SCENARIO, MISSING = 0, 2, 4, 100, 102, 103

# Quick, and needs nothing but the fake server and squall-worker.
QUICK = "A4/fixed"

# A subject that is not as its scenario says: nobody listens, and it is to stay up.
WRONG = """
id: WRONG
title: A scenario that must fail
topology:
  servers: {temporal: {}}
  links: {nobody: closed}
  workers: {w: {connect: nobody}}
steps:
  - wait: {event: process.exited, where: {process: w}}
expect:
  - stays_up: {worker: w, for: 500ms}
"""


def squall(*arguments, expect=OK, cwd=None, env=None):
    done = subprocess.run([SQUALL, *arguments], capture_output=True, text=True, timeout=120 * SCALE, cwd=cwd or FOLDER,
                          env={**os.environ, **(env or {})})
    assert done.returncode == expect, f"squall {' '.join(arguments)}: exit code {done.returncode}, not {expect}\n{done.stdout}{done.stderr}"
    assert "\033" not in done.stdout + done.stderr, "colours where there is no terminal"
    return done.stdout + done.stderr


def latest(name):
    with open(os.path.join(FOLDER, "squall-out", "latest", name), encoding="utf-8") as file:
        return file.read()


def test_help_and_usage():
    for command in ([], ["run"], ["check"], ["list"], ["judge"], ["report"], ["config"], ["proxy"]):
        text = squall(*command, "--help")
        assert "squall" in text
    assert "Exit codes" in squall("--help")
    assert "squall run E1" in squall("run", "--help")
    assert "a command is missing: one of run, " in squall(expect=USAGE)
    assert "unknown command 'rnu' (did you mean 'run'?)" in squall("rnu", expect=USAGE)
    assert "unknown command 'lst' (did you mean 'list'?)" in squall("--library", "run", "lst", expect=USAGE)
    assert "unknown option '--wrld' (did you mean '--world'?)" in squall("run", "--wrld", "real", expect=USAGE)
    assert "unknown option '--libary' (did you mean '--library'?)" in squall("--libary", "x", "run", expect=USAGE)
    assert "'rael' is none of sim, fake, real, all (did you mean 'real'?)" in squall("run", "--world", "rael", expect=USAGE)
    assert "--jobs: Value many" in squall("run", "--jobs", "many", expect=USAGE)
    squall("run", "--shard", "3/2", QUICK, expect=USAGE)
    squall("run", "--address", "127.0.0.1:1", QUICK, expect=USAGE)


def test_the_proxy_serves_until_it_is_told_to_stop():
    with subprocess.Popen([SQUALL, "proxy", "--port", "0", "--seed", "42"], stdout=subprocess.PIPE, text=True, cwd=FOLDER) as proxy:
        ready = json.loads(proxy.stdout.readline())
        assert ready["squall_event"] == "ready" and ready["seed"] == 42, ready
        with urllib.request.urlopen(f"http://127.0.0.1:{ready['port']}/version", timeout=60 * SCALE) as reply:
            assert json.load(reply) == {"version": "2.12.0"}
        proxy.terminate()
        assert proxy.wait(60 * SCALE) == OK
    bad = os.path.join(FOLDER, "bad.json")
    with open(bad, "w", encoding="utf-8") as file:
        file.write('[{"name": "p"}]')
    assert "missing required field: upstream at proxy 1" in squall("proxy", "--port", "0", "--config", bad, expect=USAGE)
    assert "it cannot be read" in squall("proxy", "--config", "nowhere.json", expect=USAGE)


def test_selection():
    assert "did you mean 'E1" in squall("run", "E1O", expect=NOTHING)
    squall("run", "--tag", "no-such-tag", expect=NOTHING)
    text = squall("list", "E1", "--tag", "incident")
    assert "must fail: not_zombie" in text
    assert "stays_up" in squall("list", "--checks")
    faults = squall("list", "--faults")
    assert "link/black_hole (healed)" in faults and "server/rpc_error (healed; needs the fake server)" in faults, faults
    assert "inject: {fault: stall, on: wire}" in squall("list", "--example", "link/stall")
    assert "did you mean 'link/stall'" in squall("list", "--example", "link/stal", expect=NOTHING)


def test_a_run_writes_reports_and_repeats_by_its_seed():
    text = squall("run", QUICK, "--keep")
    seed = re.search(r"seed (\d+)", text)[1]
    summary = json.loads(latest("summary.json"))
    assert str(summary["seed"]) == seed, summary["seed"]
    suites = ElementTree.fromstring(latest("junit.xml"))
    assert suites.tag == "testsuites" and len(list(suites.iter("testcase"))) == 1
    work = os.path.join(FOLDER, "squall-out", "latest", "A4.fixed.fake")
    with open(os.path.join(work, "journal.jsonl"), encoding="utf-8") as file:
        first = next(json.loads(line) for line in file if '"kind":"run"' in line)
    squall("run", QUICK, "--keep", "--seed", seed)
    with open(os.path.join(work, "journal.jsonl"), encoding="utf-8") as file:
        second = next(json.loads(line) for line in file if '"kind":"run"' in line)
    assert first["seed"] == second["seed"]
    assert "A4/fixed@fake: pass" in squall("judge", work)


def test_a_scale_of_limits_is_told_and_kept():
    text = squall("run", QUICK, "--keep", env={"SQUALL_TIMEOUT_SCALE": "4"})
    assert "timeout_scale 4" in text, text
    assert json.loads(latest("summary.json"))["versions"]["timeout_scale"] == "4"
    assert 'name="version.timeout_scale" value="4"' in latest("junit.xml")
    # Three seconds, four times; judged again without the setting it is still twelve.
    again = squall("judge", os.path.join(FOLDER, "squall-out", "latest", "A4.fixed.fake"), env={"SQUALL_TIMEOUT_SCALE": "1"})
    assert "within 12.00s" in again and "pass" in again, again


def test_a_failure_is_kept_judged_again_and_named_with_its_command():
    path = os.path.join(FOLDER, "wrong.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(WRONG)
    text = squall("run", "./wrong.yaml", expect=FAILED)
    command = re.search(r"squall (run \S*wrong.yaml WRONG/default --world fake --seed \d+)", text)
    assert command, text
    squall(*command[1].split(), expect=FAILED)
    work = os.path.join(FOLDER, "squall-out", "latest", "WRONG.default.fake")
    assert os.path.exists(os.path.join(work, "journal.jsonl"))
    assert "WRONG/default@fake: fail" in squall("judge", work, expect=FAILED)
    assert ElementTree.fromstring(latest("junit.xml")).find(".//failure") is not None


def timeline_data(path):
    """The run and the timelines that a page holds."""
    with open(path, encoding="utf-8") as file:
        elements = re.findall(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', file.read(), re.S)
    return {name: json.loads(text) for name, text in elements}


def test_every_run_writes_a_timeline_and_report_draws_it_again():
    secret = "tmprl-1234567890-abcdef"
    squall("run", "A4/broken", QUICK)
    run = os.path.join(FOLDER, "squall-out", "latest")
    data = timeline_data(os.path.join(run, "timeline.html"))
    subjects = data["run"]["subjects"]
    # Green subjects have theirs too, though their folders are gone.
    assert [s["subject"] for s in subjects] == ["broken", "fixed"] and all(s["timeline"] for s in subjects), subjects
    assert not os.path.exists(os.path.join(run, "A4.fixed.fake"))
    broken = data["timeline-0"]
    failed = [v for v in broken["violations"] if v["outcome"] == "fail"]
    assert failed and all(v["placed"] for v in failed), broken["violations"]
    assert all(0 < v["at"] <= broken["judging"] for v in failed), failed
    groups = {lane[0] for lane in broken["lanes"]}
    assert {"checks", "steps", "processes", "logs"} <= groups, groups
    for lane, row, begin, end, look, tone, is_open, label, line, facts in broken["items"]:
        assert 0 <= begin <= end <= broken["end"] and row < broken["lanes"][lane][3] and line > 0

    squall("run", QUICK, "--keep")
    work = os.path.join(FOLDER, "squall-out", "latest", "A4.fixed.fake")
    assert "1 subject" in squall("report", work, "--out", "one.html")
    one = timeline_data(os.path.join(FOLDER, "one.html"))
    assert one["run"]["subjects"][0]["repeat"].startswith("squall run A4/fixed"), one["run"]["subjects"][0]
    assert one["timeline-0"] == timeline_data(os.path.join(FOLDER, "squall-out", "latest", "timeline.html"))["timeline-0"]
    squall("report", os.path.join(FOLDER, "squall-out", "latest"))
    assert timeline_data(os.path.join(FOLDER, "timeline.html"))["timeline-0"] == one["timeline-0"]
    # A journal alone, and one that prints a secret of the environment.
    with open(os.path.join(work, "journal.jsonl"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    last = json.loads(lines[-1])
    lines.append(json.dumps({**{key: last[key] for key in ("v", "t_ns", "wall", "wall_ns")}, "seq": last["seq"] + 1, "source": "w",
                             "kind": "log", "what": "stdout", "process": "w", "line": f"my key is {secret[:8]}..."}))
    with open(os.path.join(FOLDER, "alone.jsonl"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    squall("report", "alone.jsonl", "--out", "alone.html", env={"SQUALL_TEST_API_KEY": secret})
    with open(os.path.join(FOLDER, "alone.html"), encoding="utf-8") as file:
        page = file.read()
    assert "my key is [hidden]..." in page and secret[:8] not in page
    assert "no such file" in squall("report", "nowhere.jsonl", expect=BAD_SCENARIO)


def test_shards_make_up_the_whole():
    seen = []
    for shard in ("1/2", "2/2"):
        squall("run", "A4/broken", QUICK, "--shard", shard)
        seen += [subject["subject"] for subject in json.loads(latest("summary.json"))["subjects"]]
    assert sorted(seen) == ["broken", "fixed"], seen


def test_settings():
    text = squall("config", "--default")
    assert all(line.startswith(("#", "[")) or not line.strip() for line in text.splitlines())
    # Every setting that it names is one.
    with open(os.path.join(FOLDER, "all.toml"), "w", encoding="utf-8") as file:
        for line in text.splitlines():
            setting = re.match(r"#([a-z-]+ = .*)", line)
            if setting and not setting[1].startswith(("address", "tls", "api-key", "library")):
                line = setting[1]
            file.write(line + "\n")
    squall("--config", "all.toml", "run", QUICK)
    with open(os.path.join(FOLDER, "bad.toml"), "w", encoding="utf-8") as file:
        file.write("[run]\nworld = \"mars\"\n")
    squall("--config", "bad.toml", "run", QUICK, expect=USAGE)


def test_missing_requirements_are_skipped_or_refused():
    path = os.path.join(FOLDER, "real.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(WRONG.replace("WRONG", "REAL"))
    nowhere = {"SQUALL_TEMPORAL_CLI": "/nowhere/temporal"}
    squall("run", "./real.yaml", "--world", "real", env=nowhere, expect=NOTHING)
    squall("run", "./real.yaml", "--world", "real", "--strict", env=nowhere, expect=MISSING)


def test_judge_and_check_say_what_is_missing():
    assert "no such folder" in squall("judge", "nowhere", expect=BAD_SCENARIO)
    assert "scenarios with" in squall("check")
    json.loads(squall("check", "--schema"))


with tempfile.TemporaryDirectory() as FOLDER:
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(f"ok: {name}", flush=True)
