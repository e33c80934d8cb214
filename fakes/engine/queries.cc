#include "fakes/engine/queries.h"

#include <algorithm>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {

void Queries::Query(CallId call, const ws::QueryWorkflowRequest& request) {
  if (auto ns = core_.namespaces.Get(request.namespace_()); !ns.ok())
    return core_.calls.Fail(call, ns.status());
  if (!request.execution().workflow_id().empty()) {
    if (!request.has_query())
      return core_.calls.Fail(call, InvalidArgument("WorkflowQuery is not set on request."));
    if (request.query().query_type().empty()) {
      return core_.calls.Fail(call, InvalidArgument("QueryType is not set on request."));
    }
  }
  auto found = core_.namespaces.FindRun(request.namespace_(), request.execution());
  if (!found.ok()) return core_.calls.Fail(call, found.status());
  Run& run = **found;
  if (run.pause) {
    ws::QueryWorkflowResponse response;
    response.mutable_query_rejected()->set_status(run.status);
    return core_.calls.Reply(call, response);
  }
  if (!run.open()) {
    const auto condition = request.query_reject_condition();
    if (condition == enums::QUERY_REJECT_CONDITION_NOT_OPEN ||
        (condition == enums::QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY &&
         run.status != enums::WORKFLOW_EXECUTION_STATUS_COMPLETED)) {
      ws::QueryWorkflowResponse response;
      response.mutable_query_rejected()->set_status(run.status);
      return core_.calls.Reply(call, response);
    }
    if (run.previous_started_event_id == 0) {
      return core_.calls.Fail(
          call, WorkflowNotReady("Workflow execution closed before WorkflowTaskStarted event"));
    }
  }
  if (run.open() && !run.had_or_has_workflow_task()) {
    const auto deadline = core_.calls.deadline(call);
    if (!deadline || core_.now.steady + (run.execution_time - core_.now.wall) > *deadline) {
      return core_.calls.Fail(call, WorkflowNotReady("Workflow task is not scheduled yet."));
    }
  }
  if (run.task.attempt >= kFailFastAttempt) {
    return core_.calls.Fail(
        call, WorkflowNotReady("Unable to query workflow due to Workflow Task in failed state."));
  }
  if (run.previous_started_event_id != 0 && (!run.open() || !run.task.pending())) {
    return core_.matching.Query(call, *found, request.query());
  }
  const std::string id = core_.rng.Uuid();
  run.queries.push_back({.id = id, .call = call, .query = request.query()});
  core_.calls.Hold(
      call,
      [weak = run.weak_from_this(), id] {
        auto held = weak.lock();
        if (held == nullptr) return;
        std::erase_if(held->queries, [&](const BufferedQuery& query) { return query.id == id; });
      },
      Status(StatusCode::kDeadlineExceeded, "query timed out before a worker could process it"));
}

std::string Queries::DirectTask(const DirectQuery& query, const std::string& queue) {
  Run& run = *query.run;
  ws::PollWorkflowTaskQueueResponse response;
  response.set_task_token(
      QueryToken{.namespace_id = run.ns->id, .task_queue = queue, .query = query.id}.Serialize());
  response.mutable_workflow_execution()->set_workflow_id(run.workflow_id);
  response.mutable_workflow_execution()->set_run_id(run.run_id);
  response.mutable_workflow_type()->set_name(run.start.workflow_type().name());
  response.set_previous_started_event_id(run.previous_started_event_id);
  response.set_attempt(1);
  *response.mutable_query() = query.query;
  response.mutable_workflow_execution_task_queue()->set_name(run.start.task_queue().name());
  response.mutable_workflow_execution_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  if (query.sticky) {
    response.mutable_history();
    return SerializeSorted(response);
  }
  std::string next;
  const std::string page = core_.tasks.NextPage(run, 1, run.history.next_event_id() - 1, 0, &next);
  response.set_next_page_token(next);
  std::string bytes = SerializeSorted(response);
  AppendField(bytes, ws::PollWorkflowTaskQueueResponse::kHistoryFieldNumber, page);
  return bytes;
}

void Queries::TaskCompleted(
    Run& run, const google::protobuf::Map<std::string, querypb::WorkflowQueryResult>& results,
    bool another_task) {
  std::vector<BufferedQuery> left;
  for (BufferedQuery& query : std::exchange(run.queries, {})) {
    const auto it = results.find(query.id);
    if (it == results.end()) {
      left.push_back(std::move(query));
      continue;
    }
    const auto& result = it->second;
    if (result.result_type() == enums::QUERY_RESULT_TYPE_ANSWERED) {
      ws::QueryWorkflowResponse response;
      if (result.has_answer()) *response.mutable_query_result() = result.answer();
      core_.calls.Reply(query.call, response);
    } else if (result.result_type() == enums::QUERY_RESULT_TYPE_FAILED) {
      core_.calls.Fail(query.call, QueryFailed(result.error_message(), result.failure()));
    } else {
      core_.calls.Fail(query.call,
                       InvalidArgument("query entered invalid state, this should be impossible"));
    }
  }
  run.queries = std::move(left);
  if (!another_task) Unblock(run);
}

void Queries::Unblock(Run& run) {
  for (const BufferedQuery& query : std::exchange(run.queries, {})) {
    if (!run.open() && run.previous_started_event_id == 0) {
      core_.calls.Fail(
          query.call,
          WorkflowNotReady("Workflow execution closed before WorkflowTaskStarted event"));
    } else {
      core_.matching.Query(query.call, run.shared_from_this(), query.query);
    }
  }
}

}  // namespace squall::fakes::engine
