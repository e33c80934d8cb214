"""What clients do to workflows: start, signal, query, update, reset, pause, end."""

from __future__ import annotations

import asyncio
import dataclasses

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import Payload, Priority, RetryPolicy
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import QueryRejectCondition, UpdateWorkflowExecutionLifecycleStage
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.update.v1 import Input, Meta, Request, UpdateRef, WaitPolicy
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws

from side import NAMESPACE, Operation, payload, payloads, seconds

STAGES = UpdateWorkflowExecutionLifecycleStage


def override(side, kind):
    """A versioning override: "pinned a", "auto" or "" for none."""
    if not kind:
        return None
    if kind == "auto":
        return VersioningOverride(auto_upgrade=True)
    return VersioningOverride(pinned=VersioningOverride.PinnedOverride(
        behavior=VersioningOverride.PinnedOverrideBehavior.PINNED_OVERRIDE_BEHAVIOR_PINNED,
        version=WorkerDeploymentVersion(deployment_name=f"{side.nonce}-d", build_id=kind.split()[1])))


@dataclasses.dataclass(frozen=True)
class Start(Operation):
    workflow: int
    reuse: int
    conflict: int
    request: int | None
    retries: int | None
    run_timeout: int
    task_timeout: int
    memo: bool
    attribute: str
    type: str = "drawn"
    delay: int = 0
    cron: str = ""
    priority: int = 0
    override: str = ""

    def request_of(self, side, request):
        request.namespace = NAMESPACE
        request.workflow_id = side.wid(self.workflow)
        if self.type:
            request.workflow_type.name = self.type
        request.task_queue.CopyFrom(side.queue(self.workflow))
        request.input.CopyFrom(payloads("start"))
        request.identity = "starter"
        request.workflow_id_reuse_policy = self.reuse
        request.workflow_id_conflict_policy = self.conflict
        if self.request is not None:
            request.request_id = f"{side.nonce}-r{self.request}"
        if self.retries is not None:
            request.retry_policy.CopyFrom(RetryPolicy(initial_interval=seconds(0.01), backoff_coefficient=1.0,
                                                      maximum_attempts=self.retries))
        if self.run_timeout:
            request.workflow_run_timeout.CopyFrom(seconds(self.run_timeout))
        if self.task_timeout:
            request.workflow_task_timeout.CopyFrom(seconds(self.task_timeout))
        if self.memo:
            request.memo.fields["m"].CopyFrom(payload("memo"))
            request.user_metadata.summary.CopyFrom(payload("summary"))
        if self.attribute:
            request.search_attributes.indexed_fields[self.attribute].CopyFrom(
                Payload(metadata={"encoding": b"json/plain", "type": b"Int"}, data=b"7"))
        if self.delay:
            request.workflow_start_delay.CopyFrom(seconds(self.delay))
        if self.cron:
            request.cron_schedule = self.cron
        if self.priority:
            request.priority.CopyFrom(Priority(priority_key=self.priority, fairness_key="f"))
        if self.override:
            request.versioning_override.CopyFrom(override(side, self.override))
        return request

    async def run(self, side):
        response, data = await side.raw(
            "start_workflow_execution", self.request_of(side, ws.StartWorkflowExecutionRequest()))
        if response:
            side.saw_run(self.workflow, response.run_id)
        return data


@dataclasses.dataclass(frozen=True)
class SignalWithStart(Operation):
    start: Start
    signal: str

    @property
    def workflow(self):
        return self.start.workflow

    async def run(self, side):
        request = self.start.request_of(side, ws.SignalWithStartWorkflowExecutionRequest())
        request.signal_name = self.signal
        request.signal_input.CopyFrom(payloads("signal"))
        response, data = await side.raw("signal_with_start_workflow_execution", request)
        if response:
            side.saw_run(self.workflow, response.run_id)
        return data


@dataclasses.dataclass(frozen=True)
class Signal(Operation):
    workflow: int
    name: str
    first_run: bool

    async def run(self, side):
        run = side.runs.get(self.workflow, [""])[0] if self.first_run else ""
        return await side.call("signal_workflow_execution", ws.SignalWorkflowExecutionRequest(
            namespace=NAMESPACE, workflow_execution=side.execution(self.workflow, run), signal_name=self.name,
            input=payloads("signal"), identity="signaller"))


@dataclasses.dataclass(frozen=True)
class Cancel(Operation):
    workflow: int
    reason: str

    async def run(self, side):
        return await side.call("request_cancel_workflow_execution", ws.RequestCancelWorkflowExecutionRequest(
            namespace=NAMESPACE, workflow_execution=side.execution(self.workflow), reason=self.reason,
            identity="canceller", request_id=f"{side.nonce}-c{self.workflow}"))


@dataclasses.dataclass(frozen=True)
class Terminate(Operation):
    workflow: int
    reason: str

    async def run(self, side):
        return await side.call("terminate_workflow_execution", ws.TerminateWorkflowExecutionRequest(
            namespace=NAMESPACE, workflow_execution=side.execution(self.workflow), reason=self.reason,
            identity="terminator", details=payloads("why")))


