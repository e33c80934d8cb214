#!/usr/bin/env python3
"""A tour of Temporal through the real Python SDK: each stop prints one line that must be the same on every correct server.

    tour.py ADDRESS
"""

import asyncio
import sys
import uuid
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import (
    Client, Schedule, ScheduleActionStartWorkflow, ScheduleBackfill, ScheduleIntervalSpec, ScheduleOverlapPolicy, ScheduleSpec,
    ScheduleState, ScheduleUpdate, WithStartWorkflowOperation, WorkflowFailureError, WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import QueryRejectCondition, RetryPolicy, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.worker import Worker

QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=20), backoff_coefficient=1.0, maximum_attempts=3)


@activity.defn
async def echo(text: str) -> str:
    return text


@activity.defn
async def fails_twice() -> int:
    attempt = activity.info().attempt
    if attempt < 3:
        raise ApplicationError(f"attempt {attempt}", type="Tired")
    return attempt


@activity.defn
async def fails_for_good() -> None:
    raise ApplicationError("never again", "detail", type="Fatal", non_retryable=True)


@activity.defn
async def beats_until_cancelled() -> str:
    try:
        while True:
            activity.heartbeat("alive")
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        raise


@activity.defn
async def resumes_from_heartbeat() -> list:
    info = activity.info()
    if info.attempt == 1:
        activity.heartbeat("mark", 7)
        raise ApplicationError("after a heartbeat")
    return [info.attempt, *info.heartbeat_details]


@workflow.defn
class Child:
    @workflow.run
    async def run(self, how: str) -> str:
        if how == "fail":
            raise ApplicationError("child failed", type="ChildFailure")
        if how == "wait":
            await workflow.wait_condition(lambda: False)
        return f"child {how}"


@workflow.defn
class Everything:
    def __init__(self):
        self.signals, self.state = [], "new"

    @workflow.run
    async def run(self, stops: list[str]) -> list:
        return [await getattr(self, stop)() for stop in stops]

    async def activities(self):
        options = {"start_to_close_timeout": timedelta(seconds=30), "retry_policy": QUICK}
        seen = [await workflow.execute_activity(echo, "hello", **options),
                await workflow.execute_activity(fails_twice, **options),
                await workflow.execute_activity(resumes_from_heartbeat, **options)]
        try:
            await workflow.execute_activity(fails_for_good, **options)
        except ActivityError as error:
            seen.append([error.retry_state.name, error.cause.type, str(error.cause), list(error.cause.details)])
        return seen

    async def local_activity(self):
        return await workflow.execute_local_activity(echo, "local", start_to_close_timeout=timedelta(seconds=30))

    async def cancelled_activity(self):
        handle = workflow.start_activity(
            beats_until_cancelled, start_to_close_timeout=timedelta(seconds=60),
            heartbeat_timeout=timedelta(seconds=10),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)
        await workflow.sleep(0.2)
        handle.cancel()
        try:
            await handle
            return "not cancelled"
        except ActivityError as error:
            return type(error.cause).__name__

    async def timers(self):
        await workflow.sleep(0.05)
        try:
            await workflow.wait_condition(lambda: False, timeout=0.05)
        except asyncio.TimeoutError:
            return "timed out as asked"

    async def children(self):
        seen = [await workflow.execute_child_workflow(Child.run, "fine")]
        try:
            await workflow.execute_child_workflow(Child.run, "fail")
        except ChildWorkflowError as error:
            seen.append([error.retry_state.name, error.cause.type, str(error.cause)])
        child = await workflow.start_child_workflow(Child.run, "wait")
        child.cancel()
        try:
            await child
        except ChildWorkflowError as error:
            seen.append(type(error.cause).__name__)
        return seen

    async def messages(self):
        self.state = "waiting"
        await workflow.wait_condition(lambda: len(self.signals) >= 2 and self.state == "set")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return [*sorted(self.signals), self.state]

    async def patches(self):
        workflow.upsert_memo({"seen": "yes"})
        return workflow.patched("a-patch")

    async def info(self):
        info = workflow.info()
        return [info.workflow_type, info.attempt, info.cron_schedule, info.parent is None,
                info.continued_run_id is None, info.namespace]

    @workflow.signal
    def add(self, text: str):
        self.signals.append(text)

    @workflow.query
    def what(self) -> str:
        return self.state

    @workflow.update
    async def set_state(self, state: str) -> str:
        await workflow.sleep(0.01)
        old, self.state = self.state, state
        return old

    @set_state.validator
    def check(self, state: str):
        if state == "bad":
            raise ApplicationError("refused", type="Bad")


@workflow.defn
class Counts:
    @workflow.run
    async def run(self, left: int, done: int) -> int:
        if left:
            workflow.continue_as_new(args=[left - 1, done + 1])
        return done


@workflow.defn
class Waits:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: False)
        except asyncio.CancelledError:
            await workflow.execute_activity(echo, "clean-up", start_to_close_timeout=timedelta(seconds=30))
            raise


def say(stop, value):
    print(f"| {stop}: {value}", flush=True)  # the SDK logs to stdout too


async def outcome(awaitable):
    """The result, or the kind and words of the failure."""
    try:
        return await awaitable
    except WorkflowFailureError as error:
        return f"WorkflowFailureError({type(error.cause).__name__}: {error.cause})"
    except WorkflowUpdateFailedError as error:
        return f"WorkflowUpdateFailedError({error.cause})"
    except WorkflowAlreadyStartedError:
        return "WorkflowAlreadyStartedError"
    except RPCError as error:
        return f"RPCError({error.status.name})"


