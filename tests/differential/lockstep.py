"""One script on both servers, in step: after each operation both have to come to the same state."""

import asyncio
import difflib
import json
import time
import uuid

import activities
import nexus
import schedules
import subjects
import watch
import workers
import workflows
from side import LEISURE_S, SETTLE_S, Side
from temporalio.api.enums.v1 import PendingWorkflowTaskState, WorkflowExecutionStatus

# What ends a thing that a script has made.
ENDS = {"workflow": lambda key: workflows.Terminate(key, "end of script"), "schedule": schedules.DeleteSchedule,
        "endpoint": lambda key: nexus.DeleteEndpoint(key, stale=False),
        "activity": lambda key: activities.EndStandalone(key, "terminate")}


# What may end a run without a worker.
ENDERS = (workflows.Terminate, workflows.Start, workflows.SignalWithStart, workflows.UpdateWithStart, workflows.Reset,
          workflows.Delete)


class Difference(Exception):
    pass


def compared(fake, real):
    """A unified diff of two pieces of plain data, "" when they are equal."""
    if fake == real:
        return ""
    lines = [json.dumps(d, indent=1, sort_keys=True).splitlines() for d in (fake, real)]
    return "\n".join(difflib.unified_diff(*lines, "fake", "real", lineterm="", n=4))


