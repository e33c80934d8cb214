#include "fakes/engine/workflow_tasks.h"

#include <algorithm>
#include <cmath>

#include "base/util/planted.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

using std::chrono::seconds;

// Attempts from the fourth on get longer: initial 5 s, doubled each time, at most 10 min, with
// jitter.
constexpr int kBackoffMinAttempts = 3;
constexpr Duration kBackoffInitial = seconds(5), kBackoffMax = std::chrono::minutes(10);
// A speculative task that nobody takes becomes a normal one.
constexpr Duration kSpeculativeScheduleToStart = seconds(5);

}  // namespace

historypb::HistoryEvent WorkflowTasks::NewEvent(enums::EventType type) {
  historypb::HistoryEvent event;
  *event.mutable_event_time() = ToProto(core_.now.wall);
  event.set_event_type(type);
  event.set_task_id(core_.next_task_id++);
  return event;
}

taskqueue::TaskQueue WorkflowTasks::CurrentQueue(const Run& run) {
  taskqueue::TaskQueue queue;
  if (run.sticky_queue.empty()) {
    queue.set_name(run.start.task_queue().name());
    queue.set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  } else {
    queue.set_name(run.sticky_queue);
    queue.set_kind(enums::TASK_QUEUE_KIND_STICKY);
    queue.set_normal_name(run.start.task_queue().name());
  }
  return queue;
}

Duration WorkflowTasks::StartToClose(const Run& run, int attempt) {
  const Duration usual = FromProto(run.start.workflow_task_timeout());
  if (attempt <= kBackoffMinAttempts) return usual;
  const double grown = static_cast<double>(kBackoffInitial.count()) *
                       std::pow(2.0, attempt - kBackoffMinAttempts - 1);
  const double capped = std::min(grown, static_cast<double>(kBackoffMax.count()));
  return usual + Duration(static_cast<std::int64_t>(capped * (0.8 + 0.2 * core_.rng.Uniform())));
}

historypb::HistoryEvent WorkflowTasks::ScheduledEvent(const Run& run) {
  historypb::HistoryEvent event = NewEvent(enums::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED);
  *event.mutable_event_time() = ToProto(run.task.scheduled);
  auto* attributes = event.mutable_workflow_task_scheduled_event_attributes();
  *attributes->mutable_task_queue() = CurrentQueue(run);
  *attributes->mutable_start_to_close_timeout() = ToProto(run.task.timeout);
  attributes->set_attempt(run.task.attempt);
  return event;
}

historypb::HistoryEvent WorkflowTasks::StartedEvent(const Run& run, const std::string& identity) {
  historypb::HistoryEvent event = NewEvent(enums::EVENT_TYPE_WORKFLOW_TASK_STARTED);
  *event.mutable_event_time() = ToProto(run.task.started);
  auto* attributes = event.mutable_workflow_task_started_event_attributes();
  attributes->set_scheduled_event_id(run.task.scheduled_event_id);
  attributes->set_identity(identity);
  attributes->set_request_id(run.task.request_id);
  attributes->set_history_size_bytes(run.task.history_size);
  attributes->set_suggest_continue_as_new(!run.task.suggestions.empty());
  attributes->set_target_worker_deployment_version_changed(Versioning::TargetChanged(run));
  for (const auto reason : run.task.suggestions)
    attributes->add_suggest_continue_as_new_reasons(reason);
  return event;
}

