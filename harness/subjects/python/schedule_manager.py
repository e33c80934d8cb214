#!/usr/bin/env python3
"""A's schedule manager: the whole life of a schedule, one line for each operation, then its record.

Creates it paused, lists, describes, triggers, unpauses it, lets it run for --actions starts (whatever happens to the server
meanwhile), pauses, updates and deletes it. Every second one start of --type is due, with --overlap for what still runs.
Exit codes: 0 all of it works; 1 something else happened; 2 wrong usage or configuration.
"""

import argparse
import asyncio
import sys
from datetime import timedelta
from typing import Any, Awaitable, Callable, List

import lifecycle
from settings import BadSettings, Settings, add_arguments
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

EVERY = timedelta(seconds=1)
PAUSE = 0.2  # between looks; the schedule's own state comes later than what it does
OUTAGE = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.CANCELLED, RPCStatusCode.UNKNOWN, RPCStatusCode.DEADLINE_EXCEEDED)


def say(text: str) -> None:
    print(f"schedule: {text}", flush=True)


async def until(look: Callable[[], Awaitable[Any]], limit: float) -> Any:
    """The first answer that is one; the server may be away for a while."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    while loop.time() < end:
        try:
            if (answer := await look()) is not None:
                return answer
        except RPCError as error:
            if error.status not in OUTAGE:
                raise
        await asyncio.sleep(PAUSE)
    return None


async def life(client: Client, settings: Settings, flags: argparse.Namespace) -> int:
    async def listed() -> Any:
        return [s async for s in await client.list_schedules() if s.id == flags.schedule_id] or None

    handle: ScheduleHandle = await client.create_schedule(
        flags.schedule_id,
        Schedule(
            action=ScheduleActionStartWorkflow(
                flags.type, *flags.input, id=f"{flags.schedule_id}-run", task_queue=settings.task_queue or ""
            ),
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy[flags.overlap.upper()]),
            state=ScheduleState(paused=True, note="created"),
        ),
    )
    say("created")
    if not await until(listed, 20):
        say("is not listed")
        return 1
    say("listed")
    say(f"described: paused {(await handle.describe()).schedule.state.paused}")
    await handle.trigger(overlap=ScheduleOverlapPolicy.ALLOW_ALL)

    async def acted(wanted: int) -> Any:
        info = (await handle.describe()).info
        return info if info.num_actions >= wanted else None

    if not await until(lambda: acted(1), 20):
        say("was not triggered")
        return 1
    say("triggered")
    await handle.unpause(note="go on")
    say("unpaused")
    if not await until(lambda: acted(1 + flags.actions), flags.actions + 30):
        say(f"did not act {flags.actions} times")
        return 1

    async def pause() -> bool:
        await handle.pause(note="enough")
        return True

    await until(pause, 20)
    say("paused")

    def slower(given: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = given.description.schedule
        schedule.spec.intervals = [ScheduleIntervalSpec(every=timedelta(minutes=45))]
        return ScheduleUpdate(schedule=schedule)

    await handle.update(slower)
    described = await handle.describe()
    say(f"updated: every {described.schedule.spec.intervals[0].every}")
    due = [action.scheduled_at for action in described.info.recent_actions][1:]  # the first was the trigger's
    gaps: List[float] = [(b - a).total_seconds() for a, b in zip(due, due[1:])]
    say(f"record: {len(due)} starts, {sum(gap > 1 for gap in gaps)} skipped, {sum(gap < 1 for gap in gaps)} double")
    await handle.delete()
    try:
        await handle.describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            say("deleted")
            return 0
    say("is still there")
    return 1


async def run(flags: argparse.Namespace, settings: Settings) -> int:
    try:
        return await life(await settings.connect(), settings, flags)
    except RPCError as error:
        say(f"failed: {error.message} ({error.status.name})")
        return 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--schedule-id", default="daily-scrape", help="default daily-scrape")
    parser.add_argument("--type", default="Ping", help="workflow type (default Ping)")
    parser.add_argument("--input", type=float, action="append", default=[], help="a number as its argument")
    parser.add_argument("--actions", type=int, default=4, help="starts by the clock (default 4)")
    parser.add_argument("--overlap", choices=["allow_all", "skip", "buffer_one"], default="allow_all")
    flags = parser.parse_args()
    try:
        settings = Settings(flags)
    except BadSettings as error:
        print(f"schedule_manager.py: {error}", file=sys.stderr)
        return 2
    return asyncio.run(run(flags, settings))


if __name__ == "__main__":
    lifecycle.leave(main())
