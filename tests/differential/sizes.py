"""Much data: heartbeats, failures, memos and markers, below and above the limits that subjects.SETTINGS sets.

The two servers count the bytes of their own encodings, so sizes keep well away from each limit.
"""

from __future__ import annotations

import dataclasses

from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws

from commands import marker, memo
from side import NAMESPACE, Operation

STATE, TRANSACTION = 310_000, 640_000  # subjects.SETTINGS: four LARGE are too much for the first
SMALL, CUT, LARGE, HUGE = 1_000, 5_000, 90_000, 2_200_000  # CUT: failures; HUGE: any payload
MARKER = 170_000  # four in one completion are too much


def bulk(size):
    return Payload(metadata={"encoding": b"json/plain"}, data=b'"' + b"x" * size + b'"')


def of_attempt(side, operation, by_id):
    """What names the attempt in a request, by either form."""
    if by_id:
        return {"namespace": NAMESPACE, "workflow_id": side.wid(operation.workflow), "activity_id": operation.activity}
    return {"namespace": NAMESPACE, "task_token": side.activities.get((operation.workflow, operation.activity), b"")}


@dataclasses.dataclass(frozen=True)
class Heartbeat(Operation):
    workflow: int
    activity: str
    size: int
    by_id: bool

    async def run(self, side):
        kind = ws.RecordActivityTaskHeartbeatByIdRequest if self.by_id else ws.RecordActivityTaskHeartbeatRequest
        return await side.call("record_activity_task_heartbeat" + ("_by_id" if self.by_id else ""), kind(
            identity="worker", details=Payloads(payloads=[bulk(self.size)]), **of_attempt(side, self, self.by_id)))


@dataclasses.dataclass(frozen=True)
class Fail(Operation):
    """An attempt fails, with the last heartbeat that its worker kept back."""

    workflow: int
    activity: str
    size: int
    heartbeat: int
    caused: bool
    by_id: bool

    async def run(self, side):
        kind = ws.RespondActivityTaskFailedByIdRequest if self.by_id else ws.RespondActivityTaskFailedRequest
        # Characters of three bytes: a cut must divide none.
        told = Failure(message="\N{EURO SIGN}" * (self.size // 3), source="differential", stack_trace="at sizes",
                       application_failure_info=ApplicationFailureInfo(type="Large"))
        if self.caused:
            told.cause.CopyFrom(Failure(message="deeper", application_failure_info=ApplicationFailureInfo(type="Deeper")))
        request = kind(identity="worker", failure=told, **of_attempt(side, self, self.by_id))
        if self.heartbeat:
            request.last_heartbeat_details.payloads.append(bulk(self.heartbeat))
        return await side.call("respond_activity_task_failed" + ("_by_id" if self.by_id else ""), request)


@dataclasses.dataclass(frozen=True)
class Marker:
    size: int

    async def command(self, side, number):
        return marker("bulk", bulk(self.size))


@dataclasses.dataclass(frozen=True)
class Memo:
    key: str
    size: int

    async def command(self, side, number):
        return memo(self.key, bulk(self.size))