async def events(handle):
    history = await handle.fetch_history()
    from temporalio.api.enums.v1 import EventType

    return [EventType.Name(e.event_type).removeprefix("EVENT_TYPE_") for e in history.events]


async def tour(client, queue, nonce):
    def wid(name):
        return f"{nonce}-{name}"

    for stop in ("activities", "local_activity", "cancelled_activity", "timers", "children", "patches", "info"):
        handle = await client.start_workflow(Everything.run, [stop], id=wid(stop), task_queue=queue)
        say(stop, await outcome(handle.result()))
        if stop in ("activities", "timers", "patches"):
            say(f"{stop} events", await events(handle))

    handle = await client.start_workflow(Everything.run, ["messages"], id=wid("messages"), task_queue=queue)
    await handle.signal(Everything.add, "one")
    say("update refused", await outcome(handle.execute_update(Everything.set_state, "bad")))
    say("update", await outcome(handle.execute_update(Everything.set_state, "set")))
    say("query", await handle.query(Everything.what))
    await handle.signal(Everything.add, "two")
    say("messages", await outcome(handle.result()))
    say("query when closed", await handle.query(Everything.what))
    try:
        await handle.query(Everything.what, reject_condition=QueryRejectCondition.NOT_OPEN)
    except WorkflowQueryRejectedError as error:
        say("query rejected", error.status.name)
    say("update when closed", await outcome(handle.execute_update(Everything.set_state, "late")))

    handle = await client.start_workflow(
        Everything.run, ["messages"], id=wid("sws"), task_queue=queue, start_signal="add", start_signal_args=["first"])
    start = WithStartWorkflowOperation(Everything.run, ["messages"], id=wid("sws"), task_queue=queue,
                                       id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
    say("update with start", await outcome(client.execute_update_with_start_workflow(
        Everything.set_state, "set", start_workflow_operation=start)))
    await handle.signal("add", "second")
    say("signal with start", await outcome(handle.result()))

    say("continue as new", await outcome(client.execute_workflow(
        Counts.run, args=[3, 0], id=wid("counts"), task_queue=queue)))

    handle = await client.start_workflow(Waits.run, id=wid("waits"), task_queue=queue)
    say("started twice", await outcome(client.start_workflow(Waits.run, id=wid("waits"), task_queue=queue)))
    await handle.cancel()
    say("cancelled", await outcome(handle.result()))
    say("cancelled status", (await handle.describe()).status.name)
    say("reuse refused", await outcome(client.start_workflow(
        Waits.run, id=wid("waits"), task_queue=queue, id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)))
    handle = await client.start_workflow(Waits.run, id=wid("waits"), task_queue=queue)
    await handle.terminate("by the tour")
    say("terminated", await outcome(handle.result()))
    say("signal when closed", await outcome(handle.signal("add", "x")))
    say("no such workflow", await outcome(client.get_workflow_handle(wid("none")).describe()))
    handle = await client.start_workflow(
        Waits.run, id=wid("timeout"), task_queue=queue, run_timeout=timedelta(seconds=1))
    say("timed out", await outcome(handle.result()))

    await schedules(client, queue, wid)


async def schedules(client, queue, wid):
    action = ScheduleActionStartWorkflow(Child.run, "scheduled", id=wid("by-schedule"), task_queue=queue)
    handle = await client.create_schedule(wid("schedule"), Schedule(
        action=action, spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=1))]),
        state=ScheduleState(paused=True, note="made by the tour")))
    described = await handle.describe()
    say("schedule", [described.schedule.state.paused, described.schedule.state.note, described.info.num_actions])
    try:
        await client.create_schedule(wid("schedule"), described.schedule)
    except Exception as error:  # noqa: BLE001: its type is what is compared
        say("schedule twice", type(error).__name__)
    await handle.trigger(overlap=ScheduleOverlapPolicy.ALLOW_ALL)
    for _ in range(200):
        described = await handle.describe()
        if described.info.num_actions == 1 and not described.info.running_actions:
            break
        await asyncio.sleep(0.05)  # the schedule's own state comes later than its workflow's end
    say("schedule triggered", [described.info.num_actions, len(described.info.recent_actions)])
    await handle.unpause(note="go on")
    described = await handle.describe()
    say("schedule unpaused", [described.schedule.state.paused, described.schedule.state.note,
                              len(described.info.next_action_times)])

    def slower(given):
        given.description.schedule.spec.intervals[0].every = timedelta(hours=2)
        return ScheduleUpdate(schedule=given.description.schedule)

    await handle.update(slower)
    described = await handle.describe()
    say("schedule updated", str(described.schedule.spec.intervals[0].every))
    now = described.info.created_at
    await handle.backfill(ScheduleBackfill(start_at=now - timedelta(hours=5), end_at=now - timedelta(hours=1),
                                           overlap=ScheduleOverlapPolicy.ALLOW_ALL))
    for _ in range(200):
        described = await handle.describe()
        if described.info.num_actions == 3:
            break
        await asyncio.sleep(0.05)
    say("schedule backfilled", described.info.num_actions)
    await handle.delete()
    say("schedule deleted", await outcome(handle.describe()))


async def main():
    # Core logs to stdout, in the middle of our lines where Python does not buffer them.
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
    client = await Client.connect(sys.argv[1])
    nonce = uuid.uuid4().hex[:8]
    queue = f"{nonce}-queue"
    async with Worker(client, task_queue=queue, workflows=[Everything, Child, Counts, Waits],
                      activities=[echo, fails_twice, fails_for_good, beats_until_cancelled, resumes_from_heartbeat]):
        await tour(client, queue, nonce)
    say("tour", "done")


if __name__ == "__main__":
    asyncio.run(main())
