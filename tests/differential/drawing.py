"""What is drawn: scripts, each of a theme, so that what they do to one thing is long enough to be interesting."""

from __future__ import annotations

from hypothesis import strategies as st
from temporalio.api.enums.v1 import (
    ActivityIdConflictPolicy, ActivityIdReusePolicy, ParentClosePolicy, ResetReapplyType, ScheduleOverlapPolicy,
    VersioningBehavior, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
)

import activities as act
import commands as cmd
import deployments as dep
import namespaces as nsp
import nexus as nex
import schedules as sch
import sizes as siz
import visibility as vis
import workers as wrk
import workflows as wfl
from side import CHILDREN, WORKFLOWS

# Mostly one workflow: what happens to it is then long enough to be interesting.
WORKFLOW = st.sampled_from([0] * 4 + [1])
ANYONE = st.sampled_from([0] * 6 + [*range(1, WORKFLOWS + CHILDREN)])
ACTIVITY = st.sampled_from(["a", "b"])
TIMER = st.sampled_from(["t", "u"])
TIMEOUT = st.sampled_from([0, 0, 100, 1000])
FIRST = st.just(0)
SECOND = st.sampled_from([0, 0, 0, 1])


def often(value, *others, times=6):
    return st.sampled_from([value] * times + list(others))


def start(workflow=WORKFLOW, **more):
    drawn = {
        "reuse": st.sampled_from([0, *WorkflowIdReusePolicy.values()[1:]]),
        "conflict": st.sampled_from([0, 0, 0, *WorkflowIdConflictPolicy.values()[1:]]),
        "request": st.sampled_from([None, None, 1, 2]), "retries": st.sampled_from([None, None, 1, 3]),
        "run_timeout": TIMEOUT, "task_timeout": st.sampled_from([0, 30, 200]), "memo": st.booleans(),
        "attribute": st.sampled_from(["", "", "CustomIntField", "NoSuchField"]), "type": often("drawn", "", times=3),
        "delay": often(0, 1000, times=8), "cron": often("", "0 0 1 1 *", "not a cron", times=12),
        "priority": often(0, 3, -1, times=5), **more}
    return st.builds(wfl.Start, workflow=workflow, **drawn)


def plain_start(workflow=FIRST, **more):
    """One that goes well."""
    return start(workflow, **({"reuse": FIRST, "conflict": FIRST, "request": st.none(), "retries": st.none(),
                               "run_timeout": FIRST, "task_timeout": st.just(200), "memo": st.just(False),
                               "attribute": st.just(""), "type": st.just("drawn"), "delay": FIRST,
                               "cron": st.just(""), "priority": FIRST} | more))


COMMAND = st.one_of(
    st.builds(cmd.StartTimer, timer=TIMER, fires=st.sampled_from([1000, 1000, 0.01, 0])),
    st.builds(cmd.CancelTimer, timer=TIMER),
    st.builds(cmd.ScheduleActivity, activity=ACTIVITY, schedule_to_close=TIMEOUT, schedule_to_start=TIMEOUT,
              start_to_close=st.sampled_from([100, 100, 0]), heartbeat=TIMEOUT,
              attempts=st.sampled_from([None, 1, 2, 0]), type=often("act", "", times=3)),
    st.builds(cmd.CancelActivity, activity=ACTIVITY),
    st.builds(cmd.RecordMarker, name=st.sampled_from(["m", ""])),
    st.builds(cmd.UpsertAttribute, name=st.sampled_from(["CustomIntField", "CustomTextField", "NoSuchField"]),
              value=st.sampled_from(["5", '"five"'])),
    st.builds(cmd.ModifyMemo, key=st.sampled_from(["m", "n"])),
    st.builds(cmd.StartChild, child=st.integers(0, CHILDREN - 1), policy=st.sampled_from(ParentClosePolicy.values()),
              reuse=st.sampled_from([0, 1, 3]), type=often("child", "", times=3)),
    st.builds(cmd.SignalExternal, target=ANYONE, child_only=st.booleans()),
    st.builds(cmd.CancelExternal, target=ANYONE, child_only=st.booleans()),
)
CLOSE = st.builds(cmd.Close, how=st.sampled_from(["complete", "fail", "fail for good", "cancel", "continue"]))


