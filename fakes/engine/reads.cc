#include "fakes/engine/reads.h"

#include <algorithm>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/releases.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

int PageSize(int wanted) { return wanted <= 0 || wanted > kMaxPage ? kMaxPage : wanted; }

// A response that consists of a history and a page token.
std::string HistoryResponse(std::string_view events, const std::string& token) {
  ws::GetWorkflowExecutionHistoryResponse rest;
  rest.set_next_page_token(token);
  std::string bytes = SerializeSorted(rest);
  AppendField(bytes, ws::GetWorkflowExecutionHistoryResponse::kHistoryFieldNumber, events);
  return bytes;
}

// The last event, as the client that asked for it understands it: older ones follow a chain of runs
// only where it is continued as new.
std::string CloseEvent(const Run& run, bool client_follows) {
  const std::int64_t last = run.history.next_event_id() - 1;
  std::string stored(run.history.Slice(last, last));
  if (client_follows || run.new_run_id.empty()) return stored;
  historypb::HistoryEvent event = run.history.Read(last);
  historypb::WorkflowExecutionContinuedAsNewEventAttributes continued;
  switch (event.event_type()) {
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: {
      const auto& closed = event.workflow_execution_completed_event_attributes();
      if (closed.has_result()) *continued.mutable_last_completion_result() = closed.result();
      break;
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
      *continued.mutable_failure() = event.workflow_execution_failed_event_attributes().failure();
      break;
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
      *continued.mutable_failure() =
          TimeoutFailure("workflow timeout", enums::TIMEOUT_TYPE_START_TO_CLOSE);
      break;
    default:
      return stored;
  }
  continued.set_new_execution_run_id(run.new_run_id);
  historypb::HistoryEvent told;
  told.set_event_id(event.event_id());
  *told.mutable_event_time() = event.event_time();
  told.set_event_type(enums::EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW);
  told.set_version(event.version());
  told.set_task_id(event.task_id());
  *told.mutable_workflow_execution_continued_as_new_event_attributes() = std::move(continued);
  return AsHistoryField(told);
}

}  // namespace

void Reads::History(CallId call, const ws::GetWorkflowExecutionHistoryRequest& request) {
  if (auto ns = core_.namespaces.Get(request.namespace_()); !ns.ok())
    return core_.calls.Fail(call, ns.status());
  common::WorkflowExecution execution = request.execution();
  PageToken token;
  if (!request.next_page_token().empty()) {
    const auto parsed = PageToken::Parse(request.next_page_token());
    if (!parsed) return core_.calls.Fail(call, InvalidArgument("Invalid NextPageToken."));
    token = *parsed;
    if (!execution.run_id().empty() && execution.run_id() != token.run_id) {
      return core_.calls.Fail(
          call, InvalidArgument("RunId in the request does not match the NextPageToken."));
    }
    execution.set_run_id(token.run_id);
  }
  auto found = core_.namespaces.FindRun(request.namespace_(), execution);
  if (!found.ok()) return core_.calls.Fail(call, found.status());
  Run& run = **found;
  if (token.last != 0) {  // the rest of a workflow task's history
    std::string next;
    const std::string page = core_.tasks.NextPage(run, token.first, token.last, token.stamp, &next);
    return core_.calls.ReplyBytes(call, HistoryResponse(page, next));
  }
  Answer(call, run,
         {.first = std::max<std::int64_t>(token.first, 1),
          .size = PageSize(request.maximum_page_size()),
          .wait = request.wait_new_event(),
          .close_only =
              request.history_event_filter_type() == enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
          // The closing event is waited for whether new events are asked for or not.
          .may_wait = request.wait_new_event() || request.next_page_token().empty()});
}

void Reads::Answer(CallId call, Run& run, const Page& page) {
  const std::int64_t last = run.history.next_event_id() - 1;
  const auto token = [&](std::int64_t first) {
    return PageToken{.run_id = run.run_id, .first = first, .waiting = page.wait}.Serialize();
  };
  if (page.close_only) {
    if (!run.running()) {
      return core_.calls.ReplyBytes(
          call, HistoryResponse(CloseEvent(run, core_.calls.info(call).follows_runs), ""));
    }
    if (page.may_wait) return Wait(call, run, page);
    return core_.calls.ReplyBytes(call, HistoryResponse("", page.wait ? token(page.first) : ""));
  }
  if (page.first > last) {
    if (page.wait && run.running()) return Wait(call, run, page);
    return core_.calls.ReplyBytes(call, HistoryResponse("", ""));
  }
  const std::int64_t end = run.history.EndOfBatches(page.first, page.size);
  const bool more = end < last || (page.wait && run.running());
  std::string events(run.history.Slice(page.first, end));
  // SDKs, but not the CLI and the UI, also get the events of a task that is in no history yet.
  const std::string& client = core_.calls.info(call).client;
  if (end == last && client != "temporal-cli" && client != "temporal-ui") {
    events += core_.tasks.UnwrittenEvents(run, "");
  }
  core_.calls.ReplyBytes(call, HistoryResponse(events, more ? token(end + 1) : ""));
}

