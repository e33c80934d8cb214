"""What is compared after each operation: the things that it, or an earlier one, may have changed."""

from temporalio.api.operatorservice.v1 import GetNexusEndpointRequest
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws

import activities
import deployments
import namespaces
import schedules
from side import NAMESPACE

# What Describe says that differs between two correct servers, beside subjects.LEFT_OUT.
DESCRIBE_LEFT_OUT = ("last_worker_version_stamp",)
DEPLOYMENT_LEFT_OUT = ("last_checked_time",)


def without(data, names):
    if isinstance(data, dict):
        return {k: without(v, names) for k, v in data.items() if k not in names}
    if isinstance(data, list):
        return [without(v, names) for v in data]
    return data


async def workflow(side, number):
    response, data = await side.raw("describe_workflow_execution", ws.DescribeWorkflowExecutionRequest(
        namespace=NAMESPACE, execution=side.execution(number)))
    if response:
        side.saw_run(number, response.workflow_execution_info.execution.run_id)
    points = data.get("ok", {}).get("workflow_execution_info", {})
    if not points.get("auto_reset_points", True):
        del points["auto_reset_points"]  # there or not, when empty: whether the server has loaded the run anew
    return response, without(data, DESCRIBE_LEFT_OUT)


async def history(side, number, run):
    runs = side.runs.get(number, [])
    if run >= len(runs):
        return "no such run"
    return await side.call("get_workflow_execution_history", ws.GetWorkflowExecutionHistoryRequest(
        namespace=NAMESPACE, execution=side.execution(number, runs[run])))


async def schedule(side, number):
    return await side.raw("describe_schedule", ws.DescribeScheduleRequest(
        namespace=NAMESPACE, schedule_id=schedules.schedule_id(side, number)))


async def deployment(side, _):
    response, data = await side.raw("describe_worker_deployment", ws.DescribeWorkerDeploymentRequest(
        namespace=NAMESPACE, deployment_name=deployments.deployment(side)))
    if "ok" in data:  # in no order
        summaries = data["ok"]["worker_deployment_info"].get("version_summaries", [])
        summaries.sort(key=lambda v: v["version"])
        for summary in summaries:
            if "status" not in summary.get("drainage_info", {}):
                summary.pop("drainage_info", None)  # of a version that does not drain: there or not
    return response, without(data, DEPLOYMENT_LEFT_OUT)


async def version(side, build):
    response, data = await side.raw("describe_worker_deployment_version", ws.DescribeWorkerDeploymentVersionRequest(
        namespace=NAMESPACE, deployment_version=deployments.version(side, build)))
    return response, without(data, DEPLOYMENT_LEFT_OUT)


async def endpoint(side, number):
    id_, _ = side.tokens.get(("endpoint", number), ("", 0))
    return await side.raw("get_nexus_endpoint", GetNexusEndpointRequest(id=id_))


async def namespace(side, number):
    response, data = await side.raw("describe_namespace", ws.DescribeNamespaceRequest(
        namespace=namespaces.namespace(side, number)))
    # The real server's calls look into a cache of namespaces that is filled in the background.
    return response, {"described": data, "used": await namespaces.UseNamespace(number).run(side)}


async def activity(side, number):
    return await side.raw("describe_activity_execution", ws.DescribeActivityExecutionRequest(
        namespace=NAMESPACE, activity_id=activities.activity_id(side, number), include_input=True,
        include_outcome=True))


async def batch(side, number):
    return await side.raw("describe_batch_operation", ws.DescribeBatchOperationRequest(
        namespace=NAMESPACE, job_id=f"{side.nonce}-batch{number}"))


# Kind -> how one side describes it: the response (None for an error) and its plain data.
KINDS = {f.__name__: f for f in (workflow, schedule, deployment, version, endpoint, namespace, activity, batch)}