def complete(workflow=ANYONE, command=COMMAND, **more):
    def distinct(drawn):
        """No two children of one id at once: the real server starts them in any order."""
        children = set()
        return tuple(c for c in drawn if not isinstance(c, cmd.StartChild)
                     or c.child not in children and not children.add(c.child))

    commands = st.one_of(
        st.lists(command, max_size=3).map(distinct),
        st.lists(command, max_size=3).map(distinct),
        st.tuples(CLOSE),
        st.tuples(command, CLOSE),
        st.tuples(CLOSE, command),  # which the server refuses
    )
    drawn = {"verdict": st.sampled_from(["accept", "complete", "reject"]), "new_task": often(False, True, times=3),
             "return_task": often(False, True, times=7), **more}
    return st.builds(wrk.Complete, workflow=workflow, commands=commands, **drawn)


QUERIES = st.sampled_from([
    "", "ExecutionStatus = 'Running'", "ExecutionStatus IN ('Completed', 'Failed', \"Terminated\")",
    "WorkflowType = 'drawn'", "WorkflowType != 'drawn'", "CustomIntField > 3", "CustomIntField IS NULL",
    "CustomIntField BETWEEN 6 AND 8", "CloseTime IS NOT NULL", "StartTime > '2020-01-01T00:00:00Z'",
    "(ExecutionStatus = 'Running' OR CloseTime IS NOT NULL) AND NOT WorkflowType = 'child'",
    "TaskQueue STARTS_WITH 'x'", "NoSuchField = 1", "ExecutionStatus = 'Sideways'", "WorkflowType = 5",
    "HistoryLength >= 3 AND CloseTime IS NOT NULL", "CustomTextField = 'five'", "ParentWorkflowId IS NULL", "ExecutionStatus = 'Running' ORDER BY StartTime",
])
READ = st.one_of(
    st.builds(vis.ReadHistory, workflow=ANYONE, close_event=st.booleans(), page=st.sampled_from([0, 2]),
              reverse=st.booleans()),
    st.builds(vis.Count, query=QUERIES, group=often("", "ExecutionStatus", "WorkflowType", times=3)),
    st.builds(vis.List, query=QUERIES, method=st.sampled_from(["list", "list", "scan"])),
    st.builds(vis.List, query=st.just(""), method=st.sampled_from(["open", "closed"])),
    st.builds(vis.DescribeQueue, workflow=WORKFLOW, activities=st.booleans()),
)
UPDATE = st.one_of(
    st.builds(wfl.Update, workflow=WORKFLOW, update=st.sampled_from(["u1", "u2"]), completed=st.booleans()),
    st.builds(wfl.UpdateWithStart, start=start(), update=st.sampled_from(["u1", "u2"]), completed=st.booleans()),
    st.builds(wfl.PollUpdate, workflow=WORKFLOW, update=st.sampled_from(["u1", "u2"])),
)
ON_ACTIVITY = st.one_of(
    st.builds(wrk.TakeActivity, workflow=ANYONE, activity=ACTIVITY),
    st.builds(wrk.FinishActivity, workflow=ANYONE, activity=ACTIVITY, by_id=st.booleans(),
              how=st.sampled_from(["complete", "fail", "fail for good", "cancel", "heartbeat"])),
)
ON_WORKFLOW = st.one_of(
    start(),
    st.builds(wfl.SignalWithStart, start=start(), signal=st.sampled_from(["s", ""])),
    st.builds(wfl.Signal, workflow=ANYONE, name=st.sampled_from(["s", "z", ""]), first_run=st.booleans()),
    st.builds(wfl.Cancel, workflow=ANYONE, reason=st.sampled_from(["", "drawn"])),
    st.builds(wfl.Terminate, workflow=ANYONE, reason=st.sampled_from(["", "drawn"])),
    st.builds(wrk.Take, workflow=ANYONE),
    complete(), complete(), complete(),
    st.builds(wrk.FailTask, workflow=ANYONE),
    ON_ACTIVITY, ON_ACTIVITY, UPDATE,
    st.builds(wfl.Query, workflow=WORKFLOW, reject=st.sampled_from(wfl.REJECT_CONDITIONS)),
    st.builds(wfl.Reset, workflow=WORKFLOW, event=st.sampled_from([4, 4, 8, 3, 0]),
              reapply=st.sampled_from([0, *ResetReapplyType.values()[1:]]), exclude=often((), (1,), (2,))),
    READ,
)


