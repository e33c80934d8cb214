#!/usr/bin/env python3
"""A container platform in small, as a subject of scenarios: runs one container (any command) from revisions of settings, looks
at its probes, and starts it again with back-off when it ends or fails them.

    container_platform.py [flags] -- COMMAND ARGUMENT...

What the container writes goes through unchanged, so that its lifecycle lines are the worker's. The platform's own lines begin
with "platform:"; each restart is a lifecycle line "retrying" whose detail is "restart N: " and the cause (the check
no_crash_loop counts them).

Ready: the container has written "polling", or --ready-port accepts. --startup-limit is for that; a container that is late is
started again. --liveness asks an HTTP page every --probe-every; after --probe-failures in a row the container is started again,
however well it works. SIGHUP deploys the next revision; SIGTERM and SIGINT stop container and platform.
Exit codes: 0 stopped as asked; 2 wrong usage; 3 the first revision was refused.
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import sys
import time
from typing import Dict, List, Optional, Tuple

Settings = Dict[str, str]
RESET_AFTER = 10.0  # a container that lived so long starts with the first pause again
STOP_GRACE = 5.0


def say(text: str) -> None:
    print(f"platform: {text}", flush=True)


def lifecycle(word: str, **fields: object) -> None:
    print(json.dumps({"squall_event": word, "pid": os.getpid(), **fields}, separators=(",", ":")), flush=True)


def parse_revision(text: str) -> Settings:
    settings: Settings = {}
    for pair in filter(None, text.split(";")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise argparse.ArgumentTypeError(f"'{pair}' is no NAME=VALUE")
        settings[name] = value
    return settings


def shown(value: str) -> str:
    """A value that can be compared and not read: settings hold secrets."""
    return "#" + hashlib.sha256(value.encode()).hexdigest()[:6]


def drift(old: Settings, new: Settings) -> List[str]:
    lines = [f"{name} is gone" for name in sorted(old.keys() - new.keys())]
    lines += [f"{name} is new ({shown(new[name])})" for name in sorted(new.keys() - old.keys())]
    lines += [
        f"{name} is changed ({shown(old[name])} to {shown(new[name])})"
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name]
    ]
    return lines


class Container:
    """One life of the command."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.started = time.monotonic()
        self.ready = asyncio.Event()
        self.last_words = ""  # its fatal line, else its last line
        self.fatal = False
        self.output = asyncio.ensure_future(self._pass_on())

    async def _pass_on(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
            self._listen(line)

    def _listen(self, line: bytes) -> None:
        word, detail = "", ""
        if line.startswith(b"{") and b'"squall_event"' in line:
            try:
                event = json.loads(line)
                word, detail = event.get("squall_event", ""), event.get("detail", "")
            except ValueError:
                pass
        if word == "polling":
            self.ready.set()
        if word == "fatal":
            self.last_words, self.fatal = detail, True
        elif not word and not self.fatal:
            self.last_words = line.decode(errors="replace").strip()

    async def stop(self) -> None:
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_GRACE)
        except asyncio.TimeoutError:
            self.process.kill()
            await self.process.wait()


