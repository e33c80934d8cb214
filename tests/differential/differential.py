#!/usr/bin/env python3
"""Runs generated scripts of RPCs on the fake server and on the real one, in step, and compares everything seen.

After each operation both sides must come to the same state: the same answer, the same history of every run, the same
description of every workflow, once identifiers and moments are replaced (subjects.py). The real server works in the
background, so its state may lag: it is asked again until it agrees or SETTLE_S has passed. A script that shows a difference
is made smaller by Hypothesis before it is printed.

    differential.py --server build/dev/bin/squall-server --temporal .venv/bin/temporal [--examples 25] [--seed 1]

Exit code: 0 no difference, 1 a difference, 2 wrong usage, 3 a server did not start.
"""

import argparse
import asyncio
import difflib
import json
import os
import sys
import time
import uuid

import hypothesis
from hypothesis import HealthCheck, Phase, given, seed, settings

import operations as ops
import subjects
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState, WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws

SETTLE_S = 5.0 * float(os.environ.get("SQUALL_TIMEOUT_SCALE", "1"))

# What Describe says that differs between two correct servers, beside subjects.LEFT_OUT.
DESCRIBE_LEFT_OUT = ("execution_duration", "last_worker_version_stamp")


class Difference(Exception):
    pass


def without(data, names):
    if isinstance(data, dict):
        return {k: without(v, names) for k, v in data.items() if k not in names}
    if isinstance(data, list):
        return [without(v, names) for v in data]
    return data


def compared(fake, real):
    """A unified diff of two pieces of plain data, "" when they are equal."""
    if fake == real:
        return ""
    lines = [json.dumps(d, indent=1, sort_keys=True).splitlines() for d in (fake, real)]
    return "\n".join(difflib.unified_diff(*lines, "fake", "real", lineterm="", n=4))


