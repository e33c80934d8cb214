#!/usr/bin/env python3
"""A small program on the Python SDK, without any resilience of its own: what is seen is what the SDK does.

    subject.py connect                      connects once
    subject.py worker [OPTIONS]             connects and works on Quick and Slow
    subject.py client [--once]              connects, then starts a workflow again and again; with SIGUSR1 stops

Address, namespace, queue and TLS come from the TEMPORAL_* variables. Each thing measured is a JSON line on standard output:
{"measured": WHAT, "seconds": TIME, "error": TEXT, ...}. Exit codes: 0 as asked, 1 the worker failed, 3 could not start.
"""

import argparse
import asyncio
import itertools
import json
import os
import signal
import sys
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.service import RPCError, TLSConfig
from temporalio.worker import Worker

PACE = 0.2  # seconds between a client's calls, and between heartbeats


def say(measured, begun=None, error=None, **more):
    line = {"measured": measured, **more}
    if begun is not None:
        line["seconds"] = round(time.monotonic() - begun, 3)
    if error is not None:
        status = f" status {error.status.name}({error.status.value})" if isinstance(error, RPCError) else ""
        causes, cause = "", error.__cause__
        while cause is not None:
            causes, cause = f"{causes} <- {type(cause).__name__}: {cause}", cause.__cause__
        line["error"] = f"{type(error).__module__}.{type(error).__name__}: {error}{status}{causes}"
    print(json.dumps(line), flush=True)


def leave(code):
    """Without the interpreter's own shutdown, which crashes with the SDK's threads now and then, whatever was measured."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@activity.defn
async def quick() -> str:
    say("quick", workflow=activity.info().workflow_id)
    return "quick done"


@activity.defn
async def slow(seconds: float, beats: bool) -> int:
    info = activity.info()
    about = {"attempt": info.attempt, "workflow": info.workflow_id, "queue": info.task_queue}
    say("attempt", **about)
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if beats:
                activity.heartbeat()
            await asyncio.sleep(PACE)
    except asyncio.CancelledError:
        say("cancelled", **about, shutdown=activity.is_worker_shutdown())
        if FLAGS.swallow:
            return -info.attempt
        raise
    say("effect", **about)
    return info.attempt


@activity.defn
async def only_a() -> str:
    return "a"


@activity.defn
async def only_b() -> str:
    return "b"


@workflow.defn
class Quick:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(quick, start_to_close_timeout=timedelta(seconds=10))


@workflow.defn
class Slow:
    """An activity of six seconds that tells which attempt it took."""

    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(
            slow, args=[6.0, True], start_to_close_timeout=timedelta(seconds=60),
            heartbeat_timeout=timedelta(seconds=5), retry_policy=RetryPolicy(maximum_attempts=5))


@workflow.defn
class Missing:
    """An activity that nobody registers."""

    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity("nowhere", start_to_close_timeout=timedelta(seconds=10))


@workflow.defn
class Both:
    """One activity of either worker, where each registers only one."""

    @workflow.run
    async def run(self) -> str:
        options = {"start_to_close_timeout": timedelta(seconds=10)}
        return await workflow.execute_activity(only_a, **options) + await workflow.execute_activity(only_b, **options)


@workflow.defn
class Ticks:
    """Timers of one second, told as they fire: a worker that took the workflow over shows as a gap."""

    @workflow.run
    async def run(self, ticks: int) -> None:
        for tick in range(ticks):
            await workflow.sleep(1)
            if not workflow.unsafe.is_replaying():
                say("tick", tick=tick)


async def connect(lazy=False):
    def file(name):
        path = os.environ.get(name)
        return open(path, "rb").read() if path else None

    tls = False
    if os.environ.get("TEMPORAL_TLS") == "true":
        tls = TLSConfig(
            server_root_ca_cert=file("TEMPORAL_TLS_SERVER_CA_CERT_PATH"), domain=os.environ.get("TEMPORAL_TLS_SERVER_NAME"),
            client_cert=file("TEMPORAL_TLS_CLIENT_CERT_PATH"), client_private_key=file("TEMPORAL_TLS_CLIENT_KEY_PATH"))
    return await Client.connect(os.environ["TEMPORAL_ADDRESS"], namespace=os.environ["TEMPORAL_NAMESPACE"], tls=tls, lazy=lazy)


async def work(client):
    activities = {a.__name__: a for a in (quick, slow, only_a, only_b)}
    begun = time.monotonic()
    try:
        worker = Worker(
            client, task_queue=os.environ["TEMPORAL_TASK_QUEUE"],
            workflows=[] if FLAGS.activities_only else [Quick, Slow, Missing, Both, Ticks],
            activities=[activities[name] for name in FLAGS.activities.split(",")],
            graceful_shutdown_timeout=timedelta(seconds=FLAGS.grace))
        run = asyncio.ensure_future(worker.run())
        loop = asyncio.get_running_loop()
        if FLAGS.shutdown:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, lambda: asyncio.ensure_future(worker.shutdown()))
        loop.add_signal_handler(signal.SIGUSR2, run.cancel)
        loop.add_signal_handler(signal.SIGUSR1, lambda: asyncio.ensure_future(timed_shutdown(worker)))
        await validated(worker, run)
        print('{"squall_event":"polling"}', flush=True)
        await run
    except asyncio.CancelledError:
        if asyncio.current_task().cancelling():
            raise  # Ctrl-C: asyncio.run() ends the process as Python does
        say("worker", begun, error=asyncio.CancelledError("run() was cancelled"))
        leave(0 if FLAGS.swallow_in_caller else 1)
    except Exception as error:
        say("worker", begun, error)
        leave(1)
    say("worker", begun)
    leave(0)


async def validated(worker, run):
    """Until the worker's first poll, or its end: run() validates the namespace first, and tells nobody when it polls."""
    polls = asyncio.get_running_loop().create_future()
    poll = worker._bridge_worker.poll_activity_task

    async def watched():
        if not polls.done():
            polls.set_result(None)
        return await poll()

    worker._bridge_worker.poll_activity_task = watched
    await asyncio.wait({polls, run}, return_when=asyncio.FIRST_COMPLETED)
    if run.done():
        await run


