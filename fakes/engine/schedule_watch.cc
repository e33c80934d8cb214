// How schedules follow the workflows that they started.

#include <fmt/format.h>

#include "fakes/engine/core.h"
#include "fakes/engine/scheduler.h"

namespace squall::fakes::engine {

Scheduler::Outcome Scheduler::Observe(Namespace& ns, const common::WorkflowExecution& started) {
  auto found = Namespaces::FindRun(ns, started.workflow_id(), "");
  // Another workflow may have the id by now.
  if (found.ok() && (*found)->first_run_id != started.run_id())
    found = Namespaces::FindRun(ns, started.workflow_id(), started.run_id());
  while (found.ok() && !(*found)->open() && !(*found)->new_run_id.empty())
    found = Namespaces::FindRun(ns, started.workflow_id(), (*found)->new_run_id);
  if (!found.ok()) return {};
  const Run& run = **found;
  Outcome outcome{.status = run.status, .result = {}, .failure = {}};
  if (run.open()) return outcome;
  const historypb::HistoryEvent last = run.history.Read(run.history.next_event_id() - 1);
  if (last.has_workflow_execution_completed_event_attributes()) {
    const auto& attributes = last.workflow_execution_completed_event_attributes();
    if (attributes.has_result()) outcome.result = attributes.result();
  } else if (last.has_workflow_execution_failed_event_attributes()) {
    outcome.failure = last.workflow_execution_failed_event_attributes().failure();
  }
  return outcome;
}

bool Scheduler::Runs(Namespace& ns, const common::WorkflowExecution& started) {
  const auto current = Namespaces::FindRun(ns, started.workflow_id(), "");
  return current.ok() && (*current)->open() && (*current)->first_run_id == started.run_id();
}

void Scheduler::Refresh(Schedule& schedule) {
  const auto ns = schedule.ns.lock();
  const auto started = schedule.info.running_workflows();
  for (const common::WorkflowExecution& execution : started)
    Ended(schedule, execution.workflow_id(), Observe(*ns, execution));
}

void Scheduler::Ended(Schedule& schedule, const std::string& workflow_id, const Outcome& outcome) {
  if (outcome.status == enums::WORKFLOW_EXECUTION_STATUS_RUNNING) return;
  auto* running = schedule.info.mutable_running_workflows();
  for (auto it = running->begin(); it != running->end(); ++it) {
    if (it->workflow_id() != workflow_id) continue;
    running->erase(it);
    break;
  }
  for (auto& action : *schedule.info.mutable_recent_actions()) {
    if (action.start_workflow_result().workflow_id() != workflow_id) continue;
    action.set_start_workflow_status(outcome.status);
    break;
  }
  auto* state = schedule.schedule.mutable_state();
  const bool failed = outcome.status == enums::WORKFLOW_EXECUTION_STATUS_FAILED;
  const bool timed_out = outcome.status == enums::WORKFLOW_EXECUTION_STATUS_TIMED_OUT;
  if (schedule.schedule.policies().pause_on_failure() && (failed || timed_out) &&
      !state->paused()) {
    state->set_paused(true);
    state->set_notes(failed ? fmt::format("paused due to workflow failure: {}: {}", workflow_id,
                                          outcome.failure ? outcome.failure->message() : "")
                            : fmt::format("paused due to workflow timeout: {}", workflow_id));
    ++schedule.conflict_token;
  }
  if (outcome.result) {
    schedule.last_result = outcome.result;
    schedule.continued_failure.reset();
  } else if (outcome.failure) {
    schedule.continued_failure = outcome.failure;
  }
}

void Scheduler::Watch(Schedule& schedule, const common::WorkflowExecution& started) {
  schedule.watched = started;
  watched_.emplace(std::pair(schedule.ns.lock()->id, started.workflow_id()),
                   schedule.weak_from_this());
  // It may have ended in this very pass.
  core_.Defer([this, weak = schedule.weak_from_this()] {
    if (const auto held = weak.lock()) CheckWatched(*held);
  });
}

void Scheduler::RunClosed(const Run& run) {
  const std::pair key(run.ns->id, run.workflow_id);
  if (!watched_.contains(key)) return;
  core_.Defer([this, key] {
    const auto [begin, end] = watched_.equal_range(key);
    std::vector<std::shared_ptr<Schedule>> waiting;
    for (auto it = begin; it != end; ++it) {
      if (auto schedule = it->second.lock()) waiting.push_back(std::move(schedule));
    }
    for (const auto& schedule : waiting) CheckWatched(*schedule);
  });
}

void Scheduler::CheckWatched(Schedule& schedule) {
  const auto ns = schedule.ns.lock();
  if (!schedule.watched || ns == nullptr) return;
  const Outcome outcome = Observe(*ns, *schedule.watched);
  if (outcome.status == enums::WORKFLOW_EXECUTION_STATUS_RUNNING) return;
  const std::string workflow_id = schedule.watched->workflow_id();
  schedule.watched.reset();
  const auto [begin, end] = watched_.equal_range(std::pair(ns->id, workflow_id));
  for (auto it = begin; it != end;) {
    const auto held = it->second.lock();
    it = held == nullptr || held.get() == &schedule ? watched_.erase(it) : std::next(it);
  }
  Ended(schedule, workflow_id, outcome);
  Wake(schedule);
}

}  // namespace squall::fakes::engine