void WorkflowTasks::Schedule(Run& run, const ScheduleOptions& options) {
  SQUALL_CHECK(!run.task.pending() && run.open(),
               "one workflow task at a time, of an open workflow");
  WorkflowTask& task = run.task;
  task.speculative = options.speculative;
  // New events end a row of failures: the task is in the history again.
  if (run.history.has_buffered()) {
    task.attempt = 1;
    task.speculative = false;
    Flush(run);
  }
  task.timeout = StartToClose(run, task.attempt);
  task.scheduled = core_.now.wall;
  if (!options.heartbeat) task.original_scheduled = core_.now.wall;
  task.heartbeat = options.heartbeat;
  task.started_event_id = 0;
  ++task.stamp;
  if (Unwritten(run)) {
    task.scheduled_event_id = run.history.next_event_id();
  } else {
    historypb::HistoryEvent event = ScheduledEvent(run);
    task.scheduled_event_id = run.history.Append(event);
  }
  if (!options.bypass_matching) Dispatch(run);
}

void WorkflowTasks::Dispatch(Run& run) {
  WorkflowTask& task = run.task;
  core_.CancelTimer(task.schedule_to_start);
  const bool sticky = !run.sticky_queue.empty();
  if ((sticky && !Planted(PlantedBug::kStickyNeverFallsBack)) || task.speculative) {
    const Duration limit =
        sticky && run.sticky_timeout.count() > 0 ? run.sticky_timeout : kSpeculativeScheduleToStart;
    task.schedule_to_start = core_.After(limit, [this, weak = run.weak_from_this(),
                                                 stamp = task.stamp] {
      auto held = weak.lock();
      if (held == nullptr || !held->open() || held->task.stamp != stamp || held->task.is_started())
        return;
      held->task.schedule_to_start = 0;
      ScheduleToStartTimedOut(*held);
    });
  }
  core_.Defer([this, weak = run.weak_from_this(), stamp = task.stamp] {
    auto held = weak.lock();
    if (held != nullptr && held->open() && held->task.stamp == stamp)
      core_.matching.AddWorkflowTask(held);
  });
}

void WorkflowTasks::Suggest(Run& run) const {
  auto& reasons = run.task.suggestions;
  reasons.clear();
  const EngineLimits& limits = core_.options.limits;
  if (run.task.history_size >= limits.history_size_suggest)
    reasons.push_back(enums::SUGGEST_CONTINUE_AS_NEW_REASON_HISTORY_SIZE_TOO_LARGE);
  // The id of the started event.
  if (run.history.next_event_id() >= limits.history_count_suggest)
    reasons.push_back(enums::SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_HISTORY_EVENTS);
  if (core_.updates.SuggestContinueAsNew(run))
    reasons.push_back(enums::SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_UPDATES);
}

std::int64_t WorkflowTasks::StartEvents(const Run& run) {
  if (!Unwritten(run)) return 1;
  return run.task.scheduled_event_id != run.history.next_event_id() ? 2 : 0;
}

std::int64_t WorkflowTasks::FailureEvents(const Run& run) {
  const std::int64_t own = run.transient() ? 0 : run.task.speculative ? 3 : 1;
  const auto buffered = static_cast<std::int64_t>(run.history.buffered().size());
  // The next attempt is in the history only when it counts as a first one.
  return own + (buffered > 0 || !run.sticky_queue.empty() ? buffered + 1 : 0);
}

