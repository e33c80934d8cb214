"""The operations of a generated script: each is one or few RPCs on one side, its answer as plain data.

Workflows are numbered; their ids and queues carry the script's nonce. Every workflow has a task queue of its own and
every activity id one too, so that the order in which matching hands out tasks is never in question.
"""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from hypothesis import strategies as st
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, Payloads, RetryPolicy, WorkflowExecution, WorkflowType, ActivityType
from temporalio.api.enums.v1 import (
    CommandType, EventType, HistoryEventFilterType, ParentClosePolicy, QueryRejectCondition, ResetReapplyType,
    UpdateWorkflowExecutionLifecycleStage, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowTaskFailedCause,
)
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.protocol.v1 import Message
from temporalio.api.query.v1 import WorkflowQuery, WorkflowQueryResult
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.update.v1 import Acceptance, Input, Meta, Outcome, Rejection, Request, Response, WaitPolicy
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws
from temporalio.service import RPCError

WORKFLOWS = 2  # workflows of a script; children are numbered from here on
CHILDREN = 2
TIMEOUT = timedelta(seconds=10)


def payloads(text):
    return Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=f'"{text}"'.encode())])


def seconds(value):
    return Duration(seconds=int(value), nanos=int((value % 1) * 1e9))


def failure(text, retryable=True):
    return Failure(message=text, source="differential",
                   application_failure_info=ApplicationFailureInfo(type="Drawn", non_retryable=not retryable))


class Side:
    """One server's half of a script: what only this side knows (run ids, tokens, calls in the background)."""

    def __init__(self, subject, scrubber, nonce):
        self.subject, self.scrub, self.nonce = subject, scrubber, nonce
        self.service = subject.client.workflow_service
        self.runs = {}        # workflow number -> run ids in order
        self.workflow_tasks = {}  # workflow number -> poll response that was not answered yet
        self.activities = {}  # (workflow number, activity id) -> task token
        self.background = {}  # name -> asyncio.Task of a call that waits for a worker

    def wid(self, number):
        return f"{self.nonce}-w{number}"

    def queue(self, number, activity=None):
        return TaskQueue(name=f"{self.nonce}-q{number}" + (f"-{activity}" if activity else ""))

    def execution(self, number, run=None):
        return WorkflowExecution(workflow_id=self.wid(number), run_id=run or "")

    async def raw(self, method, request, timeout=TIMEOUT):
        """The response, or the RPCError, with the plain data of either."""
        try:
            response = await getattr(self.service, method)(request, timeout=timeout)
            return response, {"ok": self.scrub.message(response)}
        except RPCError as error:
            return None, {"error": self.scrub.error(error)}

    async def call(self, method, request, timeout=TIMEOUT):
        return (await self.raw(method, request, timeout))[1]

    def saw_run(self, number, run_id):
        runs = self.runs.setdefault(number, [])
        if run_id and run_id not in runs:
            runs.append(run_id)

    async def event_id_of(self, number, field, name):
        """The id of the latest event whose attributes carry `name` in `field`; 999 when there is none."""
        response, _ = await self.raw("get_workflow_execution_history", ws.GetWorkflowExecutionHistoryRequest(
            namespace="default", execution=self.execution(number)))
        found = 999
        for event in response.history.events if response else ():
            attributes = getattr(event, event.WhichOneof("attributes"))
            if getattr(attributes, field, None) == name and event.event_type in (
                    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, EventType.EVENT_TYPE_TIMER_STARTED):
                found = event.event_id
        return found


# --- commands of a workflow task -------------------------------------------------------------------------------------

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


@dataclasses.dataclass(frozen=True)
class RecordMarker:
    name: str

    async def command(self, side, number):
        command = Command(command_type=CommandType.COMMAND_TYPE_RECORD_MARKER)
        command.record_marker_command_attributes.marker_name = self.name
        command.record_marker_command_attributes.details["d"].CopyFrom(payloads("mark"))
        return command


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
        command = Command(command_type=CommandType.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES)
        fields = command.modify_workflow_properties_command_attributes.upserted_memo.fields
        fields[self.key].CopyFrom(payloads("memo").payloads[0])
        return command


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


