"""Schedules: their life, their actions, and when they would act."""

from __future__ import annotations

import dataclasses

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Memo, Payload, WorkflowType
from temporalio.api.schedule.v1 import (
    BackfillRequest, CalendarSpec, IntervalSpec, Range, Schedule, SchedulePatch, SchedulePolicies, ScheduleSpec,
    ScheduleState, StructuredCalendarSpec, TriggerImmediatelyRequest,
)
from temporalio.api.workflow.v1 import NewWorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws

from side import NAMESPACE, Operation, payload, payloads, seconds

# Whole years that no schedule of a script reaches by itself: what falls into them is compared second by second.
FAR = 1893456000  # 2030-01-01T00:00:00Z
DAY = 86400

# None of them acts while a script runs; what acts is triggered or filled in.
SPECS = {
    "none": ScheduleSpec(),
    "cron": ScheduleSpec(cron_string=["0 12 1 1 *"], start_time=Timestamp(seconds=FAR)),
    "cron in a zone": ScheduleSpec(cron_string=["30 3 * * 1"], timezone_name="Europe/Berlin",
                                   start_time=Timestamp(seconds=FAR)),
    "cron of names": ScheduleSpec(cron_string=["15 10 * jan-mar mon,wed # comment"], start_time=Timestamp(seconds=FAR)),
    "interval": ScheduleSpec(interval=[IntervalSpec(interval=seconds(7 * DAY), phase=seconds(3600))],
                             start_time=Timestamp(seconds=FAR)),
    "calendar": ScheduleSpec(calendar=[CalendarSpec(hour="3-9/3", day_of_week="sunday", comment="drawn")],
                             start_time=Timestamp(seconds=FAR), end_time=Timestamp(seconds=FAR + 200 * DAY)),
    "structured": ScheduleSpec(
        structured_calendar=[StructuredCalendarSpec(
            second=[Range(start=5)], minute=[Range(start=0)], hour=[Range(start=1, end=23, step=7)],
            day_of_month=[Range(start=1, end=31, step=10)], month=[Range(start=1, end=12)],
            day_of_week=[Range(start=0, end=6)])],
        exclude_structured_calendar=[StructuredCalendarSpec(
            second=[Range(start=0, end=59)], minute=[Range(start=0, end=59)], hour=[Range(start=0, end=23)],
            day_of_month=[Range(start=11)], month=[Range(start=1, end=12)], day_of_week=[Range(start=0, end=6)])],
        start_time=Timestamp(seconds=FAR)),
    "jitter": ScheduleSpec(interval=[IntervalSpec(interval=seconds(30 * DAY))], jitter=seconds(60),
                           start_time=Timestamp(seconds=FAR)),
    "bad cron": ScheduleSpec(cron_string=["61 * * * *"]),
    "bad zone": ScheduleSpec(cron_string=["0 0 * * *"], timezone_name="Nowhere/Land"),
    "bad interval": ScheduleSpec(interval=[IntervalSpec(interval=seconds(0.01), phase=seconds(5))]),
}


def schedule_id(side, number):
    return f"{side.nonce}-s{number}"


def number_of(side):
    """By which a list finds the schedules of this script: their ids cannot be asked for."""
    return int(side.nonce[1:8], 16)


class ScheduleOperation(Operation):
    def watches(self):
        return (("schedule", self.number),)


def drawn_schedule(side, operation):
    return Schedule(
        spec=SPECS[operation.spec],
        action={"start_workflow": NewWorkflowExecutionInfo(
            workflow_id=f"{side.nonce}-by-{operation.number}", workflow_type=WorkflowType(name="scheduled"),
            task_queue=side.queue(0), input=payloads("in"))} if operation.action else None,
        policies=SchedulePolicies(overlap_policy=operation.overlap, pause_on_failure=True) if operation.overlap else None,
        state=ScheduleState(notes="drawn", paused=operation.paused, limited_actions=operation.limit > 0,
                            remaining_actions=operation.limit))