void Reads::Wait(CallId call, Run& run, const Page& page) {
  HistoryWaiter waiter{.call = call,
                       .next = page.first,
                       .close_only = page.close_only,
                       .again = page.wait,
                       .page_size = page.size};
  SteadyTime until = core_.now.steady + core_.options.history_long_poll;
  if (auto deadline = core_.calls.deadline(call))
    until = std::min(until, *deadline - core_.options.long_poll_margin);
  waiter.timer = core_.timers.Add(until, [this, weak = run.weak_from_this(), call] {
    auto held = weak.lock();
    if (held == nullptr) return;
    for (const HistoryWaiter& waiting : held->history_waiters) {
      if (waiting.call != call) continue;
      std::string again;
      if (waiting.again)
        again =
            PageToken{.run_id = held->run_id, .first = waiting.next, .waiting = true}.Serialize();
      std::erase_if(held->history_waiters,
                    [&](const HistoryWaiter& other) { return other.call == call; });
      core_.calls.ReplyBytes(call, HistoryResponse("", again));
      return;
    }
  });
  run.history_waiters.push_back(waiter);
  core_.calls.Hold(call, [this, weak = run.weak_from_this(), call] {
    auto held = weak.lock();
    if (held == nullptr) return;
    std::erase_if(held->history_waiters, [&](const HistoryWaiter& waiting) {
      if (waiting.call != call) return false;
      core_.timers.Cancel(waiting.timer);
      return true;
    });
  });
}

void Reads::Notify(Run& run) {
  if (run.history_waiters.empty()) return;
  const std::int64_t last = run.history.next_event_id() - 1;
  std::vector<HistoryWaiter> ready, left;
  for (const HistoryWaiter& waiter : run.history_waiters) {
    const bool done = !run.running() || (!waiter.close_only && waiter.next <= last);
    (done ? ready : left).push_back(waiter);
  }
  run.history_waiters = std::move(left);
  for (const HistoryWaiter& waiter : ready) {
    core_.timers.Cancel(waiter.timer);
    Answer(waiter.call, run,
           {.first = waiter.next,
            .size = waiter.page_size,
            .wait = waiter.again,
            .close_only = waiter.close_only});
  }
}

void Reads::Gone(Run& run) {
  for (const HistoryWaiter& waiter : std::exchange(run.history_waiters, {})) {
    core_.timers.Cancel(waiter.timer);
    core_.calls.Fail(waiter.call, NotFound("workflow not found for ID: " + run.workflow_id));
  }
}

StatusOr<ws::GetWorkflowExecutionHistoryReverseResponse> Reads::HistoryReverse(
    const ws::GetWorkflowExecutionHistoryReverseRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  common::WorkflowExecution execution = request.execution();
  std::int64_t first = 0;
  if (!request.next_page_token().empty()) {
    const auto token = PageToken::Parse(request.next_page_token());
    if (!token) return InvalidArgument("Invalid NextPageToken.");
    execution.set_run_id(token->run_id);
    first = token->first;
  }
  SQUALL_ASSIGN_OR_RETURN(auto run, core_.namespaces.FindRun(request.namespace_(), execution));
  if (first == 0) first = run->history.next_event_id() - 1;
  ws::GetWorkflowExecutionHistoryReverseResponse response;
  const std::int64_t until =
      run->history.StartOfBatches(first, PageSize(request.maximum_page_size()));
  std::int64_t next = first;
  for (; next >= until; --next) {
    *response.mutable_history()->add_events() = run->history.Read(next);
  }
  if (next >= 1)
    response.set_next_page_token(PageToken{.run_id = run->run_id, .first = next}.Serialize());
  return response;
}

workflowpb::WorkflowExecutionInfo Reads::Info(const Run& run) {
  workflowpb::WorkflowExecutionInfo info;
  info.mutable_execution()->set_workflow_id(run.workflow_id);
  info.mutable_execution()->set_run_id(run.run_id);
  info.mutable_type()->set_name(run.start.workflow_type().name());
  *info.mutable_start_time() = ToProto(run.started);
  *info.mutable_execution_time() = ToProto(run.execution_time);
  info.set_status(run.status);
  if (!run.open()) {
    *info.mutable_close_time() = ToProto(run.closed);
    *info.mutable_execution_duration() = ToProto(run.closed - run.execution_time);
  }
  info.set_history_length(run.history.next_event_id() - 1);
  info.set_history_size_bytes(run.history.size_bytes());
  info.set_state_transition_count(run.transitions);
  if (run.start.has_parent_workflow_execution()) {
    info.set_parent_namespace_id(run.start.parent_workflow_namespace_id());
    *info.mutable_parent_execution() = run.start.parent_workflow_execution();
  }
  if (run.start.has_root_workflow_execution()) {
    *info.mutable_root_execution() = run.start.root_workflow_execution();
  } else {
    *info.mutable_root_execution() = info.execution();
  }
  info.mutable_memo();
  for (const auto& [key, value] : run.memo) (*info.mutable_memo()->mutable_fields())[key] = value;
  info.mutable_search_attributes();
  for (const auto& [key, value] : run.search_attributes) {
    (*info.mutable_search_attributes()->mutable_indexed_fields())[key] = value;
  }
  info.mutable_auto_reset_points();
  for (const auto& point : run.reset_points)
    *info.mutable_auto_reset_points()->add_points() = point;
  info.set_task_queue(run.start.task_queue().name());
  info.set_first_run_id(run.first_run_id);
  if (run.start.has_priority()) *info.mutable_priority() = run.start.priority();
  Versioning::Describe(run, &info);
  return info;
}

