#include "fakes/engine/invariants.h"

#include <fmt/format.h>

#include "fakes/engine/core.h"

namespace squall::fakes::engine {
namespace {

std::string CheckOpen(const Run& run) {
  const WorkflowTask& task = run.task;
  if (task.pending() && (run.transient() || task.speculative)) {
    if (task.scheduled_event_id > run.history.next_event_id())
      return "an unwritten workflow task lies beyond the history";
  } else if (task.pending() && task.scheduled_event_id >= run.history.next_event_id()) {
    return "a workflow task is scheduled by an event that does not exist";
  }
  if (task.is_started() && !task.pending()) return "a workflow task is started but not scheduled";
  if (task.is_started() && task.start_to_close == 0)
    return "a started workflow task has no time-out";
  if (!task.is_started() && run.history.has_buffered())
    return "events are buffered without a workflow task in progress";
  if (!task.pending() && task.schedule_to_start != 0) return "a time-out of no workflow task";
  if (!run.sticky_queue.empty() && run.transient()) return "a failing workflow task is sticky";
  for (const auto& [id, activity] : run.activities) {
    if (id >= run.history.next_event_id())
      return "an activity is scheduled by an event that does not exist";
    const auto index = run.activity_ids.find(activity.attributes.activity_id());
    if (index == run.activity_ids.end() || index->second != id)
      return "an activity is not in the index";
    if (activity.started && activity.start_to_close == 0)
      return "a started activity has no time-out";
    if (activity.started && activity.retry != 0) return "a started activity waits for its retry";
  }
  if (run.activity_ids.size() != run.activities.size())
    return "the index of activities has strangers";
  for (const auto& [id, timer] : run.timers) {
    if (timer.timer == 0) return "a user timer has no deadline";
  }
  return {};
}

std::string CheckClosed(const Run& run) {
  if (run.task.pending()) return "a closed run has a workflow task";
  if (!run.activities.empty() || !run.activity_ids.empty()) return "a closed run has activities";
  if (!run.timers.empty()) return "a closed run has timers";
  if (run.history.has_buffered()) return "a closed run has buffered events";
  if (!run.queries.empty()) return "a closed run has buffered queries";
  if (!run.history_waiters.empty()) return "a closed run has callers waiting for events";
  if (run.run_timer != 0 || run.backoff_timer != 0) return "a closed run has deadlines";
  return {};
}

std::string CheckHistory(const Run& run) {
  const std::string_view bytes = run.history.Slice(1, run.history.next_event_id() - 1);
  historypb::History parsed;
  if (!parsed.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return "the history is not a message";
  if (parsed.events_size() + 1 != run.history.next_event_id())
    return "the history has another number of events";
  for (int i = 0; i < parsed.events_size(); ++i) {
    if (parsed.events(i).event_id() != i + 1) return "event ids are not dense";
    if (parsed.events(i).attributes_case() == historypb::HistoryEvent::ATTRIBUTES_NOT_SET) {
      return fmt::format("event {} has no attributes", i + 1);
    }
  }
  return {};
}

}  // namespace

std::string CheckInvariants(const Core& core) {
  if (!core.deferred.empty()) return "deferred work is left";
  if (const auto next = core.timers.NextDeadline(); next && *next < core.now.steady)
    return "a deadline lies in the past";
  for (const auto& [name, ns] : core.namespaces.by_name()) {
    std::size_t open = 0, runs = 0;
    for (const auto& [id, execution] : ns->executions) {
      for (const auto& [run_id, run] : execution.runs) {
        ++runs;
        if (run->open()) {
          ++open;
          if (execution.current != run)
            return fmt::format("{}: an open run is not the current one", id);
        }
        std::string broken = run->open() ? CheckOpen(*run) : CheckClosed(*run);
        if (broken.empty()) broken = NexusOperations::Check(*run);
        if (broken.empty()) broken = CheckHistory(*run);
        if (!broken.empty()) return fmt::format("{} {}: {}", id, run_id, broken);
      }
    }
    for (const auto& [id, schedule] : ns->schedules) {
      if (schedule->closed && (schedule->wakeup != 0 || schedule->watched))
        return fmt::format("{}: a closed schedule waits for something", id);
    }
    for (const auto& [id, batch] : ns->batches) {
      const bool running = batch->state == enums::BATCH_OPERATION_STATE_RUNNING;
      if (running != (batch->timer != 0) || running == batch->todo.empty())
        return fmt::format("{}: a batch operation runs without work, or waits after its end", id);
    }
    if (open != ns->open_runs)
      return fmt::format("{}: {} runs are open, {} are counted", name, open, ns->open_runs);
    if (runs != ns->by_visibility.size())
      return fmt::format("{}: the list has another number of runs", name);
  }
  if (std::string broken = core.nexus_tasks.Check(); !broken.empty()) return broken;
  if (std::string broken = core.standalone.Check(); !broken.empty()) return broken;
  if (std::string broken = core.deployments.Check(); !broken.empty()) return broken;
  return core.matching.Check();
}

}  // namespace squall::fakes::engine
