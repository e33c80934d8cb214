"""Reads of histories, lists and queues, and batch operations, which start from a list."""

from __future__ import annotations

import dataclasses

from temporalio.api.batch.v1 import (
    BatchOperationCancellation, BatchOperationDeletion, BatchOperationReset, BatchOperationSignal,
    BatchOperationTermination,
)
from temporalio.api.common.v1 import ResetOptions
from temporalio.api.enums.v1 import HistoryEventFilterType, TaskQueueType
from temporalio.api.filter.v1 import WorkflowExecutionFilter
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws

from side import NAMESPACE, Operation, payloads


@dataclasses.dataclass(frozen=True)
class ReadHistory(Operation):
    workflow: int
    close_event: bool
    page: int
    reverse: bool
    reads = True

    def applies(self, script):
        if self.close_event and script.runs_on(self.workflow):
            return False  # the real server waits for the end then, though not asked to
        # Pages end where the branch of a reset begins.
        return not (self.page and self.workflow in script.resets)

    async def run(self, side):
        if self.reverse:
            return await side.call("get_workflow_execution_history_reverse",
                                   ws.GetWorkflowExecutionHistoryReverseRequest(
                                       namespace=NAMESPACE, execution=side.execution(self.workflow),
                                       maximum_page_size=self.page))
        return await side.call("get_workflow_execution_history", ws.GetWorkflowExecutionHistoryRequest(
            namespace=NAMESPACE, execution=side.execution(self.workflow), maximum_page_size=self.page,
            history_event_filter_type=(
                HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT if self.close_event
                else HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)))


def of_script(side, query):
    return f"WorkflowId STARTS_WITH '{side.nonce}-'" + (f" AND {query}" if query else "")


@dataclasses.dataclass(frozen=True)
class Count(Operation):
    query: str
    group: str = ""
    reads = True

    async def run(self, side):
        # Behind ORDER BY it would be a syntax error, whose text (a position in the SQL) the fake server does not repeat.
        group = self.group if "ORDER BY" not in self.query else ""
        query = of_script(side, self.query) + (f" GROUP BY {group}" if group else "")
        data = await side.call("count_workflow_executions", ws.CountWorkflowExecutionsRequest(
            namespace=NAMESPACE, query=query))
        if "ok" in data:  # in no order
            data["ok"].get("groups", []).sort(key=str)
        return data


@dataclasses.dataclass(frozen=True)
class List(Operation):
    query: str
    method: str  # list, scan, open or closed
    reads = True

    async def run(self, side):
        if self.method in ("open", "closed"):
            kind = getattr(ws, f"List{self.method.title()}WorkflowExecutionsRequest")
            request = kind(namespace=NAMESPACE, execution_filter=WorkflowExecutionFilter(workflow_id=side.wid(0)))
            method = f"list_{self.method}_workflow_executions"
        else:
            kind = ws.ListWorkflowExecutionsRequest if self.method == "list" else ws.ScanWorkflowExecutionsRequest
            request = kind(namespace=NAMESPACE, query=of_script(side, self.query), page_size=50)
            method = f"{self.method}_workflow_executions"
        data = await side.call(method, request)
        if "ok" in data:  # by start time, of which two may have the same
            data["ok"].get("executions", []).sort(key=lambda e: (e["execution"]["workflow_id"], e["execution"]["run_id"]))
        return data


@dataclasses.dataclass(frozen=True)
class DescribeQueue(Operation):
    workflow: int
    activities: bool
    reads = True

    async def run(self, side):
        kind = (TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY if self.activities else TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
        data = await side.call("describe_task_queue", ws.DescribeTaskQueueRequest(
            namespace=NAMESPACE, task_queue=side.queue(self.workflow, "a" if self.activities else None),
            task_queue_type=kind))
        if "ok" in data:
            data["ok"].get("pollers", []).sort(key=str)
        return data


# --- batches ---------------------------------------------------------------------------------------------------------

BATCHES = {
    "terminate": {"termination_operation": BatchOperationTermination(identity="batcher", details=payloads("why"))},
    "signal": {"signal_operation": BatchOperationSignal(signal="batch", input=payloads("in"), identity="batcher")},
    "cancel": {"cancellation_operation": BatchOperationCancellation(identity="batcher")},
    "delete": {"deletion_operation": BatchOperationDeletion(identity="batcher")},
    "reset": {"reset_operation": BatchOperationReset(
        identity="batcher", options=ResetOptions(first_workflow_task={}))},
    "nothing": {},
}


@dataclasses.dataclass(frozen=True)
class StartBatch(Operation):
    """On the workflows named; or, by query, on those that visibility has: both have to show the same first."""

    number: int
    how: str
    by_query: bool
    reason: str

    @property
    def at_leisure(self):
        return self.how == "delete"

    def watches(self):
        return (("batch", self.number), ("workflow", 0), ("workflow", 1))

    async def run(self, side):
        request = ws.StartBatchOperationRequest(namespace=NAMESPACE, job_id=f"{side.nonce}-batch{self.number}",
                                                reason=self.reason, **BATCHES[self.how])
        if self.by_query:
            request.visibility_query = of_script(side, "ExecutionStatus = 'Running'")
        else:
            request.executions.extend(side.execution(w, side.runs.get(w, [""])[-1]) for w in (0, 1))
        return await side.call("start_batch_operation", request)


@dataclasses.dataclass(frozen=True)
class StopBatch(Operation):
    number: int

    async def run(self, side):
        return await side.call("stop_batch_operation", ws.StopBatchOperationRequest(
            namespace=NAMESPACE, job_id=f"{side.nonce}-batch{self.number}", reason="drawn", identity="stopper"))
