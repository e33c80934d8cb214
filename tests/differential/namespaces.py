"""Namespaces of a script's own."""

from __future__ import annotations

import dataclasses

from temporalio.api.namespace.v1 import NamespaceConfig, UpdateNamespaceInfo
from temporalio.api.operatorservice.v1 import request_response_pb2 as op
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws

from side import NAMESPACE, Operation, seconds

DAY = 86400


def namespace(side, number):
    return f"{side.nonce}-ns{number}"


class NamespaceOperation(Operation):
    def watches(self):
        return (("namespace", self.number),)


@dataclasses.dataclass(frozen=True)
class Register(NamespaceOperation):
    number: int
    days: int
    data: bool
    is_global: bool

    async def run(self, side):
        return await side.call("register_namespace", ws.RegisterNamespaceRequest(
            namespace=namespace(side, self.number), description="drawn", owner_email="owner@example.com",
            workflow_execution_retention_period=seconds(self.days * DAY), data={"key": "value"} if self.data else {},
            is_global_namespace=self.is_global))


@dataclasses.dataclass(frozen=True)
class UpdateNamespace(NamespaceOperation):
    number: int
    what: str

    async def run(self, side):
        request = ws.UpdateNamespaceRequest(namespace=namespace(side, self.number))
        if self.what == "description":
            request.update_info.CopyFrom(UpdateNamespaceInfo(description="changed", owner_email="new@example.com"))
        elif self.what == "data":
            request.update_info.data["other"] = "more"
        elif self.what in ("retention", "short retention"):
            request.config.CopyFrom(NamespaceConfig(workflow_execution_retention_ttl=seconds(
                5 * DAY if self.what == "retention" else 60)))
        elif self.what == "promote":
            request.promote_namespace = True
        return await side.call("update_namespace", request)


@dataclasses.dataclass(frozen=True)
class Deprecate(NamespaceOperation):
    number: int

    async def run(self, side):
        return await side.call("deprecate_namespace", ws.DeprecateNamespaceRequest(
            namespace=namespace(side, self.number)))


@dataclasses.dataclass(frozen=True)
class UseNamespace(NamespaceOperation):
    """A call that only needs the namespace to be there: what an unknown or deprecated one says."""

    number: int
    reads = True

    async def run(self, side):
        return await side.call("count_workflow_executions", ws.CountWorkflowExecutionsRequest(
            namespace=namespace(side, self.number)))


@dataclasses.dataclass(frozen=True)
class ReadServer(Operation):
    """What the server says of itself."""

    what: str
    reads = True

    async def run(self, side):
        request = {"get_system_info": ws.GetSystemInfoRequest(), "get_cluster_info": ws.GetClusterInfoRequest(),
                   "describe_namespace": ws.DescribeNamespaceRequest(namespace=NAMESPACE),
                   "get_search_attributes": ws.GetSearchAttributesRequest(),
                   "list_search_attributes": op.ListSearchAttributesRequest(namespace=NAMESPACE),
                   "list_clusters": op.ListClustersRequest()}[self.what]
        return await side.call(self.what, request)


SERVER = ("get_system_info", "get_cluster_info", "describe_namespace", "get_search_attributes",
          "list_search_attributes", "list_clusters")
