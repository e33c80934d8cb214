// Standalone activities: descriptions, outcomes, lists and counts.

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "fakes/engine/commands.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/standalone_state.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"
#include "fakes/engine/visibility_query.h"

namespace squall::fakes::engine {
namespace {

using State_ = StandaloneActivity::Status;

enums::PendingActivityState RunState(const StandaloneActivity& activity) {
  switch (activity.status) {
    case State_::kScheduled:
      return enums::PENDING_ACTIVITY_STATE_SCHEDULED;
    case State_::kStarted:
      return enums::PENDING_ACTIVITY_STATE_STARTED;
    case State_::kResetRequested:
      return activity.reset_pauses ? enums::PENDING_ACTIVITY_STATE_PAUSE_REQUESTED
                                   : enums::PENDING_ACTIVITY_STATE_STARTED;
    case State_::kCancelRequested:
      return enums::PENDING_ACTIVITY_STATE_CANCEL_REQUESTED;
    case State_::kPaused:
      return enums::PENDING_ACTIVITY_STATE_PAUSED;
    case State_::kPauseRequested:
      return enums::PENDING_ACTIVITY_STATE_PAUSE_REQUESTED;
    default:
      return enums::PENDING_ACTIVITY_STATE_UNSPECIFIED;
  }
}

std::int64_t SizeOf(const StandaloneActivity& activity) {
  std::size_t size = activity.options.ByteSizeLong() + activity.activity_id.size();
  if (activity.input) size += activity.input->ByteSizeLong();
  if (activity.result) size += activity.result->ByteSizeLong();
  if (activity.failed) size += activity.failed->ByteSizeLong();
  return static_cast<std::int64_t>(size);
}

activitypb::ActivityExecutionOutcome OutcomeOf(const StandaloneActivity& activity) {
  activitypb::ActivityExecutionOutcome outcome;
  if (activity.result) {
    *outcome.mutable_result() = *activity.result;
  } else if (activity.failed) {
    *outcome.mutable_failure() = *activity.failed;
    outcome.set_retry_state(activity.retry_state);
  }
  return outcome;
}

// The activity as a workflow's row, for the query language that both lists share.
std::shared_ptr<Run> AsRow(const StandaloneActivity& activity) {
  auto row = std::make_shared<Run>();
  row->ns = activity.ns;
  row->workflow_id = activity.activity_id;
  row->run_id = activity.run_id;
  *row->start.mutable_workflow_type()->mutable_name() = activity.type.name();
  row->start.mutable_task_queue()->set_name(activity.options.task_queue().name());
  row->started = activity.scheduled;
  row->execution_time = activity.first_dispatch();
  row->closed = activity.closed;
  row->search_attributes = activity.search_attributes;
  switch (ApiStatus(activity.status)) {
    case enums::ACTIVITY_EXECUTION_STATUS_PAUSED:
      row->status = enums::WORKFLOW_EXECUTION_STATUS_PAUSED;
      break;
    case enums::ACTIVITY_EXECUTION_STATUS_COMPLETED:
      row->status = enums::WORKFLOW_EXECUTION_STATUS_COMPLETED;
      break;
    case enums::ACTIVITY_EXECUTION_STATUS_FAILED:
      row->status = enums::WORKFLOW_EXECUTION_STATUS_FAILED;
      break;
    case enums::ACTIVITY_EXECUTION_STATUS_CANCELED:
      row->status = enums::WORKFLOW_EXECUTION_STATUS_CANCELED;
      break;
    case enums::ACTIVITY_EXECUTION_STATUS_TERMINATED:
      row->status = enums::WORKFLOW_EXECUTION_STATUS_TERMINATED;
      break;
    case enums::ACTIVITY_EXECUTION_STATUS_TIMED_OUT:
      row->status = enums::WORKFLOW_EXECUTION_STATUS_TIMED_OUT;
      break;
    default:
      row->status = enums::WORKFLOW_EXECUTION_STATUS_RUNNING;
  }
  return row;
}

// ActivityId and ActivityType are called otherwise there.
std::string AsWorkflowQuery(std::string_view query) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"ActivityId", "WorkflowId"}, {"ActivityType", "WorkflowType"}};
  std::string out;
  char quote = 0;
  for (std::size_t i = 0; i < query.size(); ++i) {
    const char c = query[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else {
      bool replaced = false;
      for (const auto& [from, to] : kNames) {
        if (!query.substr(i).starts_with(from)) continue;
        out += to;
        i += from.size() - 1;
        replaced = true;
        break;
      }
      if (replaced) continue;
    }
    out.push_back(c);
  }
  return out;
}

