"""What operators do to activities of workflows, and activities without a workflow."""

from __future__ import annotations

import dataclasses

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.common.v1 import ActivityType, RetryPolicy
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws

from side import NAMESPACE, Operation, payloads, seconds
from workers import answer_activity

# Options that an operator sets, by the path of the update mask.
OPTIONS = ActivityOptions(
    start_to_close_timeout=seconds(50), heartbeat_timeout=seconds(40), schedule_to_close_timeout=seconds(500),
    retry_policy=RetryPolicy(initial_interval=seconds(0.01), backoff_coefficient=2.0, maximum_interval=seconds(2),
                             maximum_attempts=5))
PATHS = ("start_to_close_timeout", "heartbeat_timeout", "schedule_to_close_timeout", "retry_policy",
         "retry_policy.maximum_attempts", "task_queue.name", "no_such_field")


@dataclasses.dataclass(frozen=True)
class Operate(Operation):
    """Pause, unpause, reset or update-options of an activity: by its id, by its type, or of all."""

    workflow: int
    activity: str
    how: str
    by: str  # id, type or all
    flags: tuple = ()
    paths: tuple = ()

    async def run(self, side):
        common = {"namespace": NAMESPACE, "execution": side.execution(self.workflow), "identity": "operator"}
        if self.by == "id":
            common["id"] = self.activity
        elif self.by == "type":
            common["type"] = "act"
        elif self.how == "unpause":
            common["unpause_all"] = True
        elif self.how != "pause":  # which knows no "all": then nothing says which one is meant
            common["match_all"] = True
        if self.how == "update":
            return await side.call("update_activity_options", ws.UpdateActivityOptionsRequest(
                activity_options=OPTIONS, update_mask=FieldMask(paths=self.paths),
                restore_original="restore" in self.flags, **common))
        if self.how == "pause":
            return await side.call("pause_activity", ws.PauseActivityRequest(reason="drawn", **common))
        if self.how == "unpause":
            return await side.call("unpause_activity", ws.UnpauseActivityRequest(
                reset_attempts="attempts" in self.flags, reset_heartbeat="heartbeat" in self.flags, **common))
        return await side.call("reset_activity", ws.ResetActivityRequest(
            reset_heartbeat="heartbeat" in self.flags, keep_paused="keep paused" in self.flags,
            restore_original_options="restore" in self.flags, **common))


# --- activities without a workflow -----------------------------------------------------------------------------------

def activity_id(side, number):
    return f"{side.nonce}-a{number}"


class StandaloneOperation(Operation):
    def watches(self):
        return (("activity", self.number),)


@dataclasses.dataclass(frozen=True)
class StartStandalone(StandaloneOperation):
    number: int
    reuse: int
    conflict: int
    attempts: int | None
    start_to_close: int
    schedule_to_close: int
    heartbeat: int
    request: int
    type: str

    async def run(self, side):
        request = ws.StartActivityExecutionRequest(
            namespace=NAMESPACE, identity="starter", request_id=f"{side.nonce}-r{self.request}",
            activity_id=activity_id(side, self.number), task_queue=side.queue(0, f"s{self.number}"),
            activity_type=ActivityType(name=self.type), input=payloads("in"), id_reuse_policy=self.reuse,
            id_conflict_policy=self.conflict)
        for name in ("start_to_close", "schedule_to_close", "heartbeat"):
            if getattr(self, name):
                getattr(request, f"{name}_timeout").CopyFrom(seconds(getattr(self, name)))
        if self.attempts is not None:
            request.retry_policy.CopyFrom(RetryPolicy(initial_interval=seconds(0.01), backoff_coefficient=1.0,
                                                      maximum_attempts=self.attempts))
        return await side.call("start_activity_execution", request)


@dataclasses.dataclass(frozen=True)
class TakeStandalone(StandaloneOperation):
    number: int

    def applies(self, script):
        seen = script.seen.get(("activity", self.number))
        return seen is not None and seen.info.run_state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED

    async def run(self, side):
        response, data = await side.raw("poll_activity_task_queue", ws.PollActivityTaskQueueRequest(
            namespace=NAMESPACE, task_queue=side.queue(0, f"s{self.number}"), identity="worker"))
        if response and response.task_token:
            side.activities["standalone", self.number] = response.task_token
        return data


@dataclasses.dataclass(frozen=True)
class FinishStandalone(StandaloneOperation):
    number: int
    how: str
    by_id: bool

    def applies(self, script):
        return self.by_id or ("standalone", self.number) in script.fake.activities

    async def run(self, side):
        ids = {"activity_id": activity_id(side, self.number)} if self.by_id else None
        return await answer_activity(side, self.how, side.activities.get(("standalone", self.number), b""), ids)


@dataclasses.dataclass(frozen=True)
class EndStandalone(StandaloneOperation):
    """Asks for its cancellation, terminates or deletes it."""

    number: int
    how: str

    async def run(self, side):
        execution = {"namespace": NAMESPACE, "activity_id": activity_id(side, self.number)}
        if self.how == "cancel":
            return await side.call("request_cancel_activity_execution", ws.RequestCancelActivityExecutionRequest(
                identity="canceller", reason="drawn", request_id=f"{side.nonce}-cancel", **execution))
        if self.how == "terminate":
            return await side.call("terminate_activity_execution", ws.TerminateActivityExecutionRequest(
                identity="terminator", reason="drawn", request_id=f"{side.nonce}-terminate", **execution))
        return await side.call("delete_activity_execution", ws.DeleteActivityExecutionRequest(**execution))


@dataclasses.dataclass(frozen=True)
class OperateStandalone(StandaloneOperation):
    number: int
    how: str

    async def run(self, side):
        execution = {"namespace": NAMESPACE, "activity_id": activity_id(side, self.number), "identity": "operator"}
        if self.how == "update":
            return await side.call("update_activity_execution_options", ws.UpdateActivityExecutionOptionsRequest(
                activity_options=OPTIONS, update_mask=FieldMask(paths=["start_to_close_timeout"]), **execution))
        kind = getattr(ws, f"{self.how.title()}ActivityExecutionRequest")
        return await side.call(f"{self.how}_activity_execution", kind(**execution))
