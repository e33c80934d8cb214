#!/usr/bin/env python3
"""squall is killed while faults are in force in the kernel: its namespaces, rules, queues and interfaces are gone with it,
and the machine's own are as before.

Usage: kernel_faults_outlive_test.py PATH-TO-SQUALL
"""
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid

from processes import describe, marked, wait_until

SQUALL = sys.argv[1]
SCALE = float(os.environ.get("SQUALL_TIMEOUT_SCALE", "1"))
SKIPPED = 77  # CTest's SKIP_RETURN_CODE
FAULTS = ("drop", "slow", "down", "lost")

SCENARIO = """
id: K9
title: Faults in the kernel that nobody heals
topology:
  servers: {temporal: {}}
  links: {plain: temporal, slow: temporal, far: temporal, named: temporal}
  workers: {a: {connect: plain}, b: {connect: far}, c: {connect: named}}
steps:
  - inject: {fault: kernel_drop, on: plain, as: drop}
  - inject: {fault: kernel_bandwidth, on: slow, rate: 16KiB/s, as: slow}
  - inject: {fault: kernel_link_down, on: far, as: down}
  - inject: {fault: dns_hang, on: named, as: lost}
  - for: 10m
expect:
  - workflow_completed: {workflow: never}
"""


def namespaces(pids="[0-9]*"):
    """All that a process is in, or holds a descriptor of; of any process also what is mounted somewhere."""
    found = set()
    for link in (path for kind in ("ns/net", "ns/mnt", "fd/*") for path in glob.glob(f"/proc/{pids}/{kind}")):
        try:
            name = os.readlink(link)
        except OSError:
            continue
        if name.startswith(("net:[", "mnt:[")):
            found.add(name)
    with open("/proc/self/mountinfo") as f:
        mounted = {line.split()[3].lstrip("/") for line in f if " - nsfs " in line}
    return found | mounted


def output(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def outside():
    """What the kernel keeps for the machine itself."""
    with open("/proc/self/mountinfo") as f:
        mounts = f.read()
    links = "\n".join(line.split(":")[1] for line in output("ip", "-o", "link").splitlines())
    return {"rules": output("nft", "list", "ruleset"), "links": links, "queues": output("tc", "qdisc", "show"),
            "mounts": mounts, "resolvers": open("/etc/resolv.conf").read()}


def injected(folder):
    text = ""
    for path in glob.glob(os.path.join(folder, "**", "journal.jsonl"), recursive=True):
        with open(path) as f:
            text += f.read()
    return all(any(f'"fault_id":"{fault}"' in line and '"what":"injected"' in line for line in text.splitlines())
               for fault in FAULTS)


def subject(mark, own):
    """The process that has made the namespaces: one of the run's whose network is not the machine's."""
    for pid in marked(mark):
        try:
            if os.readlink(f"/proc/{pid}/ns/net") != own and "wire0" in output("nsenter", "-t", str(pid), "-n", "ip", "link"):
                return pid
        except (OSError, subprocess.CalledProcessError):
            continue
    return None


def kill_in_the_middle(whom):
    mark = f"SQUALL_TEST_MARK={uuid.uuid4()}"
    name, value = mark.split("=")
    before = outside()
    known = namespaces("self")
    own = os.readlink("/proc/self/ns/net")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "K9.yaml")
        with open(path, "w") as f:
            f.write(SCENARIO)
        process = subprocess.Popen([SQUALL, "run", "--world", "fake", "--out", os.path.join(folder, "out"), path],
                                   env={**os.environ, name: value}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, start_new_session=True)
        ready = wait_until(lambda: process.poll() is not None or injected(folder), 60 * SCALE)
        assert ready and process.poll() is None, f"never injected:\n{process.communicate()[0] if process.poll() is not None else describe(marked(mark))}"
        pid = subject(mark, own)
        assert pid, f"nobody is in a network of its own:\n{describe(marked(mark))}"
        inside = output("nsenter", "-t", str(pid), "-n", "sh", "-c", "nft list ruleset; tc qdisc show dev lo")
        assert "drop" in inside and "tbf" in inside, f"the faults are not in the kernel:\n{inside}"
        made = set().union(*(namespaces(one) for one in marked(mark))) - known
        assert len(made) >= 3, f"expected two networks and the mounts, got {made}"
        os.kill(process.pid if whom == "squall" else pid, signal.SIGKILL)
        process.communicate(timeout=60 * SCALE)
        gone = wait_until(lambda: not marked(mark), 5 * SCALE)
        assert gone, f"left running:\n{describe(marked(mark))}"
        left = wait_until(lambda: not (namespaces() & made), 5 * SCALE) or namespaces() & made
        assert left is True, f"left in the kernel: {left}"
        after = outside()
        for what, text in before.items():
            assert after[what] == text, f"the machine's {what} changed:\n{text}\nnow:\n{after[what]}"
    print(f"ok: nothing left in the kernel after kill -9 of the {whom}")


if os.geteuid() != 0:
    print("skipped: network namespaces need root")
    sys.exit(SKIPPED)
for tool in ("nft", "tc", "ip", "nsenter"):
    if not shutil.which(tool):
        print(f"skipped: {tool} is not installed")
        sys.exit(SKIPPED)
for one in ("squall", "subject"):
    kill_in_the_middle(one)
