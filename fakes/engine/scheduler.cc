#include "fakes/engine/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/core.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// The real server's "tweakables".
constexpr Duration kDefaultCatchup = hours(365 * 24);
constexpr Duration kMinCatchup = seconds(10);
constexpr Duration kRetention = hours(7 * 24);  // of schedules that have nothing more to do
constexpr int kRecentActions = 10;
constexpr int kFutureTimesInList = 5;
constexpr int kRecentActionsInList = 5;
constexpr int kSpecFieldsInList = 10;
constexpr std::size_t kMaxBuffer = 1000;
constexpr int kBackfillsPerPass = 10;

bool CanTakeScheduled(const Schedule& schedule) {
  const auto& state = schedule.schedule.state();
  return !state.paused() && (!state.limited_actions() || state.remaining_actions() > 0);
}

enums::ScheduleOverlapPolicy Resolve(const Schedule& schedule,
                                     enums::ScheduleOverlapPolicy policy) {
  if (policy == enums::SCHEDULE_OVERLAP_POLICY_UNSPECIFIED)
    policy = schedule.schedule.policies().overlap_policy();
  return policy == enums::SCHEDULE_OVERLAP_POLICY_UNSPECIFIED ? enums::SCHEDULE_OVERLAP_POLICY_SKIP
                                                              : policy;
}

// More of a backfill that runs without regard to others is done soon after.
bool HasMoreAllowAll(const Schedule& schedule) {
  return !schedule.backfills.empty() &&
         Resolve(schedule, schedule.backfills.front().overlap_policy()) ==
             enums::SCHEDULE_OVERLAP_POLICY_ALLOW_ALL;
}

std::string Identity(const Namespace& ns, const Schedule& schedule) {
  return fmt::format("temporal-scheduler-{}-{}", ns.name, schedule.id);
}

// RFC 3339 to the second.
std::string FormatSeconds(WallTime time) {
  return FormatWall(std::chrono::floor<seconds>(time)).substr(0, 19) + "Z";
}

void TakeSnapshot(Schedule& schedule) {
  schedulepb::ScheduleListInfo info;
  *info.mutable_spec() = schedule.schedule.spec();
  info.mutable_spec()->clear_timezone_data();
  const auto cut = [](auto* field) {
    if (field->size() > kSpecFieldsInList)
      field->DeleteSubrange(kSpecFieldsInList, field->size() - kSpecFieldsInList);
  };
  cut(info.mutable_spec()->mutable_structured_calendar());
  cut(info.mutable_spec()->mutable_exclude_structured_calendar());
  cut(info.mutable_spec()->mutable_interval());
  if (schedule.schedule.action().start_workflow().has_workflow_type())
    *info.mutable_workflow_type() = schedule.schedule.action().start_workflow().workflow_type();
  info.set_notes(schedule.schedule.state().notes());
  info.set_paused(schedule.schedule.state().paused());
  const auto& recent = schedule.info.recent_actions();
  for (int i = std::max(0, recent.size() - kRecentActionsInList); i < recent.size(); ++i)
    *info.add_recent_actions() = recent[i];
  for (const WallTime time : Scheduler::FutureTimes(schedule, kFutureTimesInList))
    *info.add_future_action_times() = ToProto(time);
  schedule.list_info = std::move(info);
  schedule.row->search_attributes[kSchedulePaused] = TypedAttribute(
      schedule.schedule.state().paused() ? "true" : "false", enums::INDEXED_VALUE_TYPE_BOOL);
}

}  // namespace

Status Scheduler::Adopt(Schedule& schedule) {
  auto* policies = schedule.schedule.mutable_policies();
  policies->set_overlap_policy(Resolve(schedule, policies->overlap_policy()));
  const Duration catchup = policies->has_catchup_window()
                               ? std::max(FromProto(policies->catchup_window()), kMinCatchup)
                               : kDefaultCatchup;
  *policies->mutable_catchup_window() = ToProto(catchup);
  schedule.schedule.mutable_spec();
  schedule.schedule.mutable_action();
  schedule.schedule.mutable_state();
  SQUALL_ASSIGN_OR_RETURN(schedule.spec, CompiledSpec::Compile(schedule.schedule.spec()));
  return absl::OkStatus();
}