void WorkflowTasks::Start(Run& run, const std::string& identity, const std::string& queue,
                          bool sticky_poll, const std::string& request_id, const TaskRoute& route) {
  WorkflowTask& task = run.task;
  core_.CancelTimer(task.schedule_to_start);
  // A poll of the normal queue took a sticky task: the workflow moves.
  if (!run.sticky_queue.empty() && !(sticky_poll && queue == run.sticky_queue)) ClearSticky(run);
  task.started = core_.now.wall;
  task.history_size = run.history.stored_bytes();
  Suggest(run);
  core_.versioning.TaskStarting(run, route);
  task.request_id = request_id.empty() ? core_.rng.Uuid() : request_id;
  task.identity = identity;
  ++task.stamp;
  bool written = !Unwritten(run);
  // Events came after a transient or speculative task was scheduled: it becomes real.
  if (!written && task.scheduled_event_id != run.history.next_event_id()) {
    task.attempt = 1;
    task.speculative = false;
    task.scheduled = core_.now.wall;
    historypb::HistoryEvent event = ScheduledEvent(run);
    task.scheduled_event_id = run.history.Append(event);
    written = true;
  }
  task.started_event_id = task.scheduled_event_id + 1;
  if (written) {
    // Not always the one behind the scheduled event: others may have come since.
    historypb::HistoryEvent event = StartedEvent(run, identity);
    task.started_event_id = run.history.Append(event);
    run.history.EndBatch();
  }
  core_.versioning.TaskStarted(run, route);
  ++run.transitions;
  if (Planted(PlantedBug::kTaskTimeoutForgotten)) return core_.reads.Notify(run);
  task.start_to_close =
      core_.After(task.timeout, [this, weak = run.weak_from_this(), stamp = task.stamp] {
        auto held = weak.lock();
        if (held == nullptr || !held->open() || held->task.stamp != stamp) return;
        held->task.start_to_close = 0;
        StartToCloseTimedOut(*held);
      });
  core_.reads.Notify(run);
}

std::string WorkflowTasks::Response(Run& run, bool heartbeat, bool cached) {
  const WorkflowTask& task = run.task;
  ws::PollWorkflowTaskQueueResponse response;
  TaskToken token{.namespace_id = run.ns->id,
                  .workflow_id = run.workflow_id,
                  .run_id = run.run_id,
                  .scheduled_event_id = task.scheduled_event_id,
                  .attempt = task.attempt,
                  .stamp = task.stamp};
  response.set_task_token(token.Serialize());
  response.mutable_workflow_execution()->set_workflow_id(run.workflow_id);
  response.mutable_workflow_execution()->set_run_id(run.run_id);
  response.mutable_workflow_type()->set_name(run.start.workflow_type().name());
  response.set_previous_started_event_id(run.previous_started_event_id);
  response.set_started_event_id(task.started_event_id);
  response.set_attempt(task.attempt);
  response.mutable_workflow_execution_task_queue()->set_name(run.start.task_queue().name());
  response.mutable_workflow_execution_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  *response.mutable_scheduled_time() = ToProto(task.scheduled);
  *response.mutable_started_time() = ToProto(task.started);
  for (const BufferedQuery& query : run.queries)
    (*response.mutable_queries())[query.id] = query.query;
  core_.updates.Send(run, !heartbeat, response.mutable_messages());

  cached = cached || !run.sticky_queue.empty();
  const std::int64_t first = cached ? run.previous_started_event_id + 1 : 1;
  std::int64_t last = run.history.next_event_id() - 1;
  if (Planted(PlantedBug::kReplayEndsEarly) && !cached && run.previous_started_event_id > 0)
    last -= 2;
  std::string next;
  const std::string page = NextPage(run, first, last, task.stamp, &next);
  response.set_next_page_token(next);
  std::string bytes = SerializeSorted(response);
  AppendField(bytes, ws::PollWorkflowTaskQueueResponse::kHistoryFieldNumber, page);
  return bytes;
}

std::string WorkflowTasks::NextPage(Run& run, std::int64_t first, std::int64_t last,
                                    std::uint64_t stamp, std::string* next_token) {
  const std::int64_t end = std::min(last, first + core_.options.history_page_size - 1);
  std::string page(run.history.Slice(first, end));
  if (end < last) {
    *next_token =
        PageToken{.run_id = run.run_id, .first = end + 1, .last = last, .stamp = stamp}.Serialize();
  } else {
    next_token->clear();
    if (run.task.is_started() && run.task.stamp == stamp) {
      page += UnwrittenEvents(run, run.task.identity);
    }
  }
  return page;
}

