#!/usr/bin/env python3
"""Runs a program of a real SDK on the fake server and on the real one: its output has to be the same.

    parity_test.py SQUALL_SERVER TEMPORAL_CLI PROGRAM...      PROGRAM... ADDRESS is run on both servers
"""

import asyncio
import difflib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "differential"))
import subjects  # noqa: E402

PREFIX = "| "  # of the lines that count; SDKs log to stdout too
LAST_LINE = "tour: done"  # the exit code of an SDK's process at shutdown says less


async def output(subject, program):
    process = await asyncio.create_subprocess_exec(
        *program, subject.address, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    lines = [line.removeprefix(PREFIX) for line in out.decode().splitlines() if line.startswith(PREFIX)]
    if not lines or lines[-1] != LAST_LINE:
        print(f"{subject.name}: the program did not come to its end; stderr:\n{err.decode()[-4000:]}")
    return lines


async def main():
    server, temporal, *program = sys.argv[1:]
    async with subjects.fake(server) as fake, subjects.real(temporal) as real:
        on_fake, on_real = await asyncio.gather(output(fake, program), output(real, program))
    if on_fake != on_real:
        print("\n".join(difflib.unified_diff(on_fake, on_real, "fake", "real", lineterm="", n=1)))
        return 1
    print("\n".join(on_fake))
    print(f"{len(on_fake)} lines, the same on both servers")
    return 0 if on_fake and on_fake[-1] == LAST_LINE else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
