#define SQUALL_PLANTED_BUGS 1
#include "tests/sim/planted/bugs.h"

#include <array>

namespace squall {
namespace {

PlantedBug planted = PlantedBug::kNone;

constexpr std::array kRows = std::to_array<PlantedBugRow>({
    {PlantedBug::kTimerLostOnRestart, "timer-lost-on-restart", "engine", 3,
     "timers of workflows do not survive a restart of the server"},
    {PlantedBug::kBacklogLostOnRestart, "backlog-lost-on-restart", "engine", 3,
     "tasks that wait in a queue do not survive a restart of the server"},
    {PlantedBug::kFirstTaskLostOnRestart, "first-task-lost-on-restart", "engine", 3,
     "a run whose first task is delayed never gets it after a restart"},
    {PlantedBug::kRetryForgotten, "retry-forgotten", "engine", 3,
     "an activity attempt that timed out is not followed by another"},
    {PlantedBug::kActivityTimeoutForgotten, "activity-timeout-forgotten", "engine", 3,
     "an activity task that got lost is waited for without a limit"},
    {PlantedBug::kTaskTimeoutForgotten, "task-timeout-forgotten", "engine", 3,
     "a workflow task that got lost is waited for without a limit"},
    {PlantedBug::kTaskNotRetried, "task-not-retried", "engine", 3,
     "a workflow task that timed out is not scheduled again"},
    {PlantedBug::kStickyNeverFallsBack, "sticky-never-falls-back", "engine", 4,
     "tasks wait in the sticky queue of a worker that is gone"},
    {PlantedBug::kSignalDropped, "signal-dropped", "engine", 2,
     "a signal that comes while a workflow task is in progress is lost"},
    {PlantedBug::kResolvedTwice, "resolved-twice", "engine", 2,
     "an activity that needed two attempts is resolved twice"},
    {PlantedBug::kChildEndNotTold, "child-end-not-told", "engine", 3,
     "a child that ends while its parent has a task in progress is forgotten"},
    {PlantedBug::kHeartbeatIgnored, "heartbeat-ignored", "engine", 2,
     "heartbeats do not put off the heartbeat time-out"},
    {PlantedBug::kBacklogNotServed, "backlog-not-served", "engine", 3,
     "a poll that comes after the task does not get it"},
    {PlantedBug::kReplayEndsEarly, "replay-ends-early", "engine", 4,
     "a history for replay lacks its last events"},
    {PlantedBug::kTaskDroppedWithoutPoller, "task-dropped-without-poller", "engine", 3,
     "a task is dropped where nobody has polled yet"},
    {PlantedBug::kAnswerLostAfterGoaway, "answer-lost-after-goaway", "front end", 2,
     "answers to calls that were open at GOAWAY get lost"},
    {PlantedBug::kClosesAtGoaway, "closes-at-goaway", "front end", 1,
     "a connection is closed with its GOAWAY, open calls or not"},
    {PlantedBug::kCallOutlivesConnection, "call-outlives-connection", "front end", 2,
     "polls of a connection that is gone still get tasks"},
    {PlantedBug::kSecondAnswerLost, "second-answer-lost", "front end", 2,
     "of two answers at once to a connection the second gets lost"},
    {PlantedBug::kPingsMiscounted, "pings-miscounted", "front end", 1,
     "keepalive PINGs count as too many, whatever comes between"},
    {PlantedBug::kNoRetryAfterFailedConnect, "no-retry-after-failed-connect", "host", 2,
     "the host gives up after one failed reconnect"},
    {PlantedBug::kNoWorkersAfterReconnect, "no-workers-after-reconnect", "host", 2,
     "the host reconnects and starts no workers"},
    {PlantedBug::kConnectLimitForgotten, "connect-limit-forgotten", "host", 2,
     "a connect that never answers is waited for without a limit"},
    {PlantedBug::kNewWorkersNotStopped, "new-workers-not-stopped", "host", 2,
     "workers that were started after a reconnect are not asked to stop"},
    {PlantedBug::kExitRemembersFailure, "exit-remembers-failure", "host", 2,
     "the exit code tells of an outage that is long over"},
    {PlantedBug::kPollingEndsWithCache, "polling-ends-with-cache", "worker", 2,
     "a worker stops polling when the last workflow leaves its cache"},
    {PlantedBug::kCancelledNeverCompleted, "cancelled-never-completed", "worker", 3,
     "an activity that ends after its cancellation is never completed to core"},
    {PlantedBug::kWatchdogBitesAtLoss, "watchdog-bites-at-loss", "host", 2,
     "losing its workers arms the watchdog that is meant for the end of the process"},
    {PlantedBug::kBackoffWithoutLimit, "backoff-without-limit", "host", 2,
     "the pause between reconnects grows without limit"},
});

}  // namespace

std::span<const PlantedBugRow> PlantedBugs() { return kRows; }
void Plant(PlantedBug bug) { planted = bug; }

bool Planted(PlantedBug bug) { return planted == bug; }

}  // namespace squall