class Lockstep:
    def __init__(self, fake, real):
        self.nonce = "x" + uuid.uuid4().hex[:10]
        self.sides = [Side(s, subjects.Scrubber(self.nonce), self.nonce) for s in (fake, real)]
        self.fake, self.real = self.sides
        self.watched = set()  # (kind, key) as in watch.KINDS
        self.resets = set()  # workflow numbers that a reset was asked for
        self.queries_alone = set()  # workflow numbers whose query waits for a poll of its own
        self.seen = {}  # (kind, key) -> the fake's raw description, after the last operation
        self.workers = {}  # (workflow number, build) -> workers.Worker that polls whenever it has no task
        self.steps = 0  # operations done
        self.patience = SETTLE_S  # for what the last operation changes

    async def run(self, script):
        try:
            for number, operation in enumerate(script, 1):
                if not operation.applies(self) or self.would_end_under_a_query(operation) or self.either_may_come(operation):
                    continue
                where = f"operation {number}: {operation}"
                self.watched.update(operation.watches())
                if isinstance(operation, workflows.Reset):
                    self.resets.add(operation.workflow)
                if isinstance(operation, workflows.Query):
                    # With a task that waits the query travels along; without one it waits for a poll itself.
                    travels = self.is_scheduled(operation.workflow)
                    (self.queries_alone.discard if travels else self.queries_alone.add)(operation.workflow)
                self.patience = LEISURE_S if operation.at_leisure else SETTLE_S
                await self.step(operation, where)
                self.steps += 1
                await self.settle(where)
        finally:
            await self.end()

    def would_end_under_a_query(self, operation):
        """Whether a run may end while a query waits for its first task: the real server sends the query to a worker then,
        and gives up some time later."""
        workflow = getattr(operation, "workflow", None)
        return isinstance(operation, ENDERS) and f"query {workflow}" in self.fake.background

    def either_may_come(self, operation):
        """Whether a poll could be answered by a query and by a task that came after it: the real server hands out either."""
        number = getattr(operation, "workflow", None)
        return (isinstance(operation, (workers.Take, workers.Complete, workers.FailTask, workers.Worker))
                and number not in self.fake.workflow_tasks and number in self.queries_alone
                and f"query {number}" in self.fake.background and self.is_scheduled(number))

    async def end(self):
        """Nothing of this script may go on beside the next one."""
        for side in self.sides:
            calls = [*side.background.values(), *side.polls.values()]
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            for kind, key in self.watched:
                if kind in ENDS:
                    await ENDS[kind](key).run(side)

    @property
    def state(self):
        """Workflow number -> the fake's description."""
        return {key: seen for (kind, key), seen in self.seen.items() if kind == "workflow"}

    def runs_on(self, number):
        state = self.state.get(number)
        return state is not None and (
            state.workflow_execution_info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING)

    def is_open(self, number):
        state = self.state.get(number)
        return self.runs_on(number) or state is not None and (
            state.workflow_execution_info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED)

    def task_waits(self, number):
        """Whether a poll would be answered with a task: one is scheduled, or a query goes to a workflow that has run."""
        state = self.state.get(number)
        if state is None or any(workflow == number for workflow, _ in self.workers):
            return False
        if f"query {number}" in self.fake.background and state.workflow_execution_info.history_length >= 4:
            return True
        return self.is_scheduled(number)

    def is_scheduled(self, number):
        """Whether a workflow task waits for a poll."""
        state = self.state.get(number)
        # Of a closed run, Describe still tells the task that waited at the end.
        return self.runs_on(number) and state.HasField("pending_workflow_task") and (
            state.pending_workflow_task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED)

    async def step(self, operation, where):
        if isinstance(operation, workers.Complete) and operation.workflow not in self.fake.workflow_tasks:
            await self.step(workers.Take(operation.workflow), where + " (its poll)")
            if operation.workflow not in self.fake.workflow_tasks:
                return
        if operation.reads:
            fake, real = await self.agreed(operation.run)
        else:
            fake, real = await asyncio.gather(*(operation.run(side) for side in self.sides))
        if isinstance(operation, workers.Worker):
            self.workers[operation.workflow, operation.build] = operation
        self.report(fake, real, f"{where}\nthe answers differ:")

    @staticmethod
    def report(fake, real, what):
        difference = compared(fake, real)
        if difference:
            raise Difference(f"{what}\n{difference}")

    async def agreed(self, ask):
        """What `ask` says of each side, asked again until both say the same or patience ends: either works in the background."""
        until = time.monotonic() + self.patience
        while True:
            before = [side.scrub.mark() for side in self.sides]
            fake, real = await asyncio.gather(*(ask(side) for side in self.sides))
            if fake == real or time.monotonic() > until:
                return fake, real
            # What was seen on the way counts for nothing, nor do identifiers in it.
            for side, mark in zip(self.sides, before):
                side.scrub.back_to(mark)
            await asyncio.sleep(0.02)  # the state of other programs: there is no event to wait for

    async def settle(self, where):
        await self.settle_background(where)
        await self.compare_watched(where)
        await self.settle_background(where)
        while await self.settle_polls(where):
            await self.compare_watched(where)

    async def compare_watched(self, where):
        for kind, key in sorted(self.watched, key=str):
            self.report(*await self.agreed(lambda side, k=kind, n=key: self.look(side, k, n)),
                        f"{where}\nthen the description of {kind} {key} differs:")
            if kind != "workflow":
                continue
            for run in range(len(self.fake.runs.get(key, []))):
                self.report(*await self.agreed(lambda side, n=key, r=run: watch.history(side, n, r)),
                            f"{where}\nthen the history of w{key}, run {run + 1}, differs:")

    async def look(self, side, kind, key):
        response, data = await watch.KINDS[kind](side, key)
        if side is self.fake:
            self.seen[kind, key] = response
        return data

    async def both_done(self, fake, real):
        """The results of two calls that run beside the script, once one of them is done; None when neither is."""
        calls = (fake, real)
        if not any(c.done() for c in calls):
            return None
        await asyncio.wait(calls, timeout=SETTLE_S)
        results = [call.result() if call.done() else None for call in calls]
        for call in calls:
            call.cancel()
        return results

    def told(self, results, nothing):
        return [nothing if result is None else side.tell(result) for side, result in zip(self.sides, results)]

    async def settle_background(self, where):
        """A call that one side has answered, the other has to answer as well, and alike."""
        for name in list(self.fake.background):
            calls = [side.background[name] for side in self.sides]
            if not any(c.done() for c in calls):
                await asyncio.wait(calls, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
            results = await self.both_done(*calls)
            if results is None:
                continue
            for side in self.sides:
                del side.background[name]
            self.report(*self.told(results, "no answer"), f"{where}\nthe answers to '{name}' differ:")

    async def settle_polls(self, where):
        """Takes the tasks that workers got, and lets those that have answered theirs poll again; whether there was any."""
        changed = False
        for key, worker in self.workers.items():
            if key in self.fake.polls:
                results = await self.both_done(*(side.polls[key] for side in self.sides))
                if results is None:
                    continue
                changed = True
                for side, result in zip(self.sides, results):
                    del side.polls[key]
                    workers.keep_task(side, worker.workflow, result, worker.build)
                self.report(*self.told(results, "no task"), f"{where}\nthe tasks of {worker} differ:")
            elif worker.workflow not in self.fake.workflow_tasks:
                changed = True
                for side in self.sides:
                    worker.poll(side)
        return changed