std::string WorkflowTasks::UnwrittenEvents(const Run& run, const std::string& identity) {
  if (!run.task.pending() || !Unwritten(run) ||
      run.task.scheduled_event_id != run.history.next_event_id()) {
    return {};
  }
  historypb::HistoryEvent scheduled = ScheduledEvent(run);
  scheduled.set_event_id(run.task.scheduled_event_id);
  std::string fields = AsHistoryField(scheduled);
  if (run.task.is_started()) {
    historypb::HistoryEvent started = StartedEvent(run, identity);
    started.set_event_id(run.task.started_event_id);
    fields += AsHistoryField(started);
  }
  return fields;
}

void WorkflowTasks::WriteEvents(Run& run, const std::string& identity) {
  if (!Unwritten(run)) return;
  historypb::HistoryEvent scheduled = ScheduledEvent(run);
  run.task.scheduled_event_id = run.history.Append(scheduled);
  historypb::HistoryEvent started = StartedEvent(run, identity);
  run.task.started_event_id = run.history.Append(started);
  run.history.EndBatch();
}

void WorkflowTasks::ForgetTask(Run& run) {
  core_.CancelTimer(run.task.schedule_to_start);
  core_.CancelTimer(run.task.start_to_close);
  if (run.task.is_started()) run.close_attempted = false;
  run.task.scheduled_event_id = run.task.started_event_id = 0;
  run.task.speculative = false;
  run.task.request_id.clear();
  ++run.task.stamp;
}

void WorkflowTasks::Clear(Run& run) {
  ForgetTask(run);
  run.task.attempt = 1;
}

void WorkflowTasks::AfterFailure(Run& run, bool increment) {
  // The worker that had it cached may be gone: the next attempt goes to the normal queue and counts
  // as a first one.
  if (!run.sticky_queue.empty()) {
    increment = false;
    ClearSticky(run);
  }
  ForgetTask(run);
  run.task.attempt = increment ? run.task.attempt + 1 : 1;
}

void WorkflowTasks::Fail(Run& run, enums::WorkflowTaskFailedCause cause,
                         const failure::Failure* failure, const std::string& identity,
                         const std::string& checksum) {
  if (run.task.speculative) {
    WriteEvents(run, identity);
    run.task.speculative = false;
  }
  if (!run.transient()) {
    historypb::HistoryEvent event = NewEvent(enums::EVENT_TYPE_WORKFLOW_TASK_FAILED);
    auto* attributes = event.mutable_workflow_task_failed_event_attributes();
    attributes->set_scheduled_event_id(run.task.scheduled_event_id);
    attributes->set_started_event_id(run.task.started_event_id);
    attributes->set_cause(cause);
    if (failure != nullptr) *attributes->mutable_failure() = *failure;
    attributes->set_identity(identity);
    attributes->set_binary_checksum(checksum);
    run.history.Append(event);
  }
  AfterFailure(run, true);
  if (cause == enums::WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW) run.task.attempt = 1;
  if (cause == enums::WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND) run.close_attempted = true;
}

void WorkflowTasks::StartToCloseTimedOut(Run& run) {
  if (core_.limits.Refuse(run, FailureEvents(run))) return;
  if (run.task.speculative) {
    WriteEvents(run, "");
    run.task.speculative = false;
  }
  if (!run.transient()) {
    historypb::HistoryEvent event = NewEvent(enums::EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT);
    auto* attributes = event.mutable_workflow_task_timed_out_event_attributes();
    attributes->set_scheduled_event_id(run.task.scheduled_event_id);
    attributes->set_started_event_id(run.task.started_event_id);
    attributes->set_timeout_type(enums::TIMEOUT_TYPE_START_TO_CLOSE);
    run.history.Append(event);
  }
  AfterFailure(run, true);
  Settle(run, !Planted(PlantedBug::kTaskNotRetried));
}