class Lockstep:
    """One script on both sides."""

    def __init__(self, fake, real):
        self.nonce = "x" + uuid.uuid4().hex[:10]
        self.sides = [ops.Side(s, subjects.Scrubber(self.nonce), self.nonce) for s in (fake, real)]
        self.fake, self.real = self.sides
        self.touched = set()
        self.resets = set()  # workflow numbers that a reset was asked for
        self.state = {}  # workflow number -> the fake's raw description, after the last operation

    async def run(self, script):
        try:
            for number, operation in enumerate(script, 1):
                if not self.applies(operation):
                    continue
                where = f"operation {number}: {operation}"
                self.touch(operation)
                await self.step(operation, where)
                await self.settle(where)
        finally:
            for side in self.sides:
                for call in side.background.values():
                    call.cancel()
                    await asyncio.gather(call, return_exceptions=True)
            # Nothing of this script may go on beside the next one.
            for number in self.touched:
                for side in self.sides:
                    await ops.Terminate(number, "end of script").run(side)

    def touch(self, operation):
        self.touched.add(getattr(operation, "workflow", 0))
        if isinstance(operation, ops.Reset):
            self.resets.add(operation.workflow)
        for command in getattr(operation, "commands", ()):
            if isinstance(command, ops.StartChild):
                self.touched.add(ops.WORKFLOWS + command.child)

    def applies(self, operation):
        """Whether the operation can be done in the state in which both sides are known to be."""
        number = getattr(operation, "workflow", None)
        state = self.state.get(number)
        if isinstance(operation, ops.ReadHistory) and operation.close_event and self.runs_on(state):
            return False  # the real server waits for the end then, though not asked to
        if isinstance(operation, ops.ReadHistory) and operation.page and number in self.resets:
            return False  # pages end where the branch of the reset begins
        if isinstance(operation, ops.Take):
            return number not in self.fake.workflow_tasks and self.task_waits(number)
        if isinstance(operation, (ops.Complete, ops.FailTask)):
            if number in self.fake.workflow_tasks:
                return not (isinstance(operation, ops.FailTask)
                            and self.fake.workflow_tasks[number].HasField("query"))
            return isinstance(operation, ops.Complete) and self.task_waits(number)
        if isinstance(operation, ops.TakeActivity):
            return state is not None and any(
                p.activity_id == operation.activity
                and p.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED for p in state.pending_activities)
        if isinstance(operation, ops.FinishActivity):
            return operation.by_id or (number, operation.activity) in self.fake.activities
        if isinstance(operation, ops.Update):
            return not any(name.startswith(f"update {number}") for name in self.fake.background)
        if isinstance(operation, ops.Query):
            return f"query {number}" not in self.fake.background
        return True

    @staticmethod
    def runs_on(state):
        return state is not None and (
            state.workflow_execution_info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING)

    def task_waits(self, number):
        """Whether a poll would be answered with a task: one is scheduled, or a query goes to a workflow that has run."""
        state = self.state.get(number)
        if state is None:
            return False
        if f"query {number}" in self.fake.background and state.workflow_execution_info.history_length >= 4:
            return True
        # Of a closed run, Describe still tells the task that waited at the end.
        return self.runs_on(state) and state.HasField("pending_workflow_task") and (
            state.pending_workflow_task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED)

    async def step(self, operation, where):
        if isinstance(operation, ops.Complete) and operation.workflow not in self.fake.workflow_tasks:
            await self.step(ops.Take(operation.workflow), where + " (its poll)")
            if operation.workflow not in self.fake.workflow_tasks:
                return
        if isinstance(operation, ops.READS):
            fake, real = await self.agreed(operation.run)
        else:
            fake, real = await asyncio.gather(*(operation.run(side) for side in self.sides))
        difference = compared(fake, real)
        if difference:
            raise Difference(f"{where}\nthe answers differ:\n{difference}")

    async def agreed(self, ask):
        """What `ask` says of each side, asked again until both say the same, at most SETTLE_S: either works in the background."""
        until = time.monotonic() + SETTLE_S
        while True:
            fake, real = await asyncio.gather(*(ask(side) for side in self.sides))
            if fake == real or time.monotonic() > until:
                return fake, real
            await asyncio.sleep(0.02)  # the state of other programs: there is no event to wait for

    async def settle(self, where):
        await self.settle_background(where)
        for number in sorted(self.touched):
            difference = compared(*await self.agreed(lambda side, n=number: self.describe(side, n)))
            if difference:
                raise Difference(f"{where}\nthen DescribeWorkflowExecution of w{number} differs:\n{difference}")
            for run in range(len(self.fake.runs.get(number, []))):
                difference = compared(*await self.agreed(lambda side, n=number, r=run: self.history(side, n, r)))
                if difference:
                    raise Difference(f"{where}\nthen the history of w{number}, run {run + 1}, differs:\n{difference}")
        await self.settle_background(where)

    async def settle_background(self, where):
        """A call that one side has answered, the other has to answer as well, and alike."""
        for name in list(self.fake.background):
            calls = [side.background[name] for side in self.sides]
            if not any(c.done() for c in calls):
                await asyncio.wait(calls, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
            if not any(c.done() for c in calls):
                continue
            await asyncio.wait(calls, timeout=SETTLE_S)
            results = []
            for side in self.sides:
                call = side.background.pop(name)
                results.append(call.result() if call.done() else "no answer")
                call.cancel()
            difference = compared(*results)
            if difference:
                raise Difference(f"{where}\nthe answers to '{name}' differ:\n{difference}")

    async def describe(self, side, number):
        response, data = await side.raw("describe_workflow_execution", ws.DescribeWorkflowExecutionRequest(
            namespace="default", execution=side.execution(number)))
        if side is self.fake:
            self.state[number] = response
        if response:
            side.saw_run(number, response.workflow_execution_info.execution.run_id)
        return without(data, DESCRIBE_LEFT_OUT)

    async def history(self, side, number, run):
        runs = side.runs.get(number, [])
        if run >= len(runs):
            return "no such run"
        return await side.call("get_workflow_execution_history", ws.GetWorkflowExecutionHistoryRequest(
            namespace="default", execution=side.execution(number, runs[run])))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="squall-server")
    parser.add_argument("--temporal", required=True, help="the Temporal CLI")
    parser.add_argument("--examples", type=int, default=25, help="number of scripts (default 25)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the generator (default 1)")
    parser.add_argument("--survey", action="store_true",
                        help="go on after a difference; print each kind of difference once, with how often it was seen")
    args = parser.parse_args()

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    fake, real = subjects.fake(args.server), subjects.real(args.temporal)
    try:
        loop.run_until_complete(fake.__aenter__())
        loop.run_until_complete(real.__aenter__())
        loop.run_until_complete(subjects.add_search_attributes(fake))
    except RuntimeError as error:
        print(f"differential: {error}", file=sys.stderr)
        return 3
    started, done, steps, survey = time.monotonic(), 0, 0, {}

    @seed(args.seed)
    @settings(max_examples=args.examples, deadline=None, database=None, print_blob=False, report_multiple_bugs=False,
              suppress_health_check=list(HealthCheck),
              phases=(Phase.generate,) if args.survey else (Phase.generate, Phase.shrink))
    @given(ops.scripts())
    def same_on_both(script):
        nonlocal done, steps
        try:
            loop.run_until_complete(Lockstep(fake, real).run(script))
        except Difference as difference:
            if not args.survey:
                raise
            kind = "\n".join(line for line in str(difference).splitlines()[1:] if line[:1] in "+-")
            survey.setdefault(kind, []).append((script, difference))
        done += 1
        steps += len(script)
        if done % 25 == 0:
            print(f"{done:5d} scripts, {steps} operations, {time.monotonic() - started:.0f} s", flush=True)

    try:
        same_on_both()
    except Difference as difference:
        print(f"\nDIFFERENCE after {done} scripts without one. The script:\n")
        for note in getattr(difference, "__notes__", ()):
            print(note)
        print(f"\n{difference}")
        return 1
    finally:
        loop.run_until_complete(fake.__aexit__())
        loop.run_until_complete(real.__aexit__())
    for number, (_, seen) in enumerate(sorted(survey.items(), key=lambda item: -len(item[1])), 1):
        script, difference = min(seen, key=lambda s: len(s[0]))
        print(f"\n=== difference {number}, in {len(seen)} scripts ===")
        print("\n".join(f"  {operation}" for operation in script))
        print(difference)
    if survey:
        print(f"\ndifferential: {len(survey)} kinds of difference in {done} scripts")
        return 1
    print(f"differential: {done} scripts, {steps} operations, no difference (seed {args.seed}, "
          f"hypothesis {hypothesis.__version__}, {time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