@dataclasses.dataclass(frozen=True)
class CreateSchedule(ScheduleOperation):
    number: int
    spec: str
    overlap: int
    paused: bool
    limit: int
    action: bool
    memo: bool
    request: int

    async def run(self, side):
        request = ws.CreateScheduleRequest(
            namespace=NAMESPACE, schedule_id=schedule_id(side, self.number), schedule=drawn_schedule(side, self),
            identity="scheduler", request_id=f"{side.nonce}-r{self.request}",
            memo=Memo(fields={"m": payload("memo")}) if self.memo else None)
        request.search_attributes.indexed_fields["CustomIntField"].CopyFrom(
            Payload(metadata={"encoding": b"json/plain", "type": b"Int"}, data=str(number_of(side)).encode()))
        response, data = await side.raw("create_schedule", request)
        if response:
            side.tokens["schedule", self.number] = response.conflict_token
        return data


@dataclasses.dataclass(frozen=True)
class UpdateSchedule(ScheduleOperation):
    number: int
    spec: str
    overlap: int
    paused: bool
    limit: int
    action: bool
    token: str  # none, first (stale after a change) or bad

    async def run(self, side):
        token = {"none": b"", "first": side.tokens.get(("schedule", self.number), b""), "bad": b"x"}[self.token]
        return await side.call("update_schedule", ws.UpdateScheduleRequest(
            namespace=NAMESPACE, schedule_id=schedule_id(side, self.number), schedule=drawn_schedule(side, self),
            conflict_token=token, identity="updater", request_id=f"{side.nonce}-u{self.number}-{self.spec}-{self.limit}"))


@dataclasses.dataclass(frozen=True)
class PatchSchedule(ScheduleOperation):
    number: int
    how: str
    overlap: int

    async def run(self, side):
        patch = SchedulePatch()
        if self.how == "pause":
            patch.pause = "paused by a script"
        elif self.how == "unpause":
            patch.unpause = "unpaused by a script"
        elif self.how == "trigger":
            # Each at a moment of its own: the ids of what they start are made of it.
            count = side.tokens["triggers", self.number] = side.tokens.get(("triggers", self.number), 0) + 1
            patch.trigger_immediately.CopyFrom(TriggerImmediatelyRequest(
                overlap_policy=self.overlap, scheduled_time=Timestamp(seconds=1700000000 + count)))
        else:
            patch.backfill_request.append(BackfillRequest(
                start_time=Timestamp(seconds=FAR), end_time=Timestamp(seconds=FAR + 8 * DAY),
                overlap_policy=self.overlap))
        return await side.call("patch_schedule", ws.PatchScheduleRequest(
            namespace=NAMESPACE, schedule_id=schedule_id(side, self.number), patch=patch, identity="patcher"))


@dataclasses.dataclass(frozen=True)
class MatchingTimes(ScheduleOperation):
    """In a far year, and compared to the second."""

    number: int
    days: int
    reads = True

    def applies(self, script):
        # Of one that has jitter, the identifier decides the moment, and it is another on each side.
        seen = script.seen.get(("schedule", self.number))
        return seen is None or not seen.schedule.spec.HasField("jitter")

    async def run(self, side):
        response, data = await side.raw("list_schedule_matching_times", ws.ListScheduleMatchingTimesRequest(
            namespace=NAMESPACE, schedule_id=schedule_id(side, self.number), start_time=Timestamp(seconds=FAR),
            end_time=Timestamp(seconds=FAR + self.days * DAY)))
        return [t.ToJsonString() for t in response.start_time] if response else data


@dataclasses.dataclass(frozen=True)
class DeleteSchedule(ScheduleOperation):
    number: int

    async def run(self, side):
        return await side.call("delete_schedule", ws.DeleteScheduleRequest(
            namespace=NAMESPACE, schedule_id=schedule_id(side, self.number), identity="deleter"))


@dataclasses.dataclass(frozen=True)
class CountSchedules(Operation):
    query: str
    reads = True

    async def run(self, side):
        query = f"CustomIntField = {number_of(side)}" + (f" AND {self.query}" if self.query else "")
        return await side.call("count_schedules", ws.CountSchedulesRequest(namespace=NAMESPACE, query=query))


@dataclasses.dataclass(frozen=True)
class ListSchedules(Operation):
    query: str
    reads = True

    async def run(self, side):
        query = f"CustomIntField = {number_of(side)}" + (f" AND {self.query}" if self.query else "")
        data = await side.call("list_schedules", ws.ListSchedulesRequest(
            namespace=NAMESPACE, query=query, maximum_page_size=10))
        if "ok" in data:  # in no order
            data["ok"].get("schedules", []).sort(key=lambda s: s["schedule_id"])
        return data