void WorkflowTasks::ScheduleToStartTimedOut(Run& run) {
  if (run.task.speculative) {
    run.task.speculative = false;
    historypb::HistoryEvent scheduled = ScheduledEvent(run);
    run.task.scheduled_event_id = run.history.Append(scheduled);
  }
  historypb::HistoryEvent event = NewEvent(enums::EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT);
  auto* attributes = event.mutable_workflow_task_timed_out_event_attributes();
  attributes->set_scheduled_event_id(run.task.scheduled_event_id);
  attributes->set_timeout_type(enums::TIMEOUT_TYPE_SCHEDULE_TO_START);
  run.history.Append(event);
  AfterFailure(run, false);
  Settle(run, true);
}

void WorkflowTasks::MakeNormal(Run& run) {
  if (!run.task.speculative || !run.task.pending()) return;
  const bool started = run.task.is_started();
  historypb::HistoryEvent scheduled = ScheduledEvent(run);
  run.task.scheduled_event_id = run.history.Append(scheduled);
  if (started) {
    historypb::HistoryEvent event = StartedEvent(run, run.task.identity);
    run.task.started_event_id = run.history.Append(event);
  }
  run.task.speculative = false;
}

void WorkflowTasks::Flush(Run& run) {
  for (const auto& [initiated, started] : run.history.Flush()) {
    if (auto it = run.children.find(initiated); it != run.children.end())
      it->second.started_event_id = started;
  }
}

void WorkflowTasks::Settle(Run& run, bool need_task) {
  ++run.transitions;
  if (run.open()) {
    if (need_task && !run.task.pending() && !run.pause) Schedule(run);
    if (core_.limits.Enforce(run)) return;  // its termination settled it
    if (run.task.is_started() && core_.limits.BufferFull(run)) {
      Fail(run, enums::WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND, nullptr, "history-service");
      Flush(run);  // before the next attempt, which is a second one by that
      if (!run.pause) Schedule(run);
    }
    MakeNormal(run);
    if (!run.task.is_started()) Flush(run);
  } else {
    run.history.DropBuffer();
  }
  core_.reads.Notify(run);
}

StatusOr<std::shared_ptr<Run>> WorkflowTasks::FindStarted(const std::string& token_bytes) {
  if (token_bytes.empty()) return InvalidArgument("Task token not set on request.");
  const auto token = TaskToken::Parse(token_bytes);
  if (!token) return InvalidArgument("Error deserializing task token.");
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.GetById(token->namespace_id));
  SQUALL_ASSIGN_OR_RETURN(auto run, Namespaces::FindRun(*ns, token->workflow_id, token->run_id));
  return run;
}

StatusOr<ws::RespondWorkflowTaskFailedResponse> WorkflowTasks::RespondFailed(
    const ws::RespondWorkflowTaskFailedRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto run, FindStarted(request.task_token()));
  if (!run->open()) return WorkflowClosed();
  const auto token = TaskToken::Parse(request.task_token());
  if (!run->task.is_started() || run->task.stamp != token->stamp)
    return NotFound("Workflow task not found.");
  if (const auto refused = core_.limits.Refuse(*run, FailureEvents(*run))) return *refused;
  if (request.cause() == enums::WORKFLOW_TASK_FAILED_CAUSE_GRPC_MESSAGE_TOO_LARGE) {
    core_.closing.Terminate(*run, "GrpcMessageTooLarge", nullptr, "history-service");
    return ws::RespondWorkflowTaskFailedResponse();
  }
  Fail(*run, request.cause(), request.has_failure() ? &request.failure() : nullptr,
       request.identity(), request.binary_checksum());
  Settle(*run, true);
  return ws::RespondWorkflowTaskFailedResponse();
}

StatusOr<ws::ResetStickyTaskQueueResponse> WorkflowTasks::ResetSticky(
    const ws::ResetStickyTaskQueueRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto run,
                          core_.namespaces.FindRun(request.namespace_(), request.execution()));
  if (!run->open()) return WorkflowClosed();
  ClearSticky(*run);
  return ws::ResetStickyTaskQueueResponse();
}

}  // namespace squall::fakes::engine
