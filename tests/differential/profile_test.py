#!/usr/bin/env python3
"""squall-server answers as an older release: fields that the release does not have are neither sent nor read.

    profile_test.py SQUALL_SERVER

The program, not the engine in a test: its descriptors register late (fakes/server/lazy_descriptors.cc), and what a profile
leaves out is found by descriptors.
"""

import asyncio
import sys
import uuid

import subjects
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest, StartWorkflowExecutionRequest


async def answers(server, release):
    """The version that a server tells, and whether a start's answer has a field that came with 1.32."""
    subject = subjects.fake(server, release)
    async with subject:
        service = subject.client.workflow_service
        info = await service.get_system_info(GetSystemInfoRequest())
        request = StartWorkflowExecutionRequest(namespace="default", workflow_id="w", request_id=str(uuid.uuid4()))
        request.workflow_type.name = "W"
        request.task_queue.name = "q"
        return info.server_version, bool((await service.start_workflow_execution(request)).first_execution_run_id)


def main():
    server = sys.argv[1]
    newest, older = asyncio.run(answers(server, None)), asyncio.run(answers(server, "1.29.1"))
    print(f"newest {newest}, with --profile 1.29.1 {older}")
    return 0 if newest[1] and older == ("1.29.1", False) else 1


if __name__ == "__main__":
    sys.exit(main())