std::vector<WallTime> Scheduler::FutureTimes(const Schedule& schedule, int count) {
  const auto& state = schedule.schedule.state();
  if (state.limited_actions())
    count = static_cast<int>(std::min<std::int64_t>(state.remaining_actions(), count));
  std::vector<WallTime> times;
  WallTime after = schedule.last_processed;
  while (static_cast<int>(times.size()) < count) {
    const auto next = schedule.spec->Next(schedule.jitter_seed, after);
    if (!next) break;
    after = next->actual;
    if (schedule.info.has_update_time() && FromProto(schedule.info.update_time()) > after) continue;
    times.push_back(after);
  }
  return times;
}

void Scheduler::Wake(Schedule& schedule, const schedulepb::SchedulePatch* patch,
                     const ws::UpdateScheduleRequest* update) {
  const auto ns = schedule.ns.lock();
  if (schedule.closed || ns == nullptr || ns->state == enums::NAMESPACE_STATE_DELETED) return;
  const WallTime now = std::max(core_.now.wall, schedule.last_processed);
  const auto due = [&] {
    return ProcessRange(schedule, schedule.last_processed, now,
                        enums::SCHEDULE_OVERLAP_POLICY_UNSPECIFIED, false, nullptr);
  };
  Range range = due();
  schedule.last_processed = range.last_action;
  if (patch != nullptr) ApplyPatch(schedule, *patch);
  if (update != nullptr) {
    ApplyUpdate(schedule, *update);
    range = due();
  }
  ProcessBackfills(schedule);
  while (ProcessBuffer(schedule)) {
  }
  TakeSnapshot(schedule);
  if (const auto end = IdleEnd(schedule, range.next); end && *end <= core_.now.wall)
    return Close(schedule);
  Sleep(schedule, range.next);
}

void Scheduler::Close(Schedule& schedule) {
  schedule.closed = true;
  core_.CancelTimer(schedule.wakeup);
  schedule.watched.reset();
}

Scheduler::Range Scheduler::ProcessRange(Schedule& schedule, WallTime start, WallTime end,
                                         enums::ScheduleOverlapPolicy overlap, bool manual,
                                         int* limit) {
  const auto after = [&](WallTime time) { return schedule.spec->Next(schedule.jitter_seed, time); };
  const auto actual = [](const std::optional<CompiledSpec::Time>& time) {
    return time ? std::optional<WallTime>(time->actual) : std::nullopt;
  };
  // Time spent paused, or out of actions, is over and done with.
  if (!manual && !CanTakeScheduled(schedule)) return {actual(after(end)), end};
  const Duration catchup = FromProto(schedule.schedule.policies().catchup_window());
  const WallTime updated = FromProto(schedule.info.update_time());
  Range range{.next = {}, .last_action = start};
  auto next = after(start);
  for (; next && next->actual <= end; next = after(next->actual)) {
    if (!manual && updated > next->actual) continue;  // before the update: of another schedule
    if (!manual && end - next->actual > catchup) {
      schedule.info.set_missed_catchup_window(schedule.info.missed_catchup_window() + 1);
      continue;
    }
    AddStart(schedule, {next->nominal, next->actual, overlap, manual});
    range.last_action = next->actual;
    if (limit != nullptr && --*limit <= 0) break;
  }
  range.next = actual(next);
  return range;
}

void Scheduler::AddStart(Schedule& schedule, BufferedStart start) {
  if (schedule.buffer.size() >= kMaxBuffer) {
    schedule.info.set_buffer_dropped(schedule.info.buffer_dropped() + 1);
    return;
  }
  schedule.buffer.push_back(start);
  schedule.need_refresh = true;
}

