#!/usr/bin/env python3
"""Compares what the production core does in virtual time with what it does on this machine: the same scenarios in the sim, fake and real
worlds, and the table of it in docs/simulation.md.

    fidelity.py --squall SQUALL [--seeds N] [--rounds N] [--write]

The scenarios stand in tests/fidelity/scenarios. A row is one figure of one of them. It holds when the figure of every round of the fake
and the real world lies between the least and the greatest of all simulated seeds, widened by the row's own slack; and when every run of
every world ends with the same verdict. Exit 1 when a row does not hold.
"""

import argparse
import ctypes
import datetime
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BEGIN, END = "<!-- fidelity: begin -->", "<!-- fidelity: end -->"
WORLDS = ("sim", "fake", "real")
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
LIBC = ctypes.CDLL(None)


class Journal:
    def __init__(self, path):
        self.events = [json.loads(line) for line in path.read_text().splitlines()]
        self.world = self.first("run", "started")["world"]
        self.scenario = self.first("run", "started")["scenario"]
        self.verdict = self.first("run", "finished")["verdict"]

    def all(self, kind, what, begin=float("-inf"), end=float("inf"), **fields):
        return [e for e in self.events if e["kind"] == kind and e["what"] == what and begin <= e["t_ns"] / 1e9 <= end
                and all(e.get(k) == v for k, v in fields.items())]

    def first(self, kind, what, **fields):
        return self.all(kind, what, **fields)[0]

    def at(self, kind, what, begin=float("-inf"), **fields):
        """The moment of the first one, in seconds."""
        return self.all(kind, what, begin, **fields)[0]["t_ns"] / 1e9


def outage(j):
    return j.at("fault", "injected", fault_id="outage"), j.at("fault", "healed", fault_id="outage")


def work_after(j):
    return j.at("workflow", "completed", workflow_id="after") - outage(j)[1]


def reconnected(j):
    healed = outage(j)[1]
    return j.at("connection", "established", begin=j.at("fault", "healing", fault_id="outage"), link="wire") - healed


def attempts(j):
    begun, healed = outage(j)
    return len(j.all("connection", "attempt", begin=begun, end=healed, link="wire"))


def noticed(j):
    begun, _ = outage(j)
    return j.at("connection", "attempt", begin=begun, link="wire") - begun


def stopped(j):
    asked = j.at("process", "signalled", process="w")
    return j.at("process", "exited", begin=asked, process="w") - asked


def lived(j):
    return j.at("process", "exited", process="w") - j.at("process", "starting", process="w")


def takeover(j):
    return j.at("workflow", "completed", workflow_id="after") - j.at("workflow", "accepted", workflow_id="after") - 6


# Scenario, figure, how it is read, unit, slack below and above, and what the slack is for.
ROWS = (
    ("F1", "refused for 12 s: until a connection stands again", reconnected, "s", 1, 2, "drawn back-offs of a dozen calls"),
    ("F1", "refused for 12 s: until work is done", work_after, "s", 1, 3, "the same"),
    ("F2", "reset for 10 s: connection attempts", attempts, "", 25, 10, "a busy machine connects less often; calls that share a connection"),
    ("F2", "reset for 10 s: until work is done", work_after, "s", 1, 3, "drawn back-offs"),
    ("F3", "killed for 5 s: until work is done", work_after, "s", 1, 5, "drawn back-offs, a real server's start on a busy machine"),
    ("F4", "stalled: until core connects anew", noticed, "s", 1.5, 1.5, "when the last byte came"),
    ("F4", "stalled for 50 s: until work is done", work_after, "s", 1, 2, "drawn back-offs"),
    ("F5", "cached workflow of a killed worker: longer by", takeover, "s", 0.5, 1.5, "starts of processes"),
    ("F6", "shutdown in a stall", stopped, "s", 1, 1, "a busy machine"),
    ("F7", "shutdown while the server refuses", stopped, "s", 1, 2, "a busy machine; what was under way is retried"),
    ("F8", "expired certificate: until the worker has ended", lived, "s", 0.5, 2, "the start of a process"),
)  # fmt: skip


def play(squall, worlds, rounds, jobs, out):
    command = [squall, "--library", str(HERE / "scenarios"), "run", "--world", worlds, "--keep", "--repeat", str(rounds), "--jobs", str(jobs),
               "--out", str(out)]
    # SIGTERM lets it clean up, also when this process is killed.
    subprocess.run(command, check=False, preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM))
    return [Journal(path) for path in sorted(out.glob("2*/*/journal.jsonl"))]


def text_of(values, unit):
    low, high = min(values), max(values)
    if not unit:
        return f"{low}..{high}" if low != high else f"{low}"
    return f"{low:.1f}..{high:.1f} {unit}" if round(low, 1) != round(high, 1) else f"{low:.1f} {unit}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--squall", required=True)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write the table into docs/simulation.md")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        journals = play(flags.squall, "sim", flags.seeds, 2, out / "sim")
        journals += play(flags.squall, "fake,real", flags.rounds, 6, out / "machine")
    table, bad = [], 0
    for scenario, what, read, unit, below, above, why in ROWS:
        runs = {world: [j for j in journals if j.scenario == scenario and j.world == world] for world in WORLDS}
        verdicts = {j.verdict for of_world in runs.values() for j in of_world}
        try:
            figures = {world: [read(j) for j in runs[world]] for world in WORLDS}
            low, high = min(figures["sim"]) - below, max(figures["sim"]) + above
            outside = [f"{world} {figure:.2f}" for world in ("fake", "real") for figure in figures[world] if not low <= figure <= high]
            cells = [text_of(figures[world], unit) for world in WORLDS]
        except (IndexError, ValueError):
            outside, cells = ["a figure is missing"], ["", "", ""]
        if verdicts != {"pass"}:
            outside.append(f"verdicts: {', '.join(sorted(verdicts))}")
        bad += bool(outside)
        envelope = f"-{below} +{above}{' ' + unit if unit else ''}: {why}"
        table.append(f"| {scenario} | {what} | {' | '.join(cells)} | {envelope} | {'yes' if not outside else 'NO: ' + '; '.join(outside)} |")
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    head = [f"`make prove-fidelity` at {commit}, {datetime.date.today()}: {flags.seeds} seeds, {flags.rounds} rounds of the fake and the real world.", "",
            "| | what | sim | fake | real | slack around all seeds | holds |", "|---|---|---|---|---|---|---|"]
    print("\n".join(head + table))
    if flags.write:
        page = ROOT / "docs" / "simulation.md"
        text = page.read_text()
        begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
        page.write_text(text[:begin] + "\n" + "\n".join(head + table) + "\n" + text[end:])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
