#!/usr/bin/env python3
"""A worker on the real Python SDK, as a subject of scenarios: squall-worker's lifecycle lines, workflows and environment.

Stops gracefully on SIGTERM and SIGINT: what runs gets --grace to end. With --broken it makes one of the mistakes of the
accounts in incidents.md. Unlike squall-worker it tells of a workflow "task" once per execution, not once per activation.

Exit codes: 0 stopped as asked; 1 fatal at run time; 2 wrong usage or configuration; 3 could not start.
"""

import argparse
import asyncio
import logging
import os
import re
import signal
import sys
from datetime import timedelta
from typing import Any, Awaitable, Callable, List, Optional

import food_trucks
import lifecycle
import preflight
import status_page
from built_in import ACTIVITIES, WORKFLOWS
from settings import BadSettings, Settings, add_arguments
from task_lines import TaskLines
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

BROKEN = {
    "exit-at-start": "I1: the run is cancelled as soon as it polls, the cancellation is swallowed, exit code 1",
    "cancel-after-first": "I2: the same after the first ended workflow, exit code 0",
    "swallow-cancel": "I6: activities swallow their cancellation and return a result",
    "no-signal-handler": "A2: SIGTERM kills the process with work in flight",
    "lax-settings": "A1: contradicting settings are used as far as they go, and a part of the key is printed",
    "exit-on-outage": "A5: a watcher of its own cancels the worker at the first failed check, exit code 0",
    "accumulate": "A8: the scraper keeps what it found in the process, over attempts",
    "ignore-namespace": "E6: a refused start is logged and forgotten: the process stays up and polls nothing",
}
EXIT_FATAL, EXIT_USAGE, EXIT_CANNOT_START = 1, 2, 3
# R1's back-off, for --retry-connect.
BACKOFF_INITIAL, BACKOFF_MAX = 1.0, 30.0

_ENDINGS = (
    "complete_workflow_execution",
    "fail_workflow_execution",
    "cancel_workflow_execution",
    "continue_as_new_workflow_execution",
)


