"""The built-in workflows and activities: those of fakes/worker/builtins.h, by the same names and with the same results.

Effects: every activity has one side effect, at the end of its body, told by an "effect" line under the same key as in C++.
"""

import asyncio
from datetime import timedelta
from typing import Any, Optional

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    import lifecycle

# As in builtins.cc: long enough for a worker to come back after any outage that scenarios make.
SHORT_ACTIVITY_LIMIT = timedelta(seconds=30)
HEARTBEAT_LIMIT = timedelta(seconds=5)
SLOW_ATTEMPTS_MAX = 5
FLAKY_FIRST = timedelta(seconds=1)
FLAKY_ATTEMPTS_MAX = 5


def tell_effect(key: str) -> None:
    lifecycle.write("effect", task=key, workflow_id=activity.info().workflow_id or "")


@activity.defn(name="echo")
async def echo(x: Any = None) -> Any:
    tell_effect(f"echo/{activity.info().workflow_id}")
    return x


@activity.defn(name="effect")
async def effect(key: str) -> str:
    tell_effect(key)
    return key


@activity.defn(name="slow")
async def slow(duration_seconds: float) -> str:
    loop = asyncio.get_running_loop()
    end = loop.time() + duration_seconds
    # Several beats within one time-out, so that a late one does not cost the attempt.
    beat = (activity.info().heartbeat_timeout or HEARTBEAT_LIMIT).total_seconds() / 5
    beats = 0
    while (left := end - loop.time()) > 0:
        beats += 1
        activity.heartbeat(beats)
        await asyncio.sleep(min(beat, left))
    tell_effect(f"slow/{activity.info().workflow_id}")
    return "slow done"


@activity.defn(name="flaky")
async def flaky(failures: int) -> int:
    attempt = activity.info().attempt
    if attempt <= failures:
        raise ApplicationError(f"attempt {attempt}", type="Tired")
    tell_effect(f"flaky/{activity.info().workflow_id}")
    return attempt


@activity.defn(name="execute")
async def execute(execution: str, duration_seconds: float) -> str:
    """The runner's part of squall-service's executions."""
    await asyncio.sleep(duration_seconds)
    tell_effect(f"execute/{execution}")
    return f"executed {execution}"


@workflow.defn(name="Ping")
class Ping:
    @workflow.run
    async def run(self, x: Any = None) -> Any:
        return x


@workflow.defn(name="Echo")
class Echo:
    @workflow.run
    async def run(self, x: Any = None) -> Any:
        return await workflow.execute_activity("echo", x, start_to_close_timeout=SHORT_ACTIVITY_LIMIT)


@workflow.defn(name="Chain")
class Chain:
    @workflow.run
    async def run(self, n: int) -> int:
        for i in range(1, n + 1):
            key = f"effect/{workflow.info().workflow_id}/{i}"
            await workflow.execute_activity("effect", key, start_to_close_timeout=SHORT_ACTIVITY_LIMIT)
        return n


@workflow.defn(name="Timer")
class Timer:
    @workflow.run
    async def run(self, ms: int) -> str:
        await asyncio.sleep(ms / 1000)
        return "done"


@workflow.defn(name="Slow")
class Slow:
    @workflow.run
    async def run(self, duration_seconds: float) -> str:
        return await workflow.execute_activity(
            "slow",
            duration_seconds,
            start_to_close_timeout=timedelta(seconds=duration_seconds + 60),
            heartbeat_timeout=HEARTBEAT_LIMIT,
            retry_policy=RetryPolicy(maximum_attempts=SLOW_ATTEMPTS_MAX),
        )


async def run_flaky(failures: int, attempts: int) -> int:
    policy = RetryPolicy(initial_interval=FLAKY_FIRST, maximum_attempts=attempts)
    return await workflow.execute_activity(
        "flaky", failures, start_to_close_timeout=SHORT_ACTIVITY_LIMIT, retry_policy=policy
    )


@workflow.defn(name="Flaky")
class Flaky:
    @workflow.run
    async def run(self, failures: int) -> int:
        return await run_flaky(failures, FLAKY_ATTEMPTS_MAX)


@workflow.defn(name="FlakyOnce")
class FlakyOnce:
    @workflow.run
    async def run(self, failures: int) -> int:
        return await run_flaky(failures, 1)


@workflow.defn(name="SignalWait")
class SignalWait:
    def __init__(self) -> None:
        self._state = "waiting"
        self._received = False
        self._payload: Any = None

    @workflow.run
    async def run(self) -> Any:
        await workflow.wait_condition(lambda: self._received)
        self._state = "done"
        return self._payload

    @workflow.signal
    def go(self, payload: Any = None) -> None:
        self._received = True
        self._payload = payload

    @workflow.query
    def state(self) -> str:
        return self._state

    @workflow.update(name="set")
    def set_state(self, state: str) -> str:
        before, self._state = self._state, state
        return before

    @set_state.validator
    def check_state(self, state: str) -> None:
        if not state:
            raise ApplicationError("the state must not be empty", type="EmptyState")


@workflow.defn(name="Parent")
class Parent:
    @workflow.run
    async def run(self, x: Any = None) -> Any:
        return await workflow.execute_child_workflow("Ping", x, id=f"{workflow.info().workflow_id}/child")


@workflow.defn(name="Loop")
class Loop:
    @workflow.run
    async def run(self, n: int, done: Optional[int] = None) -> int:
        so_far = done or 0
        if so_far < n:
            workflow.continue_as_new(args=[n, so_far + 1])
        return n


@workflow.defn(name="Cancellable")
class Cancellable:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


WORKFLOWS = [Ping, Echo, Chain, Timer, Slow, Flaky, FlakyOnce, SignalWait, Parent, Loop, Cancellable]
ACTIVITIES = [echo, effect, slow, flaky, execute]