class Platform:
    def __init__(self, flags: argparse.Namespace) -> None:
        self._flags = flags
        self._revision = 0  # index of the one that runs
        self._restarts = 0
        self._pause = flags.back_off
        self._stop = asyncio.Event()
        self._deploy = asyncio.Event()

    def _refusal(self, settings: Settings) -> Optional[str]:
        missing = [name for name in self._flags.require if not settings.get(name)]
        return f"{', '.join(missing)} missing: add it to the revision's settings" if missing else None

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._deploy.set)
        if refusal := self._refusal(self._flags.revision[0]):
            say(f"revision 1 refused: {refusal}")
            lifecycle("fatal", detail=f"revision 1 refused: {refusal}")
            return 3
        while not self._stop.is_set():
            container = await self._start()
            cause = await self._watch(container)
            await container.stop()
            await container.output
            if cause is None:
                continue  # stopped, or another revision
            if time.monotonic() - container.started > RESET_AFTER:
                self._pause = self._flags.back_off
            self._restarts += 1
            lifecycle("retrying", delay_ns=int(self._pause * 1e9), detail=f"restart {self._restarts}: {cause}")
            await self._first(asyncio.sleep(self._pause), self._stop.wait())
            self._pause = min(self._pause * 2, self._flags.back_off_max)
        say(f"stopped after {self._restarts} restarts")
        return 0

    async def _start(self) -> Container:
        environment = {**os.environ, **self._flags.revision[self._revision]}
        process = await asyncio.create_subprocess_exec(
            *self._flags.command, env=environment, stdout=asyncio.subprocess.PIPE, limit=1 << 20
        )
        say(f"revision {self._revision + 1}: container started (pid {process.pid})")
        return Container(process)

    @staticmethod
    async def _first(*waits: object) -> int:
        """The index of what is done first; the others are cancelled."""
        tasks = [asyncio.ensure_future(wait) for wait in waits]  # type: ignore[call-overload]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        first = next(i for i, task in enumerate(tasks) if task.done())
        for task in tasks:
            task.cancel()
        return first

    async def _watch(self, container: Container) -> Optional[str]:
        """Until the container is to be replaced; the cause, or None when that was asked for."""
        probes = asyncio.ensure_future(self._probe(container))
        while True:
            first = await self._first(self._stop.wait(), self._deploy.wait(), container.process.wait(), asyncio.wait({probes}))
            if first == 1:
                self._deploy.clear()
                if not self._switch():
                    continue
            break
        probes.cancel()
        if first == 2:
            await container.output
            code = container.process.returncode
            how = f"exit code {code}" if code is not None and code >= 0 else f"signal {-(code or 0)}"
            return f"the container ended by itself with {how}, {container.last_words or 'without a word'}"
        return probes.result() if first == 3 else None

    def _switch(self) -> bool:
        """To the next revision, unless it is refused."""
        revisions = self._flags.revision
        if self._revision + 1 >= len(revisions):
            say("there is no further revision")
            return False
        old, new = revisions[self._revision], revisions[self._revision + 1]
        number = self._revision + 2
        for line in drift(old, new) or ["nothing"]:
            say(f"drift of revision {number}: {line}")
        if refusal := self._refusal(new):
            say(f"revision {number} refused, revision {number - 1} stays: {refusal}")
            return False
        self._revision += 1
        say(f"revision {number} deployed")
        return True

    async def _probe(self, container: Container) -> str:
        """The cause for which the container is to be replaced."""
        if self._flags.startup_limit and not await self._became_ready(container):
            said = f", last: {container.last_words}" if container.last_words else ", without a word"
            return f"startup probe: not ready within {self._flags.startup_limit:g} s{said}"
        failures, why = 0, ""
        while self._flags.liveness:
            await asyncio.sleep(self._flags.probe_every)
            why = await self._ask(self._flags.liveness)
            failures = failures + 1 if why else 0
            if failures >= self._flags.probe_failures:
                state = "the container itself was polling" if container.ready.is_set() else "the container did not poll either"
                return f"liveness probe failed {failures} times ({why}); {state}"
        await asyncio.Event().wait()
        return ""

    async def _became_ready(self, container: Container) -> bool:
        end = time.monotonic() + self._flags.startup_limit
        while (left := end - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(container.ready.wait(), min(left, self._flags.probe_every))
                say("ready: it polls")
                return True
            except asyncio.TimeoutError:
                if self._flags.ready_port and not await self._ask(f"{self._flags.ready_port}/"):
                    say("ready: its port accepts")
                    return True
        return False

    @staticmethod
    async def _ask(target: str) -> str:
        """GET http://127.0.0.1:TARGET; empty when it answers 2xx."""
        port, _, path = target.partition("/")
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", int(port)), 1)
            writer.write(f"GET /{path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            line = (await asyncio.wait_for(reader.readline(), 1)).decode("latin-1").strip()
            writer.close()
            return "" if line.split(" ")[1:2] and line.split(" ")[1].startswith("2") else f"GET /{path}: {line or 'no answer'}"
        except asyncio.TimeoutError:
            return f"GET /{path}: no answer"
        except OSError as error:
            return f"GET /{path}: {os.strerror(error.errno) if error.errno else error}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--revision", type=parse_revision, action="append", default=[], help="NAME=VALUE;NAME=VALUE: settings, in the order of their deployment")
    add("--require", action="append", default=[], help="a variable without which no revision is deployed")
    add("--startup-limit", type=float, default=0.0, help="seconds until it must be ready (default: none)")
    add("--ready-port", type=int, default=0, help="ready too when this port accepts and answers")
    add("--liveness", default="", help="PORT/path of an HTTP page")
    add("--probe-every", type=float, default=0.25, help="seconds (default 0.25)")
    add("--probe-failures", type=int, default=3, help="in a row (default 3)")
    add("--back-off", type=float, default=0.2, help="first pause before a restart, in seconds; doubles (default 0.2)")
    add("--back-off-max", type=float, default=2.0, help="longest (default 2)")
    add("command", nargs=argparse.REMAINDER, help="-- and the container's command")
    flags = parser.parse_args()
    flags.command = [part for i, part in enumerate(flags.command) if i > 0 or part != "--"]
    if not flags.command:
        parser.error("no command")
    flags.revision = flags.revision or [{}]
    return flags


if __name__ == "__main__":
    sys.exit(asyncio.run(Platform(parse()).run()))