StatusOr<ws::DescribeWorkflowExecutionResponse> Reads::Describe(
    const ws::DescribeWorkflowExecutionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto run,
                          core_.namespaces.FindRun(request.namespace_(), request.execution()));
  ws::DescribeWorkflowExecutionResponse response;
  auto* config = response.mutable_execution_config();
  config->mutable_task_queue()->set_name(run->start.task_queue().name());
  config->mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  if (run->start.has_workflow_execution_timeout()) {
    *config->mutable_workflow_execution_timeout() = run->start.workflow_execution_timeout();
  }
  if (run->start.has_workflow_run_timeout()) {
    *config->mutable_workflow_run_timeout() = run->start.workflow_run_timeout();
  }
  *config->mutable_default_workflow_task_timeout() = run->start.workflow_task_timeout();
  if (run->user_metadata) *config->mutable_user_metadata() = *run->user_metadata;
  *response.mutable_workflow_execution_info() = Info(*run);
  for (const auto& [id, activity] : run->activities) {
    *response.add_pending_activities() = core_.activities.Describe(activity);
  }
  for (const auto& activity : run->activities_at_close)
    *response.add_pending_activities() = activity;
  for (const auto& [id, child] : run->children) {
    auto* pending = response.add_pending_children();
    pending->set_workflow_id(child.attributes.workflow_id());
    pending->set_run_id(child.run_id);
    pending->set_workflow_type_name(child.attributes.workflow_type().name());
    pending->set_initiated_id(id);
    pending->set_parent_close_policy(child.attributes.parent_close_policy());
  }
  // The real server goes on telling the task that waited when the run was closed from outside.
  if (const WorkflowTask& waits = run->open() ? run->task : run->task_at_close; waits.pending()) {
    auto* task = response.mutable_pending_workflow_task();
    task->set_state(waits.is_started() ? enums::PENDING_WORKFLOW_TASK_STATE_STARTED
                                       : enums::PENDING_WORKFLOW_TASK_STATE_SCHEDULED);
    *task->mutable_scheduled_time() = ToProto(waits.scheduled);
    *task->mutable_original_scheduled_time() = ToProto(waits.original_scheduled);
    if (waits.is_started()) *task->mutable_started_time() = ToProto(waits.started);
    task->set_attempt(waits.attempt);
  }
  auto* extended = response.mutable_workflow_extended_info();
  if (run->execution_expires)
    *extended->mutable_execution_expiration_time() = ToProto(*run->execution_expires);
  // The real server answers its zero time, 0001-01-01, where there is no limit.
  constexpr std::int64_t kYearOne = -62135596800;
  if (run->run_expires) {
    *extended->mutable_run_expiration_time() = ToProto(*run->run_expires);
  } else {
    extended->mutable_run_expiration_time()->set_seconds(kYearOne);
  }
  extended->set_cancel_requested(run->cancel_requested);
  *extended->mutable_original_start_time() =
      ToProto(run->original_started == WallTime{} ? run->started : run->original_started);
  if (run->last_reset != WallTime{})
    *extended->mutable_last_reset_time() = ToProto(run->last_reset);
  extended->set_reset_run_id(run->reset_run_id);
  if (run->pause) {
    extended->mutable_pause_info()->set_identity(run->pause->identity);
    extended->mutable_pause_info()->set_reason(run->pause->reason);
    *extended->mutable_pause_info()->mutable_paused_time() = ToProto(run->pause->since);
  }
  auto& request_info = (*extended->mutable_request_id_infos())[run->create_request_id];
  request_info.set_event_type(enums::EVENT_TYPE_WORKFLOW_EXECUTION_STARTED);
  request_info.set_event_id(1);
  // The real server keeps one entry where a signal came with the start's request id: the start's
  // type, the signal's event. Older ones had the start's event there.
  const bool signalled =
      run->signal_request_ids.contains(run->create_request_id) && !OlderThan(core_.options, "1.32");
  for (std::int64_t id = 2; signalled && id < run->history.next_event_id(); ++id) {
    const historypb::HistoryEvent event = run->history.Read(id);
    if (event.workflow_execution_signaled_event_attributes().request_id() ==
            run->create_request_id &&
        event.event_type() == enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) {
      request_info.set_event_id(id);
      break;
    }
  }
  core_.nexus_operations.Describe(*run, &response);
  Callbacks::Describe(*run, &response);
  return response;
}

}  // namespace squall::fakes::engine
