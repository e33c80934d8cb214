"""One server's half of a script, what every operation is made of, and the words that all operations share.

Workflows, activities, schedules and the rest are numbered; their ids and queues carry the script's nonce, so no script meets
another's. Every workflow has a task queue of its own and every activity id one too, so that the order in which matching hands
out tasks is never in question.
"""

from __future__ import annotations

import os
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws
from temporalio.service import RPCError

NAMESPACE = "default"
WORKFLOWS = 2  # workflows of a script; children are numbered from here on
CHILDREN = 2
TIMEOUT = timedelta(seconds=10)

SCALE = float(os.environ.get("SQUALL_TIMEOUT_SCALE", "1"))
SETTLE_S = 5.0 * SCALE  # how long either server may work in the background
LEISURE_S = 60.0 * SCALE  # the same after operations that are done `at_leisure`


def payload(text):
    return Payload(metadata={"encoding": b"json/plain"}, data=f'"{text}"'.encode())


def payloads(text):
    return Payloads(payloads=[payload(text)])


def seconds(value):
    return Duration(seconds=int(value), nanos=int((value % 1) * 1e9))


def failure(text, retryable=True):
    return Failure(message=text, source="differential",
                   application_failure_info=ApplicationFailureInfo(type="Drawn", non_retryable=not retryable))


class Operation:
    """A step of a script: one or few RPCs on one side. Subclasses are frozen dataclasses, so that a script can be printed."""

    # It changes nothing: asked of both sides until they agree, as either works in the background.
    reads = False
    # What it changes comes later, when the real server finds the time.
    at_leisure = False

    def applies(self, script) -> bool:
        """Whether it can be done in the state in which both sides are known to be (`script`: lockstep.Lockstep)."""
        return True

    def watches(self):
        """What may change through it: (kind, key) as in watch.KINDS, compared after this operation and every later one."""
        return (("workflow", self.workflow),) if hasattr(self, "workflow") else ()

    async def run(self, side):
        """Does it and returns the answer as plain data."""
        raise NotImplementedError


class Side:
    """What only this side knows: run ids, tokens, calls in the background."""

    def __init__(self, subject, scrubber, nonce):
        self.subject, self.scrub, self.nonce = subject, scrubber, nonce
        self.runs = {}        # workflow number -> run ids in order
        self.workflow_tasks = {}  # workflow number -> poll response that was not answered yet
        self.activities = {}  # (workflow number, activity id) -> task token
        self.nexus_tasks = {}  # endpoint number -> poll response that was not answered yet
        self.background = {}  # name -> asyncio.Task of a call that waits for a worker
        self.polls = {}       # (workflow number, build id) -> asyncio.Task of a versioned worker's poll
        self.tokens = {}      # whatever an operation keeps for a later one: conflict tokens, ids, versions

    def wid(self, number):
        return f"{self.nonce}-w{number}"

    def queue(self, number, activity=None):
        return TaskQueue(name=f"{self.nonce}-q{number}" + (f"-{activity}" if activity else ""))

    def execution(self, number, run=None):
        return WorkflowExecution(workflow_id=self.wid(number), run_id=run or "")

    async def send(self, method, request, timeout=TIMEOUT):
        """The response or the RPCError, to be told later: a call that runs beside the script ends at any moment, and
        identifiers are numbered in the order in which they are told."""
        client = self.subject.client
        service = client.operator_service if "operatorservice" in request.DESCRIPTOR.full_name else client.workflow_service
        try:
            return await getattr(service, method)(request, timeout=timeout)
        except RPCError as error:
            return error

    def tell(self, outcome):
        """As plain data."""
        if isinstance(outcome, RPCError):
            return {"error": self.scrub.error(outcome)}
        return {"ok": self.scrub.message(outcome)}

    async def raw(self, method, request, timeout=TIMEOUT):
        """The response, None for an RPCError, with the plain data of either."""
        outcome = await self.send(method, request, timeout)
        return None if isinstance(outcome, RPCError) else outcome, self.tell(outcome)

    async def call(self, method, request, timeout=TIMEOUT):
        return (await self.raw(method, request, timeout))[1]

    def saw_run(self, number, run_id):
        runs = self.runs.setdefault(number, [])
        if run_id and run_id not in runs:
            runs.append(run_id)

    async def event_id_of(self, number, field, name):
        """The id of the latest event that scheduled what carries `name` in `field`; 999 when there is none."""
        response, _ = await self.raw("get_workflow_execution_history", ws.GetWorkflowExecutionHistoryRequest(
            namespace=NAMESPACE, execution=self.execution(number)))
        found = 999
        for event in response.history.events if response else ():
            attributes = getattr(event, event.WhichOneof("attributes"))
            if getattr(attributes, field, None) == name and event.event_type in (
                    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, EventType.EVENT_TYPE_TIMER_STARTED,
                    EventType.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED):
                found = event.event_id
        return found