void Scheduler::ApplyPatch(Schedule& schedule, const schedulepb::SchedulePatch& patch) {
  if (patch.has_trigger_immediately()) {
    const auto& trigger = patch.trigger_immediately();
    const WallTime at =
        trigger.has_scheduled_time() ? FromProto(trigger.scheduled_time()) : core_.now.wall;
    AddStart(schedule, {at, at, trigger.overlap_policy(), true});
  }
  for (schedulepb::BackfillRequest backfill : patch.backfill_request()) {
    if (schedule.backfills.size() >= kMaxBuffer) {
      schedule.info.set_buffer_dropped(schedule.info.buffer_dropped() + 1);
      continue;
    }
    // So that the start itself belongs to the range.
    *backfill.mutable_start_time() =
        ToProto(FromProto(backfill.start_time()) - std::chrono::milliseconds(1));
    schedule.backfills.push_back(std::move(backfill));
  }
  const auto set_paused = [&](bool paused, const std::string& notes) {
    if (notes.empty()) return;
    schedule.schedule.mutable_state()->set_paused(paused);
    schedule.schedule.mutable_state()->set_notes(notes);
    ++schedule.conflict_token;
  };
  set_paused(true, patch.pause());
  set_paused(false, patch.unpause());
}

void Scheduler::ApplyUpdate(Schedule& schedule, const ws::UpdateScheduleRequest& update) {
  std::int64_t token = 0;
  if (update.conflict_token().size() >= 8) {
    for (std::size_t i = 0; i < 8; ++i)
      token = token << 8 | static_cast<unsigned char>(update.conflict_token()[i]);
  }
  // Who lost a race is not told: the update just does not happen.
  if (token != 0 && token != schedule.conflict_token) return;
  schedule.schedule = update.schedule();
  const Status adopted = Adopt(schedule);
  SQUALL_CHECK(adopted.ok(), Message(adopted));
  if (update.has_search_attributes()) {
    schedule.row->search_attributes.clear();
    for (const auto& [key, value] : update.search_attributes().indexed_fields())
      Visibility::Upsert(schedule.row->search_attributes, key, value);
  }
  *schedule.info.mutable_update_time() = ToProto(core_.now.wall);
  ++schedule.conflict_token;
}

void Scheduler::ProcessBackfills(Schedule& schedule) {
  int limit = kBackfillsPerPass;
  while (!schedule.backfills.empty() && limit > 0 && schedule.buffer.size() < kMaxBuffer / 2) {
    schedulepb::BackfillRequest& backfill = schedule.backfills.front();
    const WallTime end = FromProto(backfill.end_time());
    const Range range = ProcessRange(schedule, FromProto(backfill.start_time()), end,
                                     backfill.overlap_policy(), true, &limit);
    if (!range.next || *range.next > end) {
      schedule.backfills.pop_front();
    } else {
      *backfill.mutable_start_time() = ToProto(*range.next);
    }
  }
}