using Rows = std::vector<std::shared_ptr<const StandaloneActivity>>;

}  // namespace

activitypb::ActivityExecutionInfo StandaloneActivities::State::Info(
    const Activity& activity, const ws::DescribeActivityExecutionRequest& request) const {
  activitypb::ActivityExecutionInfo info;
  info.set_activity_id(activity.activity_id);
  info.set_run_id(activity.run_id);
  *info.mutable_activity_type() = activity.type;
  info.set_status(ApiStatus(activity.status));
  info.set_run_state(RunState(activity));
  const auto& options = activity.options;
  info.set_task_queue(options.task_queue().name());
  *info.mutable_schedule_to_close_timeout() = options.schedule_to_close_timeout();
  *info.mutable_schedule_to_start_timeout() = options.schedule_to_start_timeout();
  *info.mutable_start_to_close_timeout() = options.start_to_close_timeout();
  *info.mutable_heartbeat_timeout() = options.heartbeat_timeout();
  *info.mutable_retry_policy() = options.retry_policy();
  if (options.has_priority()) *info.mutable_priority() = options.priority();
  if (options.has_start_delay()) *info.mutable_start_delay() = options.start_delay();
  if (request.include_heartbeat_details() && activity.heartbeat_details)
    *info.mutable_heartbeat_details() = *activity.heartbeat_details;
  if (activity.heartbeat_time != WallTime{})
    *info.mutable_last_heartbeat_time() = ToProto(activity.heartbeat_time);
  info.set_total_heartbeat_count(activity.heartbeats);
  if (activity.started != WallTime{}) *info.mutable_last_started_time() = ToProto(activity.started);
  info.set_attempt(activity.attempt);
  *info.mutable_schedule_time() = ToProto(activity.scheduled);
  *info.mutable_execution_time() = ToProto(activity.first_dispatch());
  if (const Duration limit = FromProto(options.schedule_to_close_timeout()); limit.count() > 0)
    *info.mutable_expiration_time() = ToProto(activity.first_dispatch() + limit);
  if (!activity.open()) {
    *info.mutable_close_time() = ToProto(activity.closed);
    *info.mutable_execution_duration() = ToProto(activity.closed - activity.scheduled);
  }
  if (request.include_last_failure() && activity.last_failure)
    *info.mutable_last_failure() = *activity.last_failure;
  info.set_last_worker_identity(activity.worker);
  info.set_sdk_name(activity.sdk_name);
  info.set_sdk_version(activity.sdk_version);
  if (activity.status == Activity::Status::kScheduled) {
    if (activity.retry_interval)
      *info.mutable_current_retry_interval() = ToProto(*activity.retry_interval);
    if (activity.dispatch > core.now.wall)
      *info.mutable_next_attempt_schedule_time() = ToProto(activity.dispatch);
  }
  if (activity.completed != WallTime{})
    *info.mutable_last_attempt_complete_time() = ToProto(activity.completed);
  info.set_state_transition_count(activity.transitions);
  info.set_state_size_bytes(SizeOf(activity));
  info.mutable_search_attributes();
  for (const auto& [key, value] : activity.search_attributes)
    (*info.mutable_search_attributes()->mutable_indexed_fields())[key] = value;
  if (activity.header) *info.mutable_header() = *activity.header;
  if (activity.user_metadata) *info.mutable_user_metadata() = *activity.user_metadata;
  info.set_canceled_reason(activity.cancel_reason);
  for (const common::Link& link : activity.links) *info.add_links() = link;
  return info;
}

ws::DescribeActivityExecutionResponse StandaloneActivities::State::Description(
    const Activity& activity, const ws::DescribeActivityExecutionRequest& request) const {
  ws::DescribeActivityExecutionResponse response;
  response.set_run_id(activity.run_id);
  *response.mutable_info() = Info(activity, request);
  if (request.include_input() && activity.input) *response.mutable_input() = *activity.input;
  if (request.include_outcome() && !activity.open())
    *response.mutable_outcome() = OutcomeOf(activity);
  response.set_long_poll_token(
      PageToken{.run_id = activity.run_id, .first = activity.transitions}.Serialize());
  TellCallbacks(activity, &response);
  return response;
}