async def timed_shutdown(worker):
    begun = time.monotonic()
    await worker.shutdown()
    say("shutdown", begun)


async def call(client):
    print('{"squall_event":"connected"}', flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, stop.set)
    for number in itertools.count():
        begun = time.monotonic()
        try:
            await client.start_workflow(
                "Nobody", id=f"{os.environ['TEMPORAL_TASK_QUEUE']}-{number}", task_queue="nobody")
            say("call", begun)
        except Exception as error:
            say("call", begun, error)
        if FLAGS.once or stop.is_set():
            leave(0)
        await asyncio.sleep(PACE)


async def main():
    begun = time.monotonic()
    try:
        client = await connect(FLAGS.lazy)
    except Exception as error:
        say("connect", begun, error)
        leave(3)
    say("connect", begun)
    if FLAGS.role == "connect":
        leave(0)
    await (work if FLAGS.role == "worker" else call)(client)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["connect", "worker", "client"])
    parser.add_argument("--lazy", action="store_true", help="a client that connects with its first call")
    parser.add_argument("--once", action="store_true", help="one call")
    parser.add_argument("--shutdown", action="store_true", help="SIGTERM and SIGINT call worker.shutdown()")
    parser.add_argument("--grace", type=float, default=0, help="graceful_shutdown_timeout")
    parser.add_argument("--swallow", action="store_true", help="the activity takes its cancellation for its end")
    parser.add_argument("--swallow-in-caller", action="store_true", help="who runs the worker does")
    parser.add_argument("--activities-only", action="store_true")
    parser.add_argument("--activities", default="quick,slow")
    FLAGS = parser.parse_args()
    asyncio.run(main())
