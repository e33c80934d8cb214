"""What workers do: poll for tasks and answer them."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from datetime import timedelta

from google.protobuf.any_pb2 import Any
from temporalio.api.command.v1 import Command
from temporalio.api.deployment.v1 import WorkerDeploymentOptions, WorkerDeploymentVersion
from temporalio.api.enums.v1 import (
    CommandType, PendingActivityState, TaskQueueType, VersioningBehavior, WorkerVersioningMode,
    WorkflowTaskFailedCause,
)
from temporalio.api.protocol.v1 import Message
from temporalio.api.query.v1 import WorkflowQueryResult
from temporalio.api.update.v1 import Acceptance, Outcome, Rejection, Request, Response
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws
from temporalio.service import RPCError

import commands
from side import NAMESPACE, SETTLE_S, WORKFLOWS, Operation, failure, payloads


@dataclasses.dataclass(frozen=True)
class Take(Operation):
    """Polls the workflow task that is pending and keeps it."""

    workflow: int

    def applies(self, script):
        return self.workflow not in script.fake.workflow_tasks and script.task_waits(self.workflow)

    async def run(self, side):
        response, data = await side.raw("poll_workflow_task_queue", ws.PollWorkflowTaskQueueRequest(
            namespace=NAMESPACE, task_queue=side.queue(self.workflow), identity="worker"))
        keep_task(side, self.workflow, response, None)
        return data


def keep_task(side, workflow, response, build):
    if getattr(response, "task_token", b""):  # neither an error nor an empty answer
        side.workflow_tasks[workflow] = response
        side.tokens["build", workflow] = build
        side.saw_run(workflow, response.workflow_execution.run_id)


def deployment_options(side, build):
    if not build:
        return None
    return WorkerDeploymentOptions(deployment_name=f"{side.nonce}-d", build_id=build,
                                   worker_versioning_mode=WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED)


@dataclasses.dataclass(frozen=True)
class Worker(Operation):
    """A worker of a build ("": none) comes up on a workflow's queue. It takes every task that it gets from then on:
    its poll waits in the background and begins anew when its task was answered (lockstep.Lockstep.settle)."""

    workflow: int
    build: str

    def applies(self, script):
        return (self.workflow, self.build) not in script.fake.polls

    def watches(self):
        return (*super().watches(), ("deployment", 0), *((("version", self.build),) if self.build else ()))

    async def run(self, side):
        self.poll(side)
        # Before the poll has come neither server knows the version, and both would seem to agree.
        until = time.monotonic() + SETTLE_S
        while not (side.polls[self.workflow, self.build].done() or await self.known(side)) and time.monotonic() < until:
            await asyncio.sleep(0.01)  # the state of other programs: there is no event to wait for
        return "polls"

    async def known(self, side):
        """Whether the server has the poll: the version has the queue, or the queue has the poller."""
        queue = side.queue(self.workflow)
        if self.build:
            version = await side.send(
                "describe_worker_deployment_version", ws.DescribeWorkerDeploymentVersionRequest(
                    namespace=NAMESPACE, deployment_version=WorkerDeploymentVersion(
                        deployment_name=f"{side.nonce}-d", build_id=self.build)))
            return not isinstance(version, RPCError) and any(
                q.name == queue.name for q in version.worker_deployment_version_info.task_queue_infos)
        described = await side.send("describe_task_queue", ws.DescribeTaskQueueRequest(
            namespace=NAMESPACE, task_queue=queue, task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW))
        return isinstance(described, RPCError) or any(p.identity == "worker" for p in described.pollers)

    def poll(self, side):
        side.polls[self.workflow, self.build] = asyncio.ensure_future(side.send(
            "poll_workflow_task_queue", ws.PollWorkflowTaskQueueRequest(
                namespace=NAMESPACE, task_queue=side.queue(self.workflow), identity=f"worker {self.build}".strip(),
                deployment_options=deployment_options(side, self.build)), timedelta(seconds=60)))


@dataclasses.dataclass(frozen=True)
class Complete(Operation):
    """Answers the task taken, with commands, the answers to its queries, and a verdict for each of its updates."""

    workflow: int
    commands: tuple
    verdict: str
    new_task: bool
    behavior: int = 0
    return_task: bool = False

    def applies(self, script):
        return self.workflow in script.fake.workflow_tasks or script.task_waits(self.workflow)

    def watches(self):
        return (*super().watches(), *(("workflow", WORKFLOWS + c.child) for c in self.commands
                                      if isinstance(c, commands.StartChild)))

    async def run(self, side):
        task = side.workflow_tasks.pop(self.workflow)
        if task.HasField("query"):
            return await side.call("respond_query_task_completed", ws.RespondQueryTaskCompletedRequest(
                namespace=NAMESPACE, task_token=task.task_token, completed_type=1, query_result=payloads("state")))
        build = side.tokens.get(("build", self.workflow))
        request = ws.RespondWorkflowTaskCompletedRequest(
            namespace=NAMESPACE, task_token=task.task_token, identity="worker",
            commands=[await c.command(side, self.workflow) for c in self.commands],
            force_create_new_workflow_task=self.new_task, return_new_workflow_task=self.return_task,
            deployment_options=deployment_options(side, build),
            versioning_behavior=(self.behavior or VersioningBehavior.VERSIONING_BEHAVIOR_AUTO_UPGRADE) if build else 0)
        for message in task.messages:
            self.answer(message, request)
        for query_id in task.queries:
            request.query_results[query_id].CopyFrom(WorkflowQueryResult(result_type=1, answer=payloads("state")))
        response, data = await side.raw("respond_workflow_task_completed", request)
        if response and response.HasField("workflow_task"):
            keep_task(side, self.workflow, response.workflow_task, build)
        return data

    def answer(self, message, request):
        """The protocol messages of an update, and the command that puts each into its place."""
        asked = Request()
        message.body.Unpack(asked)

        def say(name, body):
            any_body = Any()
            any_body.Pack(body)
            said = Message(id=f"{message.protocol_instance_id}/{name}", body=any_body,
                           protocol_instance_id=message.protocol_instance_id)
            request.messages.append(said)
            command = Command(command_type=CommandType.COMMAND_TYPE_PROTOCOL_MESSAGE)
            command.protocol_message_command_attributes.message_id = said.id
            # Before a command that closes the run, as SDKs put it.
            request.commands.insert(0 if name != "response" else 1, command)

        if self.verdict == "reject":
            any_body = Any()
            any_body.Pack(Rejection(rejected_request=asked, rejected_request_message_id=message.id,
                                    rejected_request_sequencing_event_id=message.event_id,
                                    failure=failure("rejected")))
            request.messages.append(Message(id=f"{message.protocol_instance_id}/reject", body=any_body,
                                            protocol_instance_id=message.protocol_instance_id))
            return
        say("accept", Acceptance(accepted_request=asked, accepted_request_message_id=message.id,
                                 accepted_request_sequencing_event_id=message.event_id))
        if self.verdict == "complete":
            say("response", Response(meta=asked.meta, outcome=Outcome(success=payloads("updated"))))


@dataclasses.dataclass(frozen=True)
class FailTask(Operation):
    workflow: int

    def applies(self, script):
        task = script.fake.workflow_tasks.get(self.workflow)
        return task is not None and not task.HasField("query")

    async def run(self, side):
        task = side.workflow_tasks.pop(self.workflow)
        return await side.call("respond_workflow_task_failed", ws.RespondWorkflowTaskFailedRequest(
            namespace=NAMESPACE, task_token=task.task_token, identity="worker", failure=failure("task"),
            deployment_options=deployment_options(side, side.tokens.get(("build", self.workflow))),
            cause=WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR))


@dataclasses.dataclass(frozen=True)
class TakeActivity(Operation):
    workflow: int
    activity: str

    def applies(self, script):
        state = script.state.get(self.workflow)
        # Of a closed run, Describe still tells the activities that waited at the end.
        return script.is_open(self.workflow) and any(
            p.activity_id == self.activity
            and p.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED for p in state.pending_activities)

    async def run(self, side):
        response, data = await side.raw("poll_activity_task_queue", ws.PollActivityTaskQueueRequest(
            namespace=NAMESPACE, task_queue=side.queue(self.workflow, self.activity), identity="worker"))
        if response and response.task_token:
            side.activities[self.workflow, self.activity] = response.task_token
        return data


async def answer_activity(side, how, token, by_id):
    """Answers an attempt or tells its progress: by its token, or by the ids in `by_id`."""
    common = {"namespace": NAMESPACE, "identity": "worker"}
    name = {"complete": "Completed", "fail": "Failed", "fail for good": "Failed", "cancel": "Canceled",
            "heartbeat": ""}[how]
    if how == "complete":
        common["result"] = payloads("done")
    elif how in ("cancel", "heartbeat"):
        common["details"] = payloads("details")
    else:
        common["failure"] = failure("activity", retryable=how == "fail")
    verb = "record_activity_task_heartbeat" if how == "heartbeat" else f"respond_activity_task_{name.lower()}"
    kind = "RecordActivityTaskHeartbeat" if how == "heartbeat" else f"RespondActivityTask{name}"
    if by_id is not None:
        return await side.call(verb + "_by_id", getattr(ws, kind + "ByIdRequest")(**by_id, **common))
    return await side.call(verb, getattr(ws, kind + "Request")(task_token=token, **common))


@dataclasses.dataclass(frozen=True)
class FinishActivity(Operation):
    workflow: int
    activity: str
    how: str
    by_id: bool

    def applies(self, script):
        return self.by_id or (self.workflow, self.activity) in script.fake.activities

    async def run(self, side):
        ids = {"workflow_id": side.wid(self.workflow), "activity_id": self.activity} if self.by_id else None
        return await answer_activity(side, self.how, side.activities.get((self.workflow, self.activity), b""), ids)
