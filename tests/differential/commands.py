"""The commands with which a drawn worker answers workflow tasks."""

from __future__ import annotations

import dataclasses

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import ActivityType, Payload, RetryPolicy, WorkflowType
from temporalio.api.enums.v1 import CommandType

from side import WORKFLOWS, failure, payload, payloads, seconds


@dataclasses.dataclass(frozen=True)
class StartTimer:
    timer: str
    fires: float

    async def command(self, side, number):
        command = Command(command_type=CommandType.COMMAND_TYPE_START_TIMER)
        command.start_timer_command_attributes.timer_id = self.timer
        command.start_timer_command_attributes.start_to_fire_timeout.CopyFrom(seconds(self.fires))
        return command


@dataclasses.dataclass(frozen=True)
class CancelTimer:
    timer: str

    async def command(self, side, number):
        command = Command(command_type=CommandType.COMMAND_TYPE_CANCEL_TIMER)
        command.cancel_timer_command_attributes.timer_id = self.timer
        return command


@dataclasses.dataclass(frozen=True)
class ScheduleActivity:
    activity: str
    schedule_to_close: int
    schedule_to_start: int
    start_to_close: int
    heartbeat: int
    attempts: int | None
    type: str = "act"

    async def command(self, side, number):
        command = Command(command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
        attributes = command.schedule_activity_task_command_attributes
        attributes.activity_id = self.activity
        if self.type:
            attributes.activity_type.CopyFrom(ActivityType(name=self.type))
        attributes.task_queue.CopyFrom(side.queue(number, self.activity))
        attributes.input.CopyFrom(payloads("in"))
        for name in ("schedule_to_close", "schedule_to_start", "start_to_close", "heartbeat"):
            value = getattr(self, name)
            if value:
                getattr(attributes, name + "_timeout").CopyFrom(seconds(value))
        if self.attempts is not None:
            attributes.retry_policy.CopyFrom(RetryPolicy(
                initial_interval=seconds(0.01), backoff_coefficient=1.0, maximum_interval=seconds(1),
                maximum_attempts=self.attempts, non_retryable_error_types=["Fatal"]))
        return command


@dataclasses.dataclass(frozen=True)
class CancelActivity:
    activity: str

    async def command(self, side, number):
        command = Command(command_type=CommandType.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK)
        command.request_cancel_activity_task_command_attributes.scheduled_event_id = await side.event_id_of(
            number, "activity_id", self.activity)
        return command


def marker(name, details):
    command = Command(command_type=CommandType.COMMAND_TYPE_RECORD_MARKER)
    command.record_marker_command_attributes.marker_name = name
    command.record_marker_command_attributes.details["d"].payloads.append(details)
    return command


def memo(key, value):
    command = Command(command_type=CommandType.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES)
    command.modify_workflow_properties_command_attributes.upserted_memo.fields[key].CopyFrom(value)
    return command


@dataclasses.dataclass(frozen=True)
class RecordMarker:
    name: str

    async def command(self, side, number):
        return marker(self.name, payload("mark"))


@dataclasses.dataclass(frozen=True)
class UpsertAttribute:
    name: str
    value: str

    async def command(self, side, number):
        command = Command(command_type=CommandType.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES)
        fields = command.upsert_workflow_search_attributes_command_attributes.search_attributes.indexed_fields
        fields[self.name].CopyFrom(Payload(metadata={"encoding": b"json/plain"}, data=self.value.encode()))
        return command


@dataclasses.dataclass(frozen=True)
class ModifyMemo:
    key: str

    async def command(self, side, number):
        return memo(self.key, payload("memo"))


@dataclasses.dataclass(frozen=True)
class StartChild:
    child: int
    policy: int
    reuse: int
    type: str = "child"

    async def command(self, side, number):
        command = Command(command_type=CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION)
        attributes = command.start_child_workflow_execution_command_attributes
        attributes.workflow_id = side.wid(WORKFLOWS + self.child)
        if self.type:
            attributes.workflow_type.CopyFrom(WorkflowType(name=self.type))
        attributes.task_queue.CopyFrom(side.queue(WORKFLOWS + self.child))
        attributes.parent_close_policy = self.policy
        attributes.workflow_id_reuse_policy = self.reuse
        attributes.input.CopyFrom(payloads("child"))
        return command


@dataclasses.dataclass(frozen=True)
class SignalExternal:
    target: int
    child_only: bool

    async def command(self, side, number):
        command = Command(command_type=CommandType.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION)
        attributes = command.signal_external_workflow_execution_command_attributes
        attributes.execution.CopyFrom(side.execution(self.target))
        attributes.signal_name = "external"
        attributes.child_workflow_only = self.child_only
        return command


@dataclasses.dataclass(frozen=True)
class CancelExternal:
    target: int
    child_only: bool

    async def command(self, side, number):
        command = Command(command_type=CommandType.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION)
        attributes = command.request_cancel_external_workflow_execution_command_attributes
        attributes.workflow_id = side.wid(self.target)
        attributes.child_workflow_only = self.child_only
        return command


@dataclasses.dataclass(frozen=True)
class Close:
    """The command that ends a run: complete, fail, fail for good, cancel or continue as new."""

    how: str

    async def command(self, side, number):
        if self.how == "complete":
            command = Command(command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
            command.complete_workflow_execution_command_attributes.result.CopyFrom(payloads("done"))
        elif self.how in ("fail", "fail for good"):
            command = Command(command_type=CommandType.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION)
            command.fail_workflow_execution_command_attributes.failure.CopyFrom(
                failure("drawn", retryable=self.how == "fail"))
        elif self.how == "cancel":
            command = Command(command_type=CommandType.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION)
            command.cancel_workflow_execution_command_attributes.details.CopyFrom(payloads("why"))
        else:
            command = Command(command_type=CommandType.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION)
            attributes = command.continue_as_new_workflow_execution_command_attributes
            attributes.workflow_type.CopyFrom(WorkflowType(name="next"))
            attributes.task_queue.CopyFrom(side.queue(number))
            attributes.input.CopyFrom(payloads("next"))
        return command


@dataclasses.dataclass(frozen=True)
class ScheduleNexus:
    """Of an endpoint of the script, which need not exist."""

    endpoint: int
    operation: str
    schedule_to_close: int

    async def command(self, side, number):
        command = Command(command_type=CommandType.COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION)
        attributes = command.schedule_nexus_operation_command_attributes
        attributes.endpoint = f"{side.nonce}-e{self.endpoint}"
        attributes.service = "drawn"
        attributes.operation = self.operation
        attributes.input.CopyFrom(payload("nexus"))
        attributes.nexus_header["key"] = "value"
        if self.schedule_to_close:
            attributes.schedule_to_close_timeout.CopyFrom(seconds(self.schedule_to_close))
        return command


@dataclasses.dataclass(frozen=True)
class CancelNexus:
    operation: str

    async def command(self, side, number):
        command = Command(command_type=CommandType.COMMAND_TYPE_REQUEST_CANCEL_NEXUS_OPERATION)
        command.request_cancel_nexus_operation_command_attributes.scheduled_event_id = await side.event_id_of(
            number, "operation", self.operation)
        return command
