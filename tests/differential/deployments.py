"""Worker deployments: versions, their routing, their metadata. A script has one deployment, with builds a and b."""

from __future__ import annotations

import dataclasses

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws

from side import NAMESPACE, Operation, payload

BUILDS = ("a", "b")


def deployment(side):
    return f"{side.nonce}-d"


def version(side, build):
    return WorkerDeploymentVersion(deployment_name=deployment(side), build_id=build)


class DeploymentOperation(Operation):
    def watches(self):
        return (("deployment", 0), *(("version", build) for build in BUILDS))


@dataclasses.dataclass(frozen=True)
class CreateDeployment(DeploymentOperation):
    build: str  # "" makes the deployment itself

    async def run(self, side):
        if self.build:
            return await side.call("create_worker_deployment_version", ws.CreateWorkerDeploymentVersionRequest(
                namespace=NAMESPACE, deployment_version=version(side, self.build), identity="creator",
                request_id=f"{side.nonce}-v{self.build}"))
        return await side.call("create_worker_deployment", ws.CreateWorkerDeploymentRequest(
            namespace=NAMESPACE, deployment_name=deployment(side), identity="creator", request_id=f"{side.nonce}-d"))


@dataclasses.dataclass(frozen=True)
class SetCurrent(DeploymentOperation):
    build: str
    missing_queues: bool
    no_pollers: bool

    async def run(self, side):
        return await side.call("set_worker_deployment_current_version", ws.SetWorkerDeploymentCurrentVersionRequest(
            namespace=NAMESPACE, deployment_name=deployment(side), build_id=self.build, identity="operator",
            ignore_missing_task_queues=self.missing_queues, allow_no_pollers=self.no_pollers))


@dataclasses.dataclass(frozen=True)
class SetRamping(DeploymentOperation):
    build: str
    percentage: float
    missing_queues: bool
    no_pollers: bool

    async def run(self, side):
        return await side.call("set_worker_deployment_ramping_version", ws.SetWorkerDeploymentRampingVersionRequest(
            namespace=NAMESPACE, deployment_name=deployment(side), build_id=self.build, percentage=self.percentage,
            identity="operator", ignore_missing_task_queues=self.missing_queues, allow_no_pollers=self.no_pollers))


@dataclasses.dataclass(frozen=True)
class UpdateMetadata(DeploymentOperation):
    build: str
    remove: bool

    async def run(self, side):
        request = ws.UpdateWorkerDeploymentVersionMetadataRequest(
            namespace=NAMESPACE, deployment_version=version(side, self.build), identity="operator",
            remove_entries=["key"] if self.remove else [])
        if not self.remove:
            request.upsert_entries["key"].CopyFrom(payload("value"))
        return await side.call("update_worker_deployment_version_metadata", request)


@dataclasses.dataclass(frozen=True)
class SetManager(DeploymentOperation):
    who: str

    async def run(self, side):
        request = ws.SetWorkerDeploymentManagerRequest(
            namespace=NAMESPACE, deployment_name=deployment(side), identity="operator")
        if self.who == "self":
            request.self = True
        else:
            request.manager_identity = self.who
        return await side.call("set_worker_deployment_manager", request)


@dataclasses.dataclass(frozen=True)
class DeleteDeployment(DeploymentOperation):
    build: str  # "" deletes the deployment itself
    skip_drainage: bool

    async def run(self, side):
        if self.build:
            return await side.call("delete_worker_deployment_version", ws.DeleteWorkerDeploymentVersionRequest(
                namespace=NAMESPACE, deployment_version=version(side, self.build), skip_drainage=self.skip_drainage,
                identity="deleter"))
        return await side.call("delete_worker_deployment", ws.DeleteWorkerDeploymentRequest(
            namespace=NAMESPACE, deployment_name=deployment(side), identity="deleter"))