def script(first, operation, max_size=24):
    # A script begins with what the rest is about: else most of it would be spent on things that do not exist.
    return st.tuples(first, st.lists(operation, min_size=2, max_size=max_size)).map(lambda s: (s[0], *s[1]))


def workflow_scripts():
    return script(start(), ON_WORKFLOW)


def operated_scripts():
    """Operators at work on workflows: pause, options, deletion, and the activities of a workflow."""
    schedule = st.builds(cmd.ScheduleActivity, activity=ACTIVITY, schedule_to_close=TIMEOUT, schedule_to_start=FIRST,
                         start_to_close=st.just(100), heartbeat=TIMEOUT, attempts=st.sampled_from([None, 2, 0]))
    operate = st.builds(
        act.Operate, workflow=FIRST, activity=ACTIVITY, how=st.sampled_from(["pause", "unpause", "reset", "update"]),
        by=often("id", "type", "all", times=3),
        flags=st.lists(st.sampled_from(["attempts", "heartbeat", "keep paused", "restore"]), max_size=2, unique=True).map(tuple),
        paths=st.lists(st.sampled_from(act.PATHS), max_size=2, unique=True).map(tuple))
    operation = st.one_of(
        operate, operate, operate, ON_ACTIVITY, ON_ACTIVITY, ON_ACTIVITY,
        complete(FIRST, schedule), complete(FIRST, COMMAND),
        st.builds(wfl.Pause, workflow=FIRST, unpause=st.booleans(), request=st.sampled_from([1, 2])),
        st.builds(wfl.UpdateOptions, workflow=FIRST, override=st.sampled_from(["", "auto", "pinned a"]),
                  priority=st.sampled_from([0, 2]),
                  paths=st.sampled_from([("versioning_override",), ("priority",), ("priority.priority_key",), (), ("nothing",)])),
        st.builds(wfl.Delete, workflow=often(0, 1, times=2)), ON_WORKFLOW,
    )
    begun = st.tuples(plain_start(), st.builds(wrk.Complete, workflow=FIRST, commands=schedule.map(lambda c: (c,)),
                                               verdict=st.just("accept"), new_task=st.just(False)))
    return st.tuples(begun, st.lists(operation, min_size=2, max_size=20)).map(lambda s: (*s[0], *s[1]))


def standalone_scripts():
    begin = st.builds(
        act.StartStandalone, number=SECOND, reuse=st.sampled_from([0, *ActivityIdReusePolicy.values()[1:]]),
        conflict=st.sampled_from([0, *ActivityIdConflictPolicy.values()[1:]]), attempts=st.sampled_from([None, 1, 2]),
        start_to_close=often(100, 0, times=4), schedule_to_close=TIMEOUT, heartbeat=TIMEOUT,
        request=st.sampled_from([1, 2, 3]), type=often("act", ""))
    operation = st.one_of(
        begin, st.builds(act.TakeStandalone, number=SECOND), st.builds(act.TakeStandalone, number=SECOND),
        st.builds(act.FinishStandalone, number=SECOND, by_id=st.booleans(),
                  how=st.sampled_from(["complete", "fail", "fail for good", "cancel", "heartbeat"])),
        st.builds(act.EndStandalone, number=SECOND, how=st.sampled_from(["cancel", "terminate", "delete"])),
        st.builds(act.OperateStandalone, number=SECOND, how=st.sampled_from(["pause", "unpause", "reset", "update"])))
    return script(begin, operation, 16)


