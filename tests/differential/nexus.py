"""Nexus: endpoints by the operator service, and the worker behind an endpoint."""

from __future__ import annotations

import dataclasses

from temporalio.api.enums.v1 import NexusHandlerErrorRetryBehavior, PendingNexusOperationState
from temporalio.api.nexus.v1 import (
    CancelOperationResponse, EndpointSpec, EndpointTarget, Failure, HandlerError, Response, StartOperationResponse,
    UnsuccessfulOperationError,
)
from temporalio.api.operatorservice.v1 import request_response_pb2 as op
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws

from side import NAMESPACE, Operation, payload


def endpoint(side, number):
    return f"{side.nonce}-e{number}"


def nexus_queue(side, number):
    return TaskQueue(name=f"{side.nonce}-nexus{number}")


class EndpointOperation(Operation):
    def watches(self):
        return (("endpoint", self.number),)


def spec(side, operation):
    target = EndpointTarget(worker=EndpointTarget.Worker(
        namespace="no-such-namespace" if operation.target == "nowhere" else NAMESPACE,
        task_queue="" if operation.target == "no queue" else nexus_queue(side, operation.number).name))
    if operation.target == "url":
        target = EndpointTarget(external=EndpointTarget.External(url="https://nexus.invalid/drawn"))
    name = endpoint(side, operation.number)
    return EndpointSpec(name="not valid!" if operation.target == "bad name" else name, target=target,
                        description=payload("drawn") if operation.described else None)


@dataclasses.dataclass(frozen=True)
class CreateEndpoint(EndpointOperation):
    number: int
    target: str
    described: bool

    async def run(self, side):
        response, data = await side.raw("create_nexus_endpoint", op.CreateNexusEndpointRequest(spec=spec(side, self)))
        if response:
            side.tokens["endpoint", self.number] = (response.endpoint.id, response.endpoint.version)
        return data


@dataclasses.dataclass(frozen=True)
class UpdateEndpoint(EndpointOperation):
    number: int
    target: str
    described: bool
    stale: bool

    async def run(self, side):
        id_, version = side.tokens.get(("endpoint", self.number), ("", 0))
        response, data = await side.raw("update_nexus_endpoint", op.UpdateNexusEndpointRequest(
            id=id_, version=version + 5 if self.stale else version, spec=spec(side, self)))
        if response:
            side.tokens["endpoint", self.number] = (id_, response.endpoint.version)
        return data


@dataclasses.dataclass(frozen=True)
class DeleteEndpoint(EndpointOperation):
    number: int
    stale: bool

    async def run(self, side):
        id_, version = side.tokens.get(("endpoint", self.number), ("", 0))
        return await side.call("delete_nexus_endpoint", op.DeleteNexusEndpointRequest(
            id=id_, version=version + 5 if self.stale else version))


@dataclasses.dataclass(frozen=True)
class ListEndpoints(EndpointOperation):
    number: int
    reads = True

    async def run(self, side):
        return await side.call("list_nexus_endpoints", op.ListNexusEndpointsRequest(
            name=endpoint(side, self.number), page_size=5))


@dataclasses.dataclass(frozen=True)
class TakeNexus(Operation):
    """Polls the task of an operation that a workflow has scheduled on this endpoint."""

    workflow: int
    number: int

    def applies(self, script):
        state = script.state.get(self.workflow)
        waiting = PendingNexusOperationState.PENDING_NEXUS_OPERATION_STATE_SCHEDULED
        # Of several that wait, matching may hand out any.
        return state is not None and self.number not in script.fake.nexus_tasks and sum(
            p.endpoint == endpoint(script.fake, self.number) and p.state == waiting
            for p in state.pending_nexus_operations) == 1

    async def run(self, side):
        response, data = await side.raw("poll_nexus_task_queue", ws.PollNexusTaskQueueRequest(
            namespace=NAMESPACE, task_queue=nexus_queue(side, self.number), identity="nexus worker"))
        if response and response.task_token:
            side.nexus_tasks[self.number] = response
        return data


@dataclasses.dataclass(frozen=True)
class FinishNexus(Operation):
    workflow: int
    number: int
    how: str

    def applies(self, script):
        return self.number in script.fake.nexus_tasks

    async def run(self, side):
        task = side.nexus_tasks.pop(self.number)
        common = {"namespace": NAMESPACE, "identity": "nexus worker", "task_token": task.task_token}
        if self.how == "handler error":
            return await side.call("respond_nexus_task_failed", ws.RespondNexusTaskFailedRequest(
                error=HandlerError(
                    error_type="BAD_REQUEST", failure=Failure(message="drawn"),
                    retry_behavior=NexusHandlerErrorRetryBehavior.NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE),
                **common))
        start = StartOperationResponse()
        if self.how == "sync":
            start.sync_success.payload.CopyFrom(payload("done"))
        elif self.how == "async":
            start.async_success.operation_token = "operation"
        else:
            start.operation_error.CopyFrom(UnsuccessfulOperationError(
                operation_state=self.how, failure=Failure(message="drawn")))
        if task.request.WhichOneof("variant") == "cancel_operation":
            answer = Response(cancel_operation=CancelOperationResponse())
        else:
            answer = Response(start_operation=start)
        return await side.call("respond_nexus_task_completed", ws.RespondNexusTaskCompletedRequest(
            response=answer, **common))