bool Scheduler::ProcessBuffer(Schedule& schedule) {
  if (std::exchange(schedule.need_refresh, false)) Refresh(schedule);
  if (!schedule.schedule.action().has_start_workflow() || schedule.buffer.empty()) {
    schedule.buffer.clear();
    return false;
  }
  const bool running = schedule.info.running_workflows_size() > 0;
  std::vector<BufferedStart> starts;    // regardless of what runs
  std::optional<BufferedStart> single;  // the one start that waits for its turn no longer
  std::deque<BufferedStart> rest;
  bool cancel = false, terminate = false;
  const auto skip = [&] { schedule.info.set_overlap_skipped(schedule.info.overlap_skipped() + 1); };
  for (const BufferedStart& start : schedule.buffer) {
    const auto policy = Resolve(schedule, start.overlap);
    if (policy == enums::SCHEDULE_OVERLAP_POLICY_ALLOW_ALL) {
      starts.push_back(start);
    } else if (!running && !single) {
      single = start;
    } else if (policy == enums::SCHEDULE_OVERLAP_POLICY_BUFFER_ONE) {
      if (rest.empty()) {
        rest.push_back(start);
      } else {
        skip();
      }
    } else if (policy == enums::SCHEDULE_OVERLAP_POLICY_BUFFER_ALL) {
      rest.push_back(start);
    } else if (policy == enums::SCHEDULE_OVERLAP_POLICY_CANCEL_OTHER ||
               policy == enums::SCHEDULE_OVERLAP_POLICY_TERMINATE_OTHER) {
      if (running) {
        (policy == enums::SCHEDULE_OVERLAP_POLICY_CANCEL_OTHER ? cancel : terminate) = true;
        rest.push_back(start);  // begins once the other has ended
      } else {
        single = start;  // replaces one that has not begun
      }
    } else {
      skip();
    }
  }
  if (cancel || terminate) starts.clear();  // they would be ended at once
  schedule.buffer = std::move(rest);

  bool again = false;
  const auto take = [&](const BufferedStart& start, bool track) {
    if (!start.manual) {
      if (!CanTakeScheduled(schedule)) {
        again = true;  // drains the buffer
        return;
      }
      auto* state = schedule.schedule.mutable_state();
      if (state->limited_actions()) {
        state->set_remaining_actions(state->remaining_actions() - 1);
        ++schedule.conflict_token;
      }
    }
    if (!Start(schedule, start, track)) again = true;
  };
  for (const BufferedStart& start : starts) take(start, false);
  if (single) take(*single, true);

  const auto ns = schedule.ns.lock();
  if (terminate || cancel) {
    const auto others = schedule.info.running_workflows();
    for (const common::WorkflowExecution& other : others) {
      // May fail; then it is tried again with the next action.
      if (terminate) {
        ws::TerminateWorkflowExecutionRequest request;
        request.set_namespace_(ns->name);
        request.mutable_workflow_execution()->set_workflow_id(other.workflow_id());
        request.set_first_execution_run_id(other.run_id());
        request.set_reason("terminated by schedule overlap policy");
        request.set_identity(Identity(*ns, schedule));
        (void)core_.signals.Terminate(request);
      } else {
        ws::RequestCancelWorkflowExecutionRequest request;
        request.set_namespace_(ns->name);
        request.mutable_workflow_execution()->set_workflow_id(other.workflow_id());
        request.set_first_execution_run_id(other.run_id());
        request.set_reason("cancelled by schedule overlap policy");
        request.set_identity(Identity(*ns, schedule));
        request.set_request_id(core_.rng.Uuid());
        (void)core_.signals.RequestCancel(request);
      }
    }
  }
  if (!schedule.buffer.empty() && !schedule.watched && schedule.info.running_workflows_size() > 0) {
    Watch(schedule, schedule.info.running_workflows(0));
  }
  return again;
}