def schedule_scripts():
    overlap = st.sampled_from(ScheduleOverlapPolicy.values())
    drawn = {"number": SECOND, "spec": often("cron", *sch.SPECS, times=4), "overlap": overlap,
             "paused": st.booleans(), "limit": often(0, 1, 3, times=3), "action": often(True, False)}
    create = st.builds(sch.CreateSchedule, memo=st.booleans(), request=st.sampled_from([1, 2]), **drawn)
    patch = st.builds(sch.PatchSchedule, number=SECOND, overlap=overlap,
                      how=st.sampled_from(["pause", "unpause", "trigger", "trigger", "backfill"]))
    query = st.sampled_from(["", "TemporalSchedulePaused = true", "TemporalSchedulePaused = false", "NoSuchField = 1",
                             "TemporalScheduleId = 'x'", "WorkflowId = 'x'"])
    operation = st.one_of(
        create, patch, patch, patch,
        st.builds(sch.UpdateSchedule, token=often("none", "first", "bad", times=3), **drawn),
        st.builds(sch.MatchingTimes, number=SECOND, days=st.sampled_from([0, 20, 400])),
        st.builds(sch.DeleteSchedule, number=SECOND),
        st.builds(sch.CountSchedules, query=query), st.builds(sch.ListSchedules, query=query))
    return script(create, operation, 8)


def deployment_scripts():
    build = st.sampled_from(["a", "a", "b", ""])
    behavior = st.sampled_from(VersioningBehavior.values())
    flags = {"missing_queues": st.booleans(), "no_pollers": st.booleans()}
    operation = st.one_of(
        st.builds(wrk.Worker, workflow=SECOND, build=build), st.builds(wrk.Worker, workflow=SECOND, build=build),
        st.builds(dep.CreateDeployment, build=build),
        st.builds(dep.SetCurrent, build=build, **flags), st.builds(dep.SetCurrent, build=build, **flags),
        st.builds(dep.SetRamping, build=build, percentage=st.sampled_from([0, 50, 100, 150]), **flags),
        st.builds(dep.UpdateMetadata, build=st.sampled_from(["a", "b"]), remove=st.booleans()),
        st.builds(dep.SetManager, who=st.sampled_from(["self", "operator", "other", ""])),
        st.builds(dep.DeleteDeployment, build=build, skip_drainage=st.booleans()),
        plain_start(SECOND, override=often("", "auto", "pinned a", "pinned b")), plain_start(SECOND),
        complete(SECOND, behavior=behavior), complete(SECOND, behavior=behavior),
        st.builds(wfl.UpdateOptions, workflow=SECOND, override=st.sampled_from(["", "auto", "pinned a", "pinned b"]),
                  priority=FIRST, paths=st.just(("versioning_override",))),
        st.builds(wfl.Signal, workflow=SECOND, name=st.just("s"), first_run=st.just(False)))
    return script(st.builds(wrk.Worker, workflow=FIRST, build=st.just("a")), operation, 12)


def nexus_scripts():
    target = often("queue", "url", "nowhere", "no queue", "bad name", times=8)
    make = st.builds(nex.CreateEndpoint, number=SECOND, target=target, described=st.booleans())
    command = st.one_of(
        st.builds(cmd.ScheduleNexus, endpoint=often(0, 1, 2), operation=st.sampled_from(["o", "p", ""]),
                  schedule_to_close=TIMEOUT),
        st.builds(cmd.CancelNexus, operation=st.sampled_from(["o", "p"])))
    operation = st.one_of(
        make, st.builds(nex.UpdateEndpoint, number=SECOND, target=target, described=st.booleans(), stale=often(False, True)),
        st.builds(nex.DeleteEndpoint, number=SECOND, stale=st.booleans()),
        st.builds(nex.ListEndpoints, number=SECOND), plain_start(),
        complete(FIRST, command), complete(FIRST, command), complete(FIRST, command),
        st.builds(nex.TakeNexus, workflow=FIRST, number=SECOND), st.builds(nex.TakeNexus, workflow=FIRST, number=SECOND),
        st.builds(nex.FinishNexus, workflow=FIRST, number=SECOND,
                  how=st.sampled_from(["sync", "async", "failed", "canceled", "handler error"])))
    return st.tuples(make, plain_start(), st.lists(operation, min_size=2, max_size=16)).map(lambda s: (*s[:2], *s[2]))


