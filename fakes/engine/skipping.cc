#include "fakes/engine/skipping.h"

#include <algorithm>

#include "fakes/engine/core.h"
#include "fakes/engine/standalone_state.h"

namespace squall::fakes::engine {
namespace {

// Somebody is at work on the run, or will be as soon as a worker polls.
bool AtWork(const Run& run) {
  if (run.task.pending() || !run.queries.empty()) return true;
  if (std::any_of(run.activities.begin(), run.activities.end(), [](const auto& entry) {
        const Activity& activity = entry.second;
        return activity.started || (activity.retry == 0 && !activity.paused && !activity.withheld);
      })) {
    return true;
  }
  // An accepted update may itself wait for a timer.
  return std::any_of(run.updates.begin(), run.updates.end(), [](const auto& entry) {
    return entry.second.state == Update::State::kAdmitted ||
           entry.second.state == Update::State::kSent;
  });
}

bool WaitsForTime(const Run& run) {
  return !run.timers.empty() || run.backoff_timer != 0 ||
         std::any_of(run.activities.begin(), run.activities.end(),
                     [](const auto& entry) { return entry.second.retry != 0; }) ||
         std::any_of(run.nexus_operations.begin(), run.nexus_operations.end(),
                     [](const auto& entry) { return entry.second.attempts.backing_off; });
}

}  // namespace

StandaloneActivities::Work StandaloneActivities::WorkNow() const {
  Work work;
  for (const auto& [ns, executions] : state_->by_namespace) {
    for (const auto& [id, execution] : executions) {
      if (execution.current == nullptr) continue;
      const StandaloneActivity& activity = *execution.current;
      if (activity.dispatch_timer != 0) {
        work.backing_off = true;
      } else if (activity.running() || activity.status == StandaloneActivity::Status::kScheduled) {
        work.pending = true;
      }
    }
  }
  return work;
}

std::optional<SteadyTime> NextSkip(const Core& core) {
  const std::optional<SteadyTime> next = core.timers.NextDeadline();
  if (!next || core.matching.pending_queries() != 0 || core.nexus_tasks.pending() != 0)
    return std::nullopt;
  const StandaloneActivities::Work standalone = core.standalone.WorkNow();
  if (standalone.pending) return std::nullopt;
  bool waits = standalone.backing_off;
  for (const auto& [name, ns] : core.namespaces.by_name()) {
    for (const auto& [key, run] : ns->by_visibility) {
      if (!run->open()) break;  // open runs come first
      if (AtWork(*run)) return std::nullopt;
      waits = waits || WaitsForTime(*run);
    }
  }
  return waits ? next : std::nullopt;
}

}  // namespace squall::fakes::engine
