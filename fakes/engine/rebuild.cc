// A run's state made again from a part of its history, for resets (stateRebuilder in the real
// server).

#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/core.h"
#include "fakes/engine/resets.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

constexpr char kUnversioned[] = "unversioned";

// Adds `value` to a search attribute of type KeywordList.
void AddKeyword(Run& run, const std::string& name, const std::string& value) {
  common::Payload& payload = run.search_attributes[name];
  const std::string quoted = fmt::format("\"{}\"", value);
  if (payload.data().find(quoted) != std::string::npos) return;
  (*payload.mutable_metadata())["encoding"] = "json/plain";
  (*payload.mutable_metadata())["type"] = "KeywordList";
  payload.set_data(payload.data().empty()
                       ? "[" + quoted + "]"
                       : payload.data().substr(0, payload.data().size() - 1) + "," + quoted + "]");
}

}  // namespace

void Resets::NoteCompletion(Run& run, const historypb::HistoryEvent& completed) {
  const auto& attributes = completed.workflow_task_completed_event_attributes();
  const std::string& build_id = attributes.has_deployment_version()
                                    ? attributes.deployment_version().build_id()
                                    : attributes.worker_version().build_id();
  const std::string& checksum = attributes.binary_checksum();
  const auto known =
      std::find_if(run.reset_points.begin(), run.reset_points.end(), [&](const auto& point) {
        return point.build_id() == build_id && point.binary_checksum() == checksum;
      });
  if (known == run.reset_points.end()) {
    workflowpb::ResetPointInfo point;
    point.set_build_id(build_id);
    point.set_binary_checksum(checksum);
    point.set_run_id(run.run_id);
    point.set_first_workflow_task_completed_id(completed.event_id());
    *point.mutable_create_time() = completed.event_time();
    point.set_resettable(run.pending_cancels.empty() && run.pending_signals.empty());
    run.reset_points.push_back(std::move(point));
  }
  // Those of versioned workers are Versioning's.
  if (attributes.versioning_behavior() == enums::VERSIONING_BEHAVIOR_UNSPECIFIED &&
      !attributes.has_deployment_version() && !attributes.worker_version().use_versioning()) {
    AddKeyword(run, "BuildIds", kUnversioned);
    if (!build_id.empty())
      AddKeyword(run, "BuildIds", fmt::format("{}:{}", kUnversioned, build_id));
  }
  if (!checksum.empty()) AddKeyword(run, "BinaryChecksums", checksum);
}

std::shared_ptr<Run> Resets::Rebuild(const Run& base, std::int64_t last) {
  auto run = std::make_shared<Run>();
  run->ns = base.ns;
  run->workflow_id = base.workflow_id;
  run->run_id = core_.rng.Uuid();
  run->first_run_id = base.first_run_id;
  run->start = base.start;
  run->user_metadata = base.user_metadata;
  run->create_request_id = base.create_request_id;
  run->started = run->execution_time = core_.now.wall;
  run->original_started =
      base.original_started == WallTime{} ? base.started : base.original_started;
  run->last_reset = core_.now.wall;
  run->base_run_ids = base.base_run_ids;
  run->base_run_ids.insert(base.run_id);
  run->history.SetTransaction(&core_.transaction);
  const std::string_view bytes = base.history.Slice(1, last);
  historypb::History history;
  history.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  for (historypb::HistoryEvent& event : *history.mutable_events()) {
    const std::int64_t id = run->history.Append(event);
    if (base.history.EndsBatch(id)) run->history.EndBatch();
    Replay(*run, event);
  }
  run->history.EndBatch();
  for (auto& [id, child] : run->children) {
    if (const auto it = base.children.find(id); it != base.children.end())
      child.request_id = it->second.request_id;
  }
  return run;
}