# --- operations ------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Start:
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

    def request_of(self, side, request):
        request.namespace = "default"
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
            request.memo.fields["m"].CopyFrom(payloads("memo").payloads[0])
        if self.attribute:
            request.search_attributes.indexed_fields[self.attribute].CopyFrom(
                Payload(metadata={"encoding": b"json/plain", "type": b"Int"}, data=b"7"))
        return request

    async def run(self, side):
        response, data = await side.raw(
            "start_workflow_execution", self.request_of(side, ws.StartWorkflowExecutionRequest()))
        if response:
            side.saw_run(self.workflow, response.run_id)
        return data


@dataclasses.dataclass(frozen=True)
class SignalWithStart:
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
class Signal:
    workflow: int
    name: str
    first_run: bool

    async def run(self, side):
        run = side.runs.get(self.workflow, [""])[0] if self.first_run else ""
        return await side.call("signal_workflow_execution", ws.SignalWorkflowExecutionRequest(
            namespace="default", workflow_execution=side.execution(self.workflow, run), signal_name=self.name,
            input=payloads("signal"), identity="signaller"))


@dataclasses.dataclass(frozen=True)
class Cancel:
    workflow: int
    reason: str

    async def run(self, side):
        return await side.call("request_cancel_workflow_execution", ws.RequestCancelWorkflowExecutionRequest(
            namespace="default", workflow_execution=side.execution(self.workflow), reason=self.reason,
            identity="canceller", request_id=f"{side.nonce}-c{self.workflow}"))


@dataclasses.dataclass(frozen=True)
class Terminate:
    workflow: int
    reason: str

    async def run(self, side):
        return await side.call("terminate_workflow_execution", ws.TerminateWorkflowExecutionRequest(
            namespace="default", workflow_execution=side.execution(self.workflow), reason=self.reason,
            identity="terminator", details=payloads("why")))


@dataclasses.dataclass(frozen=True)
class Take:
    """Polls the workflow task that is pending and keeps it."""

    workflow: int

    async def run(self, side):
        response, data = await side.raw("poll_workflow_task_queue", ws.PollWorkflowTaskQueueRequest(
            namespace="default", task_queue=side.queue(self.workflow), identity="worker"))
        if response and response.task_token:
            side.workflow_tasks[self.workflow] = response
            side.saw_run(self.workflow, response.workflow_execution.run_id)
        return data


@dataclasses.dataclass(frozen=True)
class Complete:
    """Answers the task taken, with commands, the answers to its queries, and a verdict for each of its updates."""

    workflow: int
    commands: tuple
    verdict: str
    new_task: bool

    async def run(self, side):
        task = side.workflow_tasks.pop(self.workflow)
        if task.HasField("query"):
            return await side.call("respond_query_task_completed", ws.RespondQueryTaskCompletedRequest(
                namespace="default", task_token=task.task_token, completed_type=1, query_result=payloads("state")))
        commands = [await c.command(side, self.workflow) for c in self.commands]
        request = ws.RespondWorkflowTaskCompletedRequest(
            namespace="default", task_token=task.task_token, identity="worker", commands=commands,
            force_create_new_workflow_task=self.new_task, return_new_workflow_task=False)
        for message in task.messages:
            self.answer(message, request)
        for query_id in task.queries:
            request.query_results[query_id].CopyFrom(WorkflowQueryResult(result_type=1, answer=payloads("state")))
        return await side.call("respond_workflow_task_completed", request)

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
class FailTask:
    workflow: int

    async def run(self, side):
        task = side.workflow_tasks.pop(self.workflow)
        return await side.call("respond_workflow_task_failed", ws.RespondWorkflowTaskFailedRequest(
            namespace="default", task_token=task.task_token, identity="worker", failure=failure("task"),
            cause=WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR))


@dataclasses.dataclass(frozen=True)
class TakeActivity:
    workflow: int
    activity: str

    async def run(self, side):
        response, data = await side.raw("poll_activity_task_queue", ws.PollActivityTaskQueueRequest(
            namespace="default", task_queue=side.queue(self.workflow, self.activity), identity="worker"))
        if response and response.task_token:
            side.activities[self.workflow, self.activity] = response.task_token
        return data