@dataclasses.dataclass(frozen=True)
class Delete(Operation):
    """Deletes the current run, a closed one: an open one lives on for some ten seconds on the real server."""

    workflow: int
    at_leisure = True

    def applies(self, script):
        # A query that waits meets the run before or after it is gone.
        return not script.is_open(self.workflow) and f"query {self.workflow}" not in script.fake.background

    async def run(self, side):
        return await side.call("delete_workflow_execution", ws.DeleteWorkflowExecutionRequest(
            namespace=NAMESPACE, workflow_execution=side.execution(self.workflow)))


@dataclasses.dataclass(frozen=True)
class Pause(Operation):
    workflow: int
    unpause: bool
    request: int

    async def run(self, side):
        name = "unpause" if self.unpause else "pause"
        return await side.call(f"{name}_workflow_execution", getattr(ws, f"{name.title()}WorkflowExecutionRequest")(
            namespace=NAMESPACE, workflow_id=side.wid(self.workflow), identity="pauser", reason="drawn",
            request_id=f"{side.nonce}-{name}-{self.request}"))


@dataclasses.dataclass(frozen=True)
class UpdateOptions(Operation):
    """Of the current run: versioning override and priority."""

    workflow: int
    override: str
    priority: int
    paths: tuple

    async def run(self, side):
        options = WorkflowExecutionOptions(priority=Priority(priority_key=self.priority) if self.priority else None,
                                           versioning_override=override(side, self.override))
        return await side.call("update_workflow_execution_options", ws.UpdateWorkflowExecutionOptionsRequest(
            namespace=NAMESPACE, workflow_execution=side.execution(self.workflow), workflow_execution_options=options,
            update_mask=FieldMask(paths=self.paths), identity="operator"))


def update_request(side, workflow, update, completed):
    return ws.UpdateWorkflowExecutionRequest(
        namespace=NAMESPACE, workflow_execution=side.execution(workflow),
        wait_policy=WaitPolicy(lifecycle_stage=(
            STAGES.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED if completed
            else STAGES.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED)),
        request=Request(meta=Meta(update_id=f"{side.nonce}-{update}", identity="updater"),
                        input=Input(name="set", args=payloads("update"))))


@dataclasses.dataclass(frozen=True)
class Update(Operation):
    """Sends an update and leaves the call in the background until a worker has answered."""

    workflow: int
    update: str
    completed: bool

    def applies(self, script):
        return not any(name.startswith(f"update {self.workflow}") for name in script.fake.background)

    async def run(self, side):
        side.background[f"update {self.workflow} {self.update} {self.completed}"] = asyncio.ensure_future(
            side.send("update_workflow_execution",
                      update_request(side, self.workflow, self.update, self.completed)))
        return "sent"


@dataclasses.dataclass(frozen=True)
class UpdateWithStart(Operation):
    """ExecuteMultiOperation, in the background as an update is."""

    start: Start
    update: str
    completed: bool

    @property
    def workflow(self):
        return self.start.workflow

    def applies(self, script):
        return not any(name.startswith(f"update {self.workflow}") for name in script.fake.background)

    async def run(self, side):
        operation = ws.ExecuteMultiOperationRequest.Operation
        request = ws.ExecuteMultiOperationRequest(namespace=NAMESPACE, operations=[
            operation(start_workflow=self.start.request_of(side, ws.StartWorkflowExecutionRequest())),
            operation(update_workflow=update_request(side, self.workflow, self.update, self.completed))])
        side.background[f"update {self.workflow} with start"] = asyncio.ensure_future(
            side.send("execute_multi_operation", request))
        return "sent"


@dataclasses.dataclass(frozen=True)
class PollUpdate(Operation):
    """Where an update stands, without waiting."""

    workflow: int
    update: str
    reads = True

    async def run(self, side):
        return await side.call("poll_workflow_execution_update", ws.PollWorkflowExecutionUpdateRequest(
            namespace=NAMESPACE, identity="updater", update_ref=UpdateRef(
                workflow_execution=side.execution(self.workflow), update_id=f"{side.nonce}-{self.update}")))


@dataclasses.dataclass(frozen=True)
class Query(Operation):
    workflow: int
    reject: int

    def applies(self, script):
        return f"query {self.workflow}" not in script.fake.background

    async def run(self, side):
        request = ws.QueryWorkflowRequest(
            namespace=NAMESPACE, execution=side.execution(self.workflow), query_reject_condition=self.reject,
            query=WorkflowQuery(query_type="state", query_args=payloads("query")))
        side.background[f"query {self.workflow}"] = asyncio.ensure_future(side.send("query_workflow", request))
        return "sent"


@dataclasses.dataclass(frozen=True)
class Reset(Operation):
    workflow: int
    event: int
    reapply: int
    exclude: tuple = ()

    async def run(self, side):
        response, data = await side.raw("reset_workflow_execution", ws.ResetWorkflowExecutionRequest(
            namespace=NAMESPACE, workflow_execution=side.execution(self.workflow), reason="drawn",
            workflow_task_finish_event_id=self.event, reset_reapply_type=self.reapply,
            reset_reapply_exclude_types=self.exclude,
            request_id=f"{side.nonce}-reset-{len(side.runs.get(self.workflow, []))}"))
        if response:
            side.saw_run(self.workflow, response.run_id)
        return data


REJECT_CONDITIONS = [0, *QueryRejectCondition.values()[1:]]
