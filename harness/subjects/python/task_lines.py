"""Interceptors that tell of each workflow and activity that this worker is given to run."""

from typing import Any, Optional, Type

from temporalio import activity, workflow
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

with workflow.unsafe.imports_passed_through():
    import lifecycle


class _Activities(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        lifecycle.write("task", task=info.activity_type, workflow_id=info.workflow_id or "", detail="activity")
        return await super().execute_activity(input)


class _Workflows(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        if not workflow.unsafe.is_replaying():
            info = workflow.info()
            with workflow.unsafe.sandbox_unrestricted():
                lifecycle.write("task", task=info.workflow_type, workflow_id=info.workflow_id, detail="workflow")
        return await super().execute_workflow(input)


class TaskLines(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Activities(super().intercept_activity(next))

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> Optional[Type[WorkflowInboundInterceptor]]:
        return _Workflows