@dataclasses.dataclass(frozen=True)
class FinishActivity:
    workflow: int
    activity: str
    how: str
    by_id: bool

    async def run(self, side):
        token = side.activities.get((self.workflow, self.activity), b"")
        common = {"namespace": "default", "identity": "worker"}
        name = {"complete": "Completed", "fail": "Failed", "fail for good": "Failed", "cancel": "Canceled",
                "heartbeat": ""}[self.how]
        if self.how == "complete":
            common["result"] = payloads("done")
        elif self.how in ("cancel", "heartbeat"):
            common["details"] = payloads("details")
        else:
            common["failure"] = failure("activity", retryable=self.how == "fail")
        verb = "record_activity_task_heartbeat" if self.how == "heartbeat" else f"respond_activity_task_{name.lower()}"
        kind = "RecordActivityTaskHeartbeat" if self.how == "heartbeat" else f"RespondActivityTask{name}"
        if self.by_id:
            request = getattr(ws, kind + "ByIdRequest")(
                workflow_id=side.wid(self.workflow), activity_id=self.activity, **common)
            return await side.call(verb + "_by_id", request)
        return await side.call(verb, getattr(ws, kind + "Request")(task_token=token, **common))


@dataclasses.dataclass(frozen=True)
class Update:
    """Sends an update and leaves the call in the background until a worker has answered."""

    workflow: int
    update: str
    completed: bool

    async def run(self, side):
        stage = UpdateWorkflowExecutionLifecycleStage
        request = ws.UpdateWorkflowExecutionRequest(
            namespace="default", workflow_execution=side.execution(self.workflow),
            wait_policy=WaitPolicy(lifecycle_stage=(
                stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED if self.completed
                else stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED)),
            request=Request(meta=Meta(update_id=f"{side.nonce}-{self.update}", identity="updater"),
                            input=Input(name="set", args=payloads("update"))))
        side.background[f"update {self.workflow} {self.update} {self.completed}"] = asyncio.ensure_future(
            side.call("update_workflow_execution", request))
        return "sent"


@dataclasses.dataclass(frozen=True)
class Query:
    workflow: int
    reject: int

    async def run(self, side):
        request = ws.QueryWorkflowRequest(
            namespace="default", execution=side.execution(self.workflow), query_reject_condition=self.reject,
            query=WorkflowQuery(query_type="state", query_args=payloads("query")))
        side.background[f"query {self.workflow}"] = asyncio.ensure_future(side.call("query_workflow", request))
        return "sent"


@dataclasses.dataclass(frozen=True)
class Reset:
    workflow: int
    event: int
    reapply: int

    async def run(self, side):
        response, data = await side.raw("reset_workflow_execution", ws.ResetWorkflowExecutionRequest(
            namespace="default", workflow_execution=side.execution(self.workflow), reason="drawn",
            workflow_task_finish_event_id=self.event, reset_reapply_type=self.reapply,
            request_id=f"{side.nonce}-reset-{len(side.runs.get(self.workflow, []))}"))
        if response:
            side.saw_run(self.workflow, response.run_id)
        return data


@dataclasses.dataclass(frozen=True)
class ReadHistory:
    workflow: int
    close_event: bool
    page: int
    reverse: bool

    async def run(self, side):
        if self.reverse:
            return await side.call("get_workflow_execution_history_reverse",
                                   ws.GetWorkflowExecutionHistoryReverseRequest(
                                       namespace="default", execution=side.execution(self.workflow),
                                       maximum_page_size=self.page))
        return await side.call("get_workflow_execution_history", ws.GetWorkflowExecutionHistoryRequest(
            namespace="default", execution=side.execution(self.workflow), maximum_page_size=self.page,
            history_event_filter_type=(
                HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT if self.close_event
                else HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)))


@dataclasses.dataclass(frozen=True)
class Count:
    """Visibility is eventually consistent: the caller asks again until both agree."""

    status: str

    async def run(self, side):
        query = f"WorkflowId STARTS_WITH '{side.nonce}-'"
        if self.status:
            query += f" AND ExecutionStatus = '{self.status}'"
        return await side.call("count_workflow_executions", ws.CountWorkflowExecutionsRequest(
            namespace="default", query=query))


READS = (ReadHistory, Count)


# --- what is drawn ---------------------------------------------------------------------------------------------------

