#!/usr/bin/env python3
"""How fast virtual time is: bench-sim.py SQUALL-SIM. Whole lives of a worker a second on one core, with calls answered in process
and with sockets and TLS; and how many times real time a worker under load, and an idle one, take.

Two figures each: by the clock, which others' work on the machine slows down, and by the processor time that was used, which is
what a core of one's own would take."""

import os
import re
import resource
import subprocess
import sys
import tempfile

HEAD = """id: B1
title: {title}
why: A measurement.
needs: {{worlds: [sim]}}
timeout: 26h
topology:
  servers: {{temporal: {{data: kept{tls}}}}}
  links: {{wire: temporal}}
  workers: {{w: {{connect: {{to: wire}}}}}}
steps:
  - wait_healthy: w
"""
END = """  - stop: w
    within: 60s
expect:
  - exits: {worker: w, code: 0, within: 26h}
"""
TAIL = END + "  - no_workflow_lost: {within: 30s}\n"
# Connect, ten workflows, three faults, shutdown.
LIFE = """  - run: {workflow: Echo, id: before, count: 5, input: 1, result: 1}
  - inject: {fault: latency, on: wire, as: slow, delay: 20ms, for: 2s}
  - run: {workflow: Echo, id: slowly, input: 1, result: 1}
  - inject: {fault: drop_connections, on: wire, as: drop}
  - run: {workflow: Echo, id: dropped, count: 2, input: 1, result: 1}
    within: 60s
  - inject: {fault: kill, on: temporal, as: dead, for: 700ms}
  - for: 2500ms
  - heal: all
  - run: {workflow: Chain, id: after, count: 2, input: 2, result: 2}
    within: 60s
"""
LOAD = "".join(f"  - start_workflow: {{workflow: Echo, id: e{i}, input: 1}}\n  - for: 1s\n" for i in range(600))
IDLE = "  - for: 24h\n    within: 25h\n"


def run(program, text, seeds, transport):
    """Seconds by the clock and of processor time, and virtual ones."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "b1.yaml")
        with open(path, "w") as file:
            file.write(text)
        command = ["taskset", "-c", "0", program, "--scenario", path, "--seeds", f"1..{seeds}", "--transport", transport, "--twice", "0",
                   "--out", ""]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = subprocess.run(command, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = re.search(r" in ([\d.]+) s \(.*; (\d+) s of virtual time", result.stdout)
        if result.returncode != 0 or found is None:
            sys.exit(result.stdout + result.stderr)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return float(found[1]), used, float(found[2])


def main():
    program = os.path.abspath(sys.argv[1])
    rounds = int(os.environ.get("ROUNDS", "300"))
    life = lambda tls: HEAD.format(title="A whole life", tls=tls) + LIFE + TAIL
    rows = []
    for name, transport, tls, asked in (("calls answered in process", "calls", "", 200), ("sockets, plaintext", "sockets", "", 60),
                                        ("sockets and TLS", "sockets", ", tls: server", 60)):
        clock, used, _ = run(program, life(tls), rounds, transport)
        rows.append((f"lives a second, one core, {name}", rounds / clock, rounds / used, asked))
    load = HEAD.format(title="Load", tls="") + LOAD + TAIL
    idle = HEAD.format(title="Idle", tls="") + IDLE + END
    for name, text, transport, asked in (("a workflow each second for ten minutes, sockets", load, "sockets", 1000),
                                         ("the same, calls", load, "calls", 1000),
                                         ("idle for 24 virtual hours, sockets", idle, "sockets", 20000),
                                         ("the same, calls", idle, "calls", 20000)):
        clock, used, virtual = run(program, text, 1, transport)
        rows.append((f"times real: {name}", virtual / clock, virtual / used, asked))
    print("| what | by the clock | by processor time | asked |\n|---|---|---|---|")
    for name, clock, used, asked in rows:
        print(f"| {name} | {clock:.0f} | {used:.0f} | {asked} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