ws::PollActivityExecutionResponse StandaloneActivities::State::Outcome(const Activity& activity) {
  ws::PollActivityExecutionResponse response;
  response.set_run_id(activity.run_id);
  *response.mutable_outcome() = OutcomeOf(activity);
  return response;
}

StatusOr<ws::ListActivityExecutionsResponse> StandaloneActivities::List(
    const ws::ListActivityExecutionsRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_ASSIGN_OR_RETURN(const VisibilityQuery query,
                          ParseVisibilityQuery(AsWorkflowQuery(request.query()), *ns));
  if (!query.group_by.empty())
    return InvalidArgument("'group by' clause is only supported for count");
  Rows rows;
  for (const auto& [id, execution] : state_->by_namespace[ns->id]) {
    for (const auto& [run_id, activity] : execution.runs) {
      if (query.matches(*AsRow(*activity))) rows.push_back(activity);
    }
  }
  // Open ones first, then the latest closed; within both the latest started.
  const auto key = [](const StandaloneActivity& activity) {
    return std::tuple(activity.open() ? std::numeric_limits<std::int64_t>::min()
                                      : -activity.closed.time_since_epoch().count(),
                      -activity.scheduled.time_since_epoch().count(), activity.run_id);
  };
  std::sort(rows.begin(), rows.end(),
            [&](const auto& a, const auto& b) { return key(*a) < key(*b); });
  std::size_t at = 0;
  if (!request.next_page_token().empty()) {
    const auto token = PageToken::Parse(request.next_page_token());
    if (!token) return InvalidArgument("unable to deserialize page token");
    at = static_cast<std::size_t>(std::max<std::int64_t>(token->first, 0));
  }
  const int size =
      request.page_size() <= 0 || request.page_size() > kMaxPage ? kMaxPage : request.page_size();
  ws::ListActivityExecutionsResponse response;
  for (; at < rows.size(); ++at) {
    if (response.executions_size() == size) {
      response.set_next_page_token(PageToken{.first = static_cast<std::int64_t>(at)}.Serialize());
      break;
    }
    const StandaloneActivity& activity = *rows[at];
    auto* row = response.add_executions();
    row->set_activity_id(activity.activity_id);
    row->set_run_id(activity.run_id);
    *row->mutable_activity_type() = activity.type;
    *row->mutable_schedule_time() = ToProto(activity.scheduled);
    *row->mutable_execution_time() = ToProto(activity.first_dispatch());
    row->set_status(ApiStatus(activity.status));
    auto& fields = *row->mutable_search_attributes()->mutable_indexed_fields();
    for (const auto& [name, value] : activity.search_attributes) {
      fields[name] = value;
      const auto type = ns->search_attributes.find(name);
      if (type != ns->search_attributes.end()) {
        (*fields[name].mutable_metadata())["type"] = TypeName(type->second);
      }
    }
    // Where the real server keeps activities apart from workflows.
    fields["TemporalNamespaceDivision"] =
        TypedAttribute("\"3332429922\"", enums::INDEXED_VALUE_TYPE_KEYWORD);
    row->set_task_queue(activity.options.task_queue().name());
    if (!activity.open()) {
      *row->mutable_close_time() = ToProto(activity.closed);
      *row->mutable_execution_duration() = ToProto(activity.closed - activity.scheduled);
      row->set_state_transition_count(activity.transitions);
      row->set_state_size_bytes(SizeOf(activity));
    }
  }
  return response;
}

StatusOr<ws::CountActivityExecutionsResponse> StandaloneActivities::Count(
    const ws::CountActivityExecutionsRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_ASSIGN_OR_RETURN(const VisibilityQuery query,
                          ParseVisibilityQuery(AsWorkflowQuery(request.query()), *ns));
  std::map<std::string, std::int64_t> groups;
  ws::CountActivityExecutionsResponse response;
  for (const auto& [id, execution] : state_->by_namespace[ns->id]) {
    for (const auto& [run_id, activity] : execution.runs) {
      if (!query.matches(*AsRow(*activity))) continue;
      response.set_count(response.count() + 1);
      ++groups[PascalName(enums::ActivityExecutionStatus_Name(ApiStatus(activity->status)),
                          "ACTIVITY_EXECUTION_STATUS_")];
    }
  }
  if (!query.group_by.empty()) AddGroups(groups, &response);
  return response;
}

}  // namespace squall::fakes::engine