def scripts():
    # Mostly one workflow: what happens to it is then long enough to be interesting.
    workflow = st.sampled_from([0] * 4 + [1])
    anyone = st.sampled_from([0] * 6 + [*range(1, WORKFLOWS + CHILDREN)])
    activity = st.sampled_from(["a", "b"])
    timer = st.sampled_from(["t", "u"])
    timeout = st.sampled_from([0, 0, 100, 1000])
    start = st.builds(
        Start, workflow=workflow,
        reuse=st.sampled_from([0, *WorkflowIdReusePolicy.values()[1:]]),
        conflict=st.sampled_from([0, 0, 0, *WorkflowIdConflictPolicy.values()[1:]]),
        request=st.sampled_from([None, None, 1, 2]), retries=st.sampled_from([None, None, 1, 3]), run_timeout=timeout,
        task_timeout=st.sampled_from([0, 30, 200]), memo=st.booleans(),
        attribute=st.sampled_from(["", "", "CustomIntField", "NoSuchField"]),
        type=st.sampled_from(["drawn", "drawn", "drawn", ""]))
    command = st.one_of(
        st.builds(StartTimer, timer=timer, fires=st.sampled_from([1000, 1000, 0.01, 0])),
        st.builds(CancelTimer, timer=timer),
        st.builds(ScheduleActivity, activity=activity, schedule_to_close=timeout, schedule_to_start=timeout,
                  start_to_close=st.sampled_from([100, 100, 0]), heartbeat=timeout,
                  attempts=st.sampled_from([None, 1, 2, 0]), type=st.sampled_from(["act", "act", "act", ""])),
        st.builds(CancelActivity, activity=activity),
        st.builds(RecordMarker, name=st.sampled_from(["m", ""])),
        st.builds(UpsertAttribute, name=st.sampled_from(["CustomIntField", "CustomTextField", "NoSuchField"]),
                  value=st.sampled_from(["5", '"five"'])),
        st.builds(ModifyMemo, key=st.sampled_from(["m", "n"])),
        st.builds(StartChild, child=st.integers(0, CHILDREN - 1), policy=st.sampled_from(ParentClosePolicy.values()),
                  reuse=st.sampled_from([0, 1, 3]), type=st.sampled_from(["child", "child", "child", ""])),
        st.builds(SignalExternal, target=anyone, child_only=st.booleans()),
        st.builds(CancelExternal, target=anyone, child_only=st.booleans()),
    )
    close = st.builds(Close, how=st.sampled_from(["complete", "fail", "fail for good", "cancel", "continue"]))
    commands = st.one_of(
        st.lists(command, max_size=3).map(tuple),
        st.lists(command, max_size=3).map(tuple),
        st.tuples(close),
        st.tuples(command, close),
        st.tuples(close, command),  # which the server refuses
    )
    complete = st.builds(Complete, workflow=anyone, commands=commands,
                         verdict=st.sampled_from(["accept", "complete", "reject"]),
                         new_task=st.sampled_from([False, False, False, True]))
    operation = st.one_of(
        start,
        st.builds(SignalWithStart, start=start, signal=st.sampled_from(["s", ""])),
        st.builds(Signal, workflow=anyone, name=st.sampled_from(["s", "z", ""]), first_run=st.booleans()),
        st.builds(Cancel, workflow=anyone, reason=st.sampled_from(["", "drawn"])),
        st.builds(Terminate, workflow=anyone, reason=st.sampled_from(["", "drawn"])),
        st.builds(Take, workflow=anyone),
        complete, complete, complete,
        st.builds(FailTask, workflow=anyone),
        st.builds(TakeActivity, workflow=anyone, activity=activity),
        st.builds(FinishActivity, workflow=anyone, activity=activity, by_id=st.booleans(),
                  how=st.sampled_from(["complete", "fail", "fail for good", "cancel", "heartbeat"])),
        st.builds(Update, workflow=workflow, update=st.sampled_from(["u1", "u2"]), completed=st.booleans()),
        st.builds(Query, workflow=workflow, reject=st.sampled_from([0, *QueryRejectCondition.values()[1:]])),
        st.builds(Reset, workflow=workflow, event=st.sampled_from([4, 4, 8, 3, 0]),
                  reapply=st.sampled_from([0, *ResetReapplyType.values()[1:]])),
        st.builds(ReadHistory, workflow=anyone, close_event=st.booleans(), page=st.sampled_from([0, 2]),
                  reverse=st.booleans()),
        st.builds(Count, status=st.sampled_from(["", "Running", "Completed"])),
    )
    # A script starts something: else most of it would be spent on workflows that do not exist.
    return st.tuples(start, st.lists(operation, min_size=2, max_size=24)).map(lambda s: (s[0], *s[1]))