def namespace_scripts():
    register = st.builds(nsp.Register, number=SECOND, days=often(3, 0, 1), data=st.booleans(), is_global=often(False, True))
    operation = st.one_of(
        register, st.builds(nsp.UpdateNamespace, number=SECOND, what=st.sampled_from(
            ["description", "data", "retention", "short retention", "promote", "nothing"])),
        st.builds(nsp.Deprecate, number=SECOND), st.builds(nsp.UseNamespace, number=SECOND),
        st.builds(nsp.ReadServer, what=st.sampled_from(nsp.SERVER)))
    return script(register, operation, 6)


def batch_scripts():
    batch = st.builds(vis.StartBatch, number=SECOND, how=st.sampled_from([*vis.BATCHES]), by_query=st.booleans(),
                      reason=often("drawn", ""))
    # By query it takes what visibility has: that has to be everything.
    seen = st.builds(vis.Count, query=st.just("ExecutionStatus = 'Running'"))
    operation = st.one_of(
        st.tuples(seen, batch), st.tuples(st.builds(vis.StopBatch, number=SECOND)),
        st.tuples(plain_start(SECOND)), st.tuples(complete(SECOND)), st.tuples(READ))
    return st.tuples(plain_start(), st.lists(operation, min_size=1, max_size=5)).map(
        lambda s: (s[0], *(step for steps in s[1] for step in steps)))


def size_scripts():
    both = tuple(cmd.ScheduleActivity(activity, 0, 0, 100, 0, None) for activity in ("a", "b"))
    size = st.sampled_from([siz.SMALL, siz.LARGE, siz.LARGE, siz.HUGE])
    command = st.one_of(
        st.builds(siz.Marker, size=st.sampled_from([siz.SMALL, siz.MARKER, siz.MARKER])),
        st.builds(siz.Memo, key=st.sampled_from(["m", "n"]), size=st.sampled_from([siz.SMALL, siz.LARGE])))
    take = st.builds(wrk.TakeActivity, workflow=FIRST, activity=ACTIVITY)
    operation = st.one_of(
        take, take, st.builds(siz.Heartbeat, workflow=FIRST, activity=ACTIVITY, size=size, by_id=st.booleans()),
        st.builds(siz.Fail, workflow=FIRST, activity=ACTIVITY, heartbeat=often(0, siz.LARGE, siz.HUGE, times=2),
                  size=st.sampled_from([siz.SMALL, siz.CUT, siz.HUGE]), caused=st.booleans(), by_id=st.booleans()),
        st.builds(wfl.Signal, workflow=FIRST, name=st.just("s"), first_run=st.just(False)),
        st.builds(wrk.Complete, workflow=FIRST, commands=st.lists(command, max_size=4).map(tuple),
                  verdict=st.just("accept"), new_task=st.booleans()),
        st.builds(wrk.Complete, workflow=FIRST, verdict=st.just("accept"), new_task=st.just(False),
                  commands=st.tuples(st.lists(command, min_size=3, max_size=4), CLOSE).map(lambda c: (*c[0], c[1]))))
    begun = wrk.Complete(0, both, "accept", True)
    return st.tuples(plain_start(), st.lists(operation, min_size=2, max_size=14)).map(lambda s: (s[0], begun, *s[1]))


# Theme -> its weight among the others.
THEMES = {
    "workflows": (workflow_scripts, 50), "operated": (operated_scripts, 12), "standalone": (standalone_scripts, 8),
    "schedules": (schedule_scripts, 8), "deployments": (deployment_scripts, 4), "nexus": (nexus_scripts, 9),
    "namespaces": (namespace_scripts, 5), "batches": (batch_scripts, 4), "sizes": (size_scripts, 3),
}


def scripts(only=()):
    """Scripts of all themes, or of those named."""
    chosen = {name: theme for name, theme in THEMES.items() if not only or name in only}
    names = [name for name, (_, weight) in chosen.items() for _ in range(weight)]
    return st.sampled_from(names).flatmap(lambda name: chosen[name][0]())