bool Scheduler::Start(Schedule& schedule, const BufferedStart& start, bool track) {
  const auto ns = schedule.ns.lock();
  const auto& action = schedule.schedule.action().start_workflow();
  const std::string nominal = FormatSeconds(start.nominal);
  ws::StartWorkflowExecutionRequest request;
  request.set_namespace_(ns->name);
  // Also with keep_original_workflow_id, which server 1.32 stores but does not heed.
  request.set_workflow_id(action.workflow_id() + "-" + nominal);
  *request.mutable_workflow_type() = action.workflow_type();
  *request.mutable_task_queue() = action.task_queue();
  if (action.has_input()) *request.mutable_input() = action.input();
  if (action.has_workflow_execution_timeout())
    *request.mutable_workflow_execution_timeout() = action.workflow_execution_timeout();
  if (action.has_workflow_run_timeout())
    *request.mutable_workflow_run_timeout() = action.workflow_run_timeout();
  if (action.has_workflow_task_timeout())
    *request.mutable_workflow_task_timeout() = action.workflow_task_timeout();
  request.set_identity(Identity(*ns, schedule));
  request.set_request_id(core_.rng.Uuid());
  request.set_workflow_id_reuse_policy(start.manual
                                           ? enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
                                           : enums::WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE);
  if (action.has_retry_policy()) *request.mutable_retry_policy() = action.retry_policy();
  if (action.has_memo()) *request.mutable_memo() = action.memo();
  auto& attributes = *request.mutable_search_attributes()->mutable_indexed_fields();
  attributes = action.search_attributes().indexed_fields();
  for (auto& [key, value] : attributes) SetType(*ns, key, &value);
  attributes[kScheduledStartTime] =
      TypedAttribute(fmt::format("\"{}\"", nominal), enums::INDEXED_VALUE_TYPE_DATETIME);
  attributes[kScheduledById] =
      TypedAttribute(JsonQuoted(schedule.id), enums::INDEXED_VALUE_TYPE_KEYWORD);
  if (action.has_header()) *request.mutable_header() = action.header();
  if (action.has_user_metadata()) *request.mutable_user_metadata() = action.user_metadata();
  if (action.has_priority()) *request.mutable_priority() = action.priority();
  // Runs side by side have no predecessor.
  if (start.overlap != enums::SCHEDULE_OVERLAP_POLICY_ALLOW_ALL) {
    if (schedule.last_result) *request.mutable_last_completion_result() = *schedule.last_result;
    if (schedule.continued_failure)
      *request.mutable_continued_failure() = *schedule.continued_failure;
  }
  const auto started = core_.starts.Start(request);
  if (!started.ok()) return false;

  schedule.info.set_action_count(schedule.info.action_count() + 1);
  auto* recent = schedule.info.mutable_recent_actions();
  if (recent->size() >= kRecentActions)
    recent->DeleteSubrange(0, recent->size() - kRecentActions + 1);
  schedulepb::ScheduleActionResult* result = recent->Add();
  *result->mutable_schedule_time() = ToProto(start.actual);
  *result->mutable_actual_time() = ToProto(core_.now.wall);
  result->mutable_start_workflow_result()->set_workflow_id(request.workflow_id());
  result->mutable_start_workflow_result()->set_run_id(started->run_id());
  result->set_start_workflow_status(enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
  if (track) *schedule.info.add_running_workflows() = result->start_workflow_result();
  return true;
}

std::optional<WallTime> Scheduler::IdleEnd(const Schedule& schedule,
                                           std::optional<WallTime> next) const {
  if (schedule.schedule.state().paused() || (next && CanTakeScheduled(schedule)) ||
      HasMoreAllowAll(schedule)) {
    return std::nullopt;
  }
  WallTime last =
      std::max(FromProto(schedule.info.create_time()), FromProto(schedule.info.update_time()));
  if (const int count = schedule.info.recent_actions_size(); count > 0)
    last = std::max(last, FromProto(schedule.info.recent_actions(count - 1).actual_time()));
  return last + kRetention;
}

void Scheduler::Sleep(Schedule& schedule, std::optional<WallTime> next) {
  core_.CancelTimer(schedule.wakeup);
  if (HasMoreAllowAll(schedule)) {
    next = core_.now.wall + seconds(1);
  } else if (!CanTakeScheduled(schedule)) {
    next.reset();
  }
  if (const auto end = IdleEnd(schedule, next)) next = end;
  if (!next) return;
  schedule.wakeup = core_.After(std::max(Duration{}, *next - core_.now.wall),
                                [this, weak = schedule.weak_from_this()] {
                                  const auto held = weak.lock();
                                  if (held == nullptr) return;
                                  held->wakeup = 0;
                                  Wake(*held);
                                });
}

}  // namespace squall::fakes::engine