void Resets::Replay(Run& run, const historypb::HistoryEvent& event) {
  const auto end_activity = [&](std::int64_t scheduled_id) {
    const auto it = run.activities.find(scheduled_id);
    if (it == run.activities.end()) return;
    run.activity_ids.erase(it->second.attributes.activity_id());
    run.activities.erase(it);
  };
  switch (event.event_type()) {
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
      for (const auto& [key, value] : run.start.memo().fields()) run.memo[key] = value;
      for (const auto& [key, value] : run.start.search_attributes().indexed_fields())
        run.search_attributes[key] = value;
      core_.versioning.Started(run);
      return core_.callbacks.RunStarted(run);
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED:
      core_.versioning.OptionsUpdated(run,
                                      event.workflow_execution_options_updated_event_attributes());
      return core_.callbacks.Restore(run, event);
    case enums::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED: {
      const auto& attributes = event.workflow_task_scheduled_event_attributes();
      run.task.scheduled_event_id = event.event_id();
      run.task.started_event_id = 0;
      run.task.attempt = attributes.attempt();
      run.task.timeout = FromProto(attributes.start_to_close_timeout());
      run.task.scheduled = run.task.original_scheduled = FromProto(event.event_time());
      return;
    }
    case enums::EVENT_TYPE_WORKFLOW_TASK_STARTED:
      run.task.started_event_id = event.event_id();
      run.task.started = FromProto(event.event_time());
      return;
    case enums::EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
      run.previous_started_event_id =
          event.workflow_task_completed_event_attributes().started_event_id();
      run.task = {};
      NoteCompletion(run, event);
      core_.versioning.TaskCompleted(run, event.workflow_task_completed_event_attributes());
      return;
    case enums::EVENT_TYPE_WORKFLOW_TASK_FAILED:
      run.task = {};
      run.task.attempt = 2;
      return;
    case enums::EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
      run.task = {};
      if (event.workflow_task_timed_out_event_attributes().timeout_type() ==
          enums::TIMEOUT_TYPE_START_TO_CLOSE) {
        run.task.attempt = 2;
      }
      return;
    case enums::EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: {
      const auto& attributes = event.activity_task_scheduled_event_attributes();
      Activity& activity = run.activities[event.event_id()];
      activity.scheduled_event_id = event.event_id();
      activity.attributes = attributes;
      run.activity_ids[attributes.activity_id()] = event.event_id();
      return;
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED: {
      const auto it = run.activities.find(
          event.activity_task_cancel_requested_event_attributes().scheduled_event_id());
      if (it == run.activities.end()) return;
      it->second.cancel_requested = true;
      it->second.cancel_request_event_id = event.event_id();
      return;
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
      return end_activity(event.activity_task_completed_event_attributes().scheduled_event_id());
    case enums::EVENT_TYPE_ACTIVITY_TASK_FAILED:
      return end_activity(event.activity_task_failed_event_attributes().scheduled_event_id());
    case enums::EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
      return end_activity(event.activity_task_timed_out_event_attributes().scheduled_event_id());
    case enums::EVENT_TYPE_ACTIVITY_TASK_CANCELED:
      return end_activity(event.activity_task_canceled_event_attributes().scheduled_event_id());
    case enums::EVENT_TYPE_TIMER_STARTED: {
      const auto& attributes = event.timer_started_event_attributes();
      UserTimer& timer = run.timers[attributes.timer_id()];
      timer.started_event_id = event.event_id();
      timer.fires = FromProto(event.event_time()) + FromProto(attributes.start_to_fire_timeout());
      return;
    }
    case enums::EVENT_TYPE_TIMER_FIRED:
      run.timers.erase(event.timer_fired_event_attributes().timer_id());
      return;
    case enums::EVENT_TYPE_TIMER_CANCELED:
      run.timers.erase(event.timer_canceled_event_attributes().timer_id());
      return;
    case enums::EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: {
      Child& child = run.children[event.event_id()];
      child.initiated_event_id = event.event_id();
      child.attributes = event.start_child_workflow_execution_initiated_event_attributes();
      if (event.has_user_metadata()) child.user_metadata = event.user_metadata();
      return;
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: {
      const auto& attributes = event.child_workflow_execution_started_event_attributes();
      const auto it = run.children.find(attributes.initiated_event_id());
      if (it == run.children.end()) return;
      it->second.started = true;
      it->second.started_event_id = event.event_id();
      it->second.run_id = attributes.workflow_execution().run_id();
      return;
    }
    case enums::EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
      run.children.erase(
          event.start_child_workflow_execution_failed_event_attributes().initiated_event_id());
      return;
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
      run.children.erase(
          event.child_workflow_execution_completed_event_attributes().initiated_event_id());
      return;
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
      run.children.erase(
          event.child_workflow_execution_failed_event_attributes().initiated_event_id());
      return;
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
      run.children.erase(
          event.child_workflow_execution_canceled_event_attributes().initiated_event_id());
      return;
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
      run.children.erase(
          event.child_workflow_execution_timed_out_event_attributes().initiated_event_id());
      return;
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
      run.children.erase(
          event.child_workflow_execution_terminated_event_attributes().initiated_event_id());
      return;
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: {
      const std::string& id = event.workflow_execution_signaled_event_attributes().request_id();
      if (!id.empty()) run.signal_request_ids.insert(id);
      return;
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
      run.cancel_requested = true;
      return;
    case enums::EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
      for (const auto& [key, value] : event.upsert_workflow_search_attributes_event_attributes()
                                          .search_attributes()
                                          .indexed_fields()) {
        Visibility::Upsert(run.search_attributes, key, value);
      }
      return;
    case enums::EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED:
      for (const auto& [key, value] :
           event.workflow_properties_modified_event_attributes().upserted_memo().fields()) {
        Visibility::Upsert(run.memo, key, value);
      }
      return;
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
      return core_.updates.Restore(run, event);
    default:
      core_.nexus_operations.Restore(run, event);
  }
}

void Resets::Revive(Run& run) {
  if (const Duration limit = FromProto(run.start.workflow_execution_timeout()); limit.count() > 0)
    run.execution_expires = core_.now.wall + limit;
  if (const Duration limit = FromProto(run.start.workflow_run_timeout()); limit.count() > 0) {
    run.run_expires = core_.now.wall + limit;
    if (run.execution_expires) run.run_expires = std::min(*run.run_expires, *run.execution_expires);
  }
  core_.starts.ArmExpiry(run);
  for (auto& [id, timer] : run.timers) {
    timer.timer = core_.After(std::max(Duration{}, timer.fires - core_.now.wall),
                              [this, weak = run.weak_from_this(), id = id] {
                                auto held = weak.lock();
                                if (held != nullptr && held->open())
                                  core_.commands.TimerFired(*held, id);
                              });
  }
  for (auto& [id, activity] : run.activities) core_.activities.Revive(run, activity);
}

}  // namespace squall::fakes::engine
