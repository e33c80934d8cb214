#!/usr/bin/env python3
"""Starts one workflow with the Python SDK and waits for its end; a client as scenarios' subjects.

Prints one marker line: {"squall_result":"completed","workflow_id":"...","result":...} or, when it did not complete,
"failed", "cancelled", "terminated", "timed_out" (the workflow's end), "refused" (the start, with "code"), "no_connection".
Exit codes: 0 completed; 1 anything else; 2 wrong usage or configuration.
"""

import argparse
import asyncio
import json
import sys
import uuid
from datetime import timedelta
from typing import Any

import lifecycle
from settings import BadSettings, Settings, add_arguments
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import CancelledError, TerminatedError, TimeoutError
from temporalio.service import RPCError


def tell(end: str, **fields: Any) -> int:
    print(json.dumps({"squall_result": end, **fields}, ensure_ascii=False, separators=(",", ":")), flush=True)
    return 0 if end == "completed" else 1


async def run(flags: argparse.Namespace, settings: Settings) -> int:
    ids = {"workflow_id": flags.workflow_id or f"starter-{uuid.uuid4()}"}
    try:
        client = await asyncio.wait_for(settings.connect(), flags.deadline)
    except asyncio.TimeoutError:
        return tell("no_connection", error=f"DEADLINE_EXCEEDED: no answer from {settings.address} in {flags.deadline:g} s", **ids)
    except Exception as error:
        return tell("no_connection", error=f"{type(error).__name__}: {error}", **ids)
    try:
        arguments = [json.loads(text) for text in flags.input]
        start = client.start_workflow(
            flags.type,
            args=arguments,
            id=ids["workflow_id"],
            task_queue=settings.task_queue,
            rpc_timeout=timedelta(seconds=flags.rpc_timeout),
        )
        handle = await asyncio.wait_for(start, flags.deadline)
    except asyncio.TimeoutError:
        return tell("refused", error=f"no answer in {flags.deadline:g} s", code="DEADLINE_EXCEEDED", **ids)
    except RPCError as error:
        return tell("refused", error=error.message, code=error.status.name, **ids)
    if flags.no_wait:
        return tell("completed", **ids)
    try:
        return tell("completed", result=await handle.result(), **ids)
    except WorkflowFailureError as error:
        ends = {CancelledError: "cancelled", TerminatedError: "terminated", TimeoutError: "timed_out"}
        return tell(ends.get(type(error.cause), "failed"), error=str(error.cause), **ids)
    except RPCError as error:
        return tell("failed", error=error.message, code=error.status.name, **ids)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--type", required=True, help="workflow type")
    parser.add_argument("--input", action="append", default=[], help="JSON of one argument; may be repeated")
    parser.add_argument("--workflow-id", help="default: drawn")
    parser.add_argument("--rpc-timeout", type=float, default=30.0, help="seconds for the start call (default 30)")
    parser.add_argument("--deadline", type=float, help="seconds for connecting and for the start, retries included (default: none)")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the result")
    flags = parser.parse_args()
    try:
        settings = Settings(flags)
        for text in flags.input:
            json.loads(text)
    except (BadSettings, json.JSONDecodeError) as error:
        print(f"starter.py: {error}", file=sys.stderr)
        return 2
    return asyncio.run(run(flags, settings))


if __name__ == "__main__":
    lifecycle.leave(main())