class SwallowCancel(Interceptor):
    """I6: what a bare `except CancelledError: return` in an activity does."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:
                try:
                    return await self.next.execute_activity(input)
                except asyncio.CancelledError:
                    return "swallowed"

        return Inbound(next)


class NeedsSecret(Interceptor):
    """E7: activities that need a variable, and notice only when they run that it is not there."""

    def __init__(self, name: str) -> None:
        self._name = name

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        name = self._name

        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:
                if not os.environ.get(name):
                    raise ApplicationError(f"{name} is not set")
                return await self.next.execute_activity(input)

        return Inbound(next)


def seconds(text: str) -> float:
    match = re.fullmatch(r"([0-9.]+)(ms|s|m|h|)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no duration: write 250ms, 1.5s, 2m or 1h")
    return float(match[1]) * {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600}[match[2]]


def parse_flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--grace", type=seconds, default=10.0, help="time that running activities get (default 10s)")
    parser.add_argument(
        "--shutdown-limit",
        type=seconds,
        default=0.0,
        help="leave with 1 when the SDK's shutdown has not ended this long after the grace (default 0: wait for ever, as SDKs do)",
    )
    parser.add_argument("--retry-connect", action="store_true", help="retry connecting and starting, 1s doubling to 30s")
    parser.add_argument("--retry-scale", type=float, default=1.0, help="factor on these delays")
    parser.add_argument("--exit-code", type=int, help="of exit-at-start (default 1) and cancel-after-first (default 0)")
    parser.add_argument("--activities-only", action="store_true", help="register no workflows")
    parser.add_argument("--workflows-only", action="store_true", help="register no activities")
    parser.add_argument("--activities", help="register these activities only, separated by commas")
    parser.add_argument("--preflight", action="store_true", help="look who answers at the address before connecting: preflight.py")
    parser.add_argument("--preflight-limit", type=seconds, default=preflight.LIMIT, help="for each thing it asks (default 2s)")
    parser.add_argument("--status", type=int, default=0, help="port of the status page: status_page.py")
    parser.add_argument("--static-status", action="store_true", help="I7: the page says 200 whatever happens")
    parser.add_argument("--secret", help="a variable that every activity needs")
    parser.add_argument("--check-secret", action="store_true", help="refuse to start without it")
    parser.add_argument(
        "--kind",
        choices=["fail-fast", "cancelling", "supervising"],
        default="fail-fast",
        help="squall-host's words: cancelling is --broken cancel-after-first (exit-at-start with --after-workflows 0), "
        "supervising is --retry-connect",
    )
    parser.add_argument("--after-workflows", type=int, default=1, help="cancelling: after so many ended workflows")
    parser.add_argument("--broken", choices=sorted(BROKEN), help="; ".join(f"{k}: {v}" for k, v in BROKEN.items()))
    flags = parser.parse_args()
    if flags.kind == "cancelling" and not flags.broken:
        flags.broken = "cancel-after-first" if flags.after_workflows else "exit-at-start"
    if flags.kind == "supervising":
        flags.retry_connect = True
    return flags


class Subject:
    def __init__(self, flags: argparse.Namespace, settings: Settings) -> None:
        self._flags = flags
        self._settings = settings
        self._stop = asyncio.Event()
        self._polling = False
        self._ended = 0  # workflow runs that ended here
        self._cancel: Optional[Callable[[str], None]] = None

    async def run(self) -> int:
        if self._flags.broken != "no-signal-handler":
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        # As if the task that runs the worker were cancelled somewhere in the service.
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, self._cancel_from_inside)
        backoff = BACKOFF_INITIAL
        while True:
            try:
                if self._flags.preflight:
                    await asyncio.to_thread(preflight.component, self._settings, self._flags.preflight_limit)
                lifecycle.write("connecting")
                client = await self._or_stop(self._settings.connect())
                if client is None:
                    return 0
                lifecycle.write("connected")
                return await self._work(client)
            except Exception as error:
                detail = f"{type(error).__name__}: {error}"
                if self._flags.preflight:
                    detail = preflight.refusal(self._settings, error) or detail
                if self._polling:
                    lifecycle.write("fatal", detail=detail)
                    return EXIT_FATAL
                if self._flags.broken == "ignore-namespace":
                    print(f"could not start, carrying on: {detail}", file=sys.stderr)
                    await self._stop.wait()
                    return 0
                if not self._flags.retry_connect:
                    lifecycle.write("fatal", detail=detail)
                    return EXIT_CANNOT_START
                delay = backoff * self._flags.retry_scale
                backoff = min(backoff * 2, BACKOFF_MAX)
                lifecycle.write("retrying", delay_ns=int(delay * 1e9), detail=detail)
                if await self._or_stop(asyncio.sleep(delay, True)) is None:
                    return 0

    def _cancel_from_inside(self) -> None:
        if self._cancel is not None:
            self._cancel("Worker cancelled, shutting down")

    async def _or_stop(self, work: Awaitable[Any]) -> Any:
        """The result of `work`, or None when a stop was asked for first."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if task.done():
            return task.result()
        task.cancel()
        lifecycle.write("stopping", detail="before it had started")
        return None

    async def _work(self, client: Client) -> int:
        interceptors: List[Interceptor] = [TaskLines()]
        if self._flags.broken == "swallow-cancel":
            interceptors.append(SwallowCancel())
        status = status_page.Status(self._flags.static_status)
        if self._flags.status:
            interceptors.append(status)
        if self._flags.secret:
            interceptors.append(NeedsSecret(self._flags.secret))
        worker = Worker(
            client,
            task_queue=self._settings.task_queue,
            workflows=[] if self._flags.activities_only else [*WORKFLOWS, food_trucks.FoodTrucks],
            activities=self._activities(),
            interceptors=interceptors,
            graceful_shutdown_timeout=timedelta(seconds=self._flags.grace),
        )
        self._watch(worker)
        run = asyncio.ensure_future(worker.run())
        cancelled_as = ""

        def cancel(detail: str) -> None:
            nonlocal cancelled_as
            if not cancelled_as:
                cancelled_as = detail
                run.cancel()

        self._cancel = cancel
        watcher = None
        if self._flags.broken == "exit-on-outage":
            watcher = asyncio.ensure_future(self._watch_server(client))
        elif self._flags.status:
            watcher = asyncio.ensure_future(status.serve(client, self._flags.status))
        stop = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({run, stop}, return_when=asyncio.FIRST_COMPLETED)
            if stop.done():
                lifecycle.write("stopping")
                await self._shut_down(worker)
            await run
        except asyncio.CancelledError:
            # The accounts' mistake: a cancellation is taken for a normal end.
            lifecycle.write("stopping", detail=cancelled_as)
            default = 1 if self._flags.broken == "exit-at-start" else 0
            return default if self._flags.exit_code is None else self._flags.exit_code
        finally:
            stop.cancel()
            if watcher is not None:
                watcher.cancel()
        # The SDK's worker ends without an error only when it was shut down.
        return 0

    def _activities(self) -> List[Callable[..., Any]]:
        every: List[Callable[..., Any]] = [*ACTIVITIES, food_trucks.scrape_all]
        if self._flags.workflows_only:
            return []
        if self._flags.activities is None:
            return every
        wanted = self._flags.activities.split(",")
        return [a for a in every if a.__name__ in wanted]

    async def _watch_server(self, client: Client) -> None:
        """A5's mistake: what the SDK mends by itself is taken for the end."""
        while True:
            await asyncio.sleep(0.25)
            try:
                await asyncio.wait_for(client.service_client.check_health(), 1)
            except Exception:
                if self._cancel is not None:
                    self._cancel("server is down, shutting down")
                return

    async def _shut_down(self, worker: Worker) -> None:
        if not self._flags.shutdown_limit:
            return await worker.shutdown()
        try:
            await asyncio.wait_for(worker.shutdown(), self._flags.grace + self._flags.shutdown_limit)
        except asyncio.TimeoutError:
            lifecycle.write("fatal", detail="shutdown did not end")
            lifecycle.leave(EXIT_FATAL)

    def _watch(self, worker: Worker) -> None:
        """Tells when polls are really issued and workflows end: between the SDK and core, where no API of the SDK tells it."""
        bridge = worker._bridge_worker
        kinds = [] if self._flags.activities_only else ["workflow"]
        kinds += [] if self._flags.workflows_only else ["activity"]
        missing = set(kinds)

        def watch_poll(name: str, kind: str) -> None:
            poll = getattr(bridge, name)

            async def watched() -> Any:
                if kind in missing:
                    missing.discard(kind)
                    if not missing:
                        # The poll itself comes first: it reaches core before this runs.
                        asyncio.get_running_loop().call_soon(self._on_polling, ",".join(kinds))
                return await poll()

            setattr(bridge, name, watched)

        watch_poll("poll_workflow_activation", "workflow")
        watch_poll("poll_activity_task", "activity")
        complete = bridge.complete_workflow_activation

        async def completed(completion: Any) -> None:
            await complete(completion)
            ended = any(command.WhichOneof("variant") in _ENDINGS for command in completion.successful.commands)
            self._ended += ended
            last = self._ended >= self._flags.after_workflows
            if ended and last and self._flags.broken == "cancel-after-first" and self._cancel is not None:
                self._cancel("Worker cancelled, shutting down")

        bridge.complete_workflow_activation = completed  # type: ignore[method-assign]

    def _on_polling(self, kinds: str) -> None:
        self._polling = True
        lifecycle.write("started")
        lifecycle.write("polling", detail=kinds)
        if self._flags.broken == "exit-at-start" and self._cancel is not None:
            self._cancel("Cancelled")


def main() -> int:
    # A background job of a shell inherits SIGINT as ignored, and Python keeps it so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    flags = parse_flags()
    try:
        settings = Settings.lax(flags) if flags.broken == "lax-settings" else Settings(flags)
        if flags.check_secret and not os.environ.get(flags.secret or ""):
            raise BadSettings(f"{flags.secret} is not set: the activities need it")
    except BadSettings as error:
        print(f"worker.py: {error}", file=sys.stderr)
        lifecycle.write("fatal", detail=str(error))
        return EXIT_USAGE
    lifecycle.set_task_queue(settings.task_queue or "")
    food_trucks.accumulate = flags.broken == "accumulate"

    async def run() -> int:
        return await Subject(flags, settings).run()

    code = asyncio.run(run())
    lifecycle.write("stopped", exit_code=code)
    return code


if __name__ == "__main__":
    lifecycle.leave(main())
