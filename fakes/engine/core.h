#pragma once
// What the parts of the engine share, and how they reach each other.

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/executor.h"
#include "base/util/rng.h"
#include "fakes/engine/activities.h"
#include "fakes/engine/activity_operators.h"
#include "fakes/engine/batches.h"
#include "fakes/engine/build_ids.h"
#include "fakes/engine/callbacks.h"
#include "fakes/engine/calls.h"
#include "fakes/engine/children.h"
#include "fakes/engine/closing.h"
#include "fakes/engine/clusters.h"
#include "fakes/engine/commands.h"
#include "fakes/engine/deployments.h"
#include "fakes/engine/engine.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/matching.h"
#include "fakes/engine/namespaces.h"
#include "fakes/engine/nexus_endpoints.h"
#include "fakes/engine/nexus_operations.h"
#include "fakes/engine/nexus_standalone.h"
#include "fakes/engine/nexus_tasks.h"
#include "fakes/engine/pauses.h"
#include "fakes/engine/queries.h"
#include "fakes/engine/reads.h"
#include "fakes/engine/resets.h"
#include "fakes/engine/scheduler.h"
#include "fakes/engine/schedules.h"
#include "fakes/engine/signals.h"
#include "fakes/engine/standalone.h"
#include "fakes/engine/starts.h"
#include "fakes/engine/updates.h"
#include "fakes/engine/versioning.h"
#include "fakes/engine/visibility.h"
#include "fakes/engine/worker_commands.h"
#include "fakes/engine/workers.h"
#include "fakes/engine/workflow_tasks.h"

namespace squall::fakes::engine {

struct Core {
  Core(EngineOptions engine_options, journal::Sink& journal_sink);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Runs `work` after the input being handled, before the engine returns: what the real server does
  // in transfer tasks.
  void Defer(std::function<void()> work) { deferred.push_back(std::move(work)); }
  void RunDeferred();
  TimerId After(Duration delay, std::function<void()> work) {
    return timers.Add(now.steady + delay, std::move(work));
  }
  // At once when it is late already: limits may be cut while they run.
  TimerId At(SteadyTime at, std::function<void()> work) {
    return timers.Add(std::max(at, now.steady), std::move(work));
  }
  // Cancels and clears; 0 is no timer.
  void CancelTimer(TimerId& id) {
    if (id != 0) timers.Cancel(std::exchange(id, 0));
  }

  // Journal.
  void WorkflowHappened(const char* what, const Run& run, const std::string& result = {},
                        const std::string& detail = {});
  void ActivityHappened(const char* what, const Run& run, const Activity& activity,
                        const std::string& detail = {});

  const EngineOptions options;
  journal::Sink& sink;
  const std::string source;  // "server:<name>"
  Rng rng;
  TimerQueue timers;
  std::uint64_t transaction = 0;  // counts pieces of work whose events are written together
  Moment now{};
  std::int64_t next_task_id = 1048576;  // where the real server's first shard starts
  std::string cluster_id;
  std::deque<std::function<void()>> deferred;

  Calls calls{*this};
  Limits limits{*this};
  Namespaces namespaces{*this};
  Deployments deployments{*this};
  Versioning versioning{*this};
  BuildIds build_ids{*this};
  Matching matching{*this};
  WorkflowTasks tasks{*this};
  Activities activities{*this};
  Commands commands{*this};
  Children children{*this};
  Closing closing{*this};
  Starts starts{*this};
  Signals signals{*this};
  Queries queries{*this};
  Updates updates{*this};
  Reads reads{*this};
  Resets resets{*this};
  ActivityOperators operators{*this};
  Pauses pauses{*this};
  StandaloneActivities standalone{*this};
  Visibility visibility{*this};
  Workers workers{*this};
  WorkerCommands worker_commands{*this};
  NexusEndpoints nexus_endpoints{*this};
  NexusTasks nexus_tasks{*this};
  NexusOperations nexus_operations{*this};
  NexusStandalone nexus_standalone{*this};
  Callbacks callbacks{*this};
  Scheduler scheduler{*this};
  Schedules schedules{*this};
  Batches batches{*this};
  Clusters clusters{*this};
};

}  // namespace squall::fakes::engine
