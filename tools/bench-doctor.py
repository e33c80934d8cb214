#!/usr/bin/env python3
"""squall doctor beside production core's own connect: the same faults, the same run, one after the other.

Usage: bench_doctor.py BIN-FOLDER [ROUNDS]      prints a table in Markdown
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BIN = pathlib.Path(sys.argv[1]).resolve()
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
# Core waits for 30 s at most, or for ever.
LONGEST = 35
FOLDER = tempfile.mkdtemp(prefix="squall-bench-doctor-")
CLEAN = {"PATH": os.environ["PATH"], "HOME": FOLDER}


@contextlib.contextmanager
def serving(program, *arguments):
    with subprocess.Popen([BIN / program, "--die-with-parent", *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())["address"]
        finally:
            process.terminate()
            process.wait()


def doctor(arguments):
    began = time.monotonic()
    done = subprocess.run([BIN / "squall-doctor", "--json", *arguments], capture_output=True, text=True, env=CLEAN)
    took = time.monotonic() - began
    result = json.loads(done.stdout)
    return took, result["cause"]["id"] if result["cause"] else result["verdict"]


def core(arguments):
    """Until core's worker polls, or gives up with an error."""
    began = time.monotonic()
    with subprocess.Popen([BIN / "squall-worker", "--task-queue", "bench", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, env=CLEAN, process_group=0) as process:
        try:
            timer = signal.signal(signal.SIGALRM, lambda *_: process.kill())
            signal.alarm(LONGEST)
            error = ""
            for line in process.stdout:
                if '"polling"' in line:
                    return time.monotonic() - began, "polls"
                if '"fatal"' in line:
                    error = json.loads(line)["detail"]
            process.wait()
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, timer)
            process.kill()
    took = time.monotonic() - began
    if took >= LONGEST - 1:
        return took, "nothing yet"
    words = re.findall(r"UnknownIssuer|BrokenPipe|InvalidContentType|H2NotNegotiated|FRAME_SIZE_ERROR|ConnectionRefused|Timeout expired|is not found", error)
    return took, words[0] if words else error[:60] or "no text"


def main():
    certificates = os.path.join(FOLDER, "certificates")
    subprocess.run([BIN / "squall-ingress", "--mint", certificates], check=True, capture_output=True)
    identity = ["--tls-cert", f"{certificates}/server.pem", "--tls-key", f"{certificates}/server.key"]
    trust = f"{certificates}/ca.pem"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving("squall-server", "--port", "0"))
        ingress = lambda *more: stack.enter_context(serving("squall-ingress", "--upstream", server, *identity, *more))
        tls, http1, silent = ingress(), ingress("--transport", "http1-behind-h2"), ingress("--silent")
        hole = stack.enter_context(socket.create_server(("127.0.0.1", 0)))  # the kernel accepts, nobody else does
        closed = stack.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))
        address = lambda s: f"127.0.0.1:{s.getsockname()[1]}"
        rows = (
            ("healthy, plaintext", [], server, None, False),
            ("healthy, TLS", [], tls, trust, True),
            ("refused", ["--try-ports", "1"], address(closed), None, False),
            ("plaintext to TLS", [], tls, None, False),
            ("TLS to plaintext", [], server, trust, True),
            ("untrusted authority", [], tls, None, True),
            ("HTTP/1.1 behind TLS", [], http1, trust, True),
            ("namespace missing", ["--namespace", "nope"], server, None, False),
            ("silent, plaintext", [], address(hole), None, False),
            ("silent, TLS", [], silent, trust, True),
        )
        print("| fault | the doctor says | in | core's worker says | in |\n|---|---|---|---|---|")
        for name, more, where, ca, with_tls in rows:
            theirs = ["--address", where] + [word for word in more if word not in ("--try-ports", "1")]
            theirs += ["--tls", "true"] if with_tls else []
            theirs += ["--tls-server-ca-cert-path", ca] if ca else []
            ours = ["--address", where, *more] + (["--tls"] if with_tls else []) + (["--tls-ca", ca] if ca else [])
            rounds = 1 if name.startswith("silent") else ROUNDS
            figures = [(doctor(ours), core(theirs)) for _ in range(rounds)]
            ms = lambda which: statistics.median(figure[which][0] for figure in figures) * 1000
            print(f"| {name} | `{figures[0][0][1]}` | {ms(0):.0f} ms | {figures[0][1][1]} | {ms(1):.0f} ms |", flush=True)


main()
