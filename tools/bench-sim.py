#!/usr/bin/env python3
"""How fast virtual time is: bench-sim.py SQUALL-SIM. Whole lives of a worker a second on one core, with calls answered in process
and with sockets and TLS; and how many times real time a worker under load, and an idle one, take."""

import os
import re
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
TAIL = """  - stop: w
    within: 60s
expect:
  - exits: {worker: w, code: 0, within: 26h}
  - no_workflow_lost: {within: 30s}
"""
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
    """The summary's figures: lives a second, virtual seconds, times real."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "b1.yaml")
        with open(path, "w") as file:
            file.write(text)
        command = ["taskset", "-c", "0", program, "--scenario", path, "--seeds", f"1..{seeds}", "--transport", transport, "--twice", "0",
                   "--out", ""]
        result = subprocess.run(command, capture_output=True, text=True)
        found = re.search(r"\(([\d.]+) a second; (\d+) s of virtual time, (\d+) times real\)", result.stdout)
        if result.returncode != 0 or found is None:
            sys.exit(result.stdout + result.stderr)
        return tuple(float(x) for x in found.groups())


def main():
    program = os.path.abspath(sys.argv[1])
    rounds = int(os.environ.get("ROUNDS", "300"))
    life = lambda tls: HEAD.format(title="A whole life", tls=tls) + LIFE + TAIL
    rows = []
    for name, transport, tls, asked in (("calls answered in process", "calls", "", 200), ("sockets, plaintext", "sockets", "", 60),
                                        ("sockets and TLS", "sockets", ", tls: server", 60)):
        rows.append((f"lives a second, one core, {name}", run(program, life(tls), rounds, transport)[0], asked))
    load = HEAD.format(title="Load", tls="") + LOAD + TAIL
    idle = HEAD.format(title="Idle", tls="") + IDLE + TAIL
    rows.append(("times real: a workflow each second for ten minutes, sockets", run(program, load, 1, "sockets")[2], 1000))
    rows.append(("times real: the same, calls", run(program, load, 1, "calls")[2], 1000))
    rows.append(("times real: idle for 24 virtual hours, sockets", run(program, idle, 1, "sockets")[2], 20000))
    rows.append(("times real: the same, calls", run(program, idle, 1, "calls")[2], 20000))
    print("| what | measured | asked |\n|---|---|---|")
    for name, value, asked in rows:
        print(f"| {name} | {value:.0f} | {asked} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
