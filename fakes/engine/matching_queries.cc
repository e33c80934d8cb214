// Task queues: queries that go to a worker directly, past the backlog.

#include <fmt/format.h>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/matching.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
MaybeVersion Matching::QueryVersion(const Key& key, const DirectQuery& query) const {
  const Run& run = *query.run;
  if (Versioning::Pinned(run)) return Versioning::Effective(run);
  if (const auto build = core_.build_ids.TaskVersion(run, std::get<1>(key), false)) return build;
  return core_.deployments.Route(key).Target(run.workflow_id, Versioning::UseRamping(run)).first;
}

bool Matching::ServeQuery(const Key& key, Queue& queue, const Poll& poll) {
  const bool routed = !poll.sticky && (poll.version || Routed(key));
  for (auto at = queue.queries.begin(); at != queue.queries.end();) {
    auto it = queries_.find(*at);
    if (it == queries_.end() || it->second.dispatched) {
      at = queue.queries.erase(at);
      continue;
    }
    if (routed && QueryVersion(key, it->second) != poll.version) {
      ++at;
      continue;
    }
    queue.queries.erase(at);
    it->second.dispatched = true;
    core_.calls.ReplyBytes(poll.call, core_.queries.DirectTask(it->second, std::get<1>(key)));
    return true;
  }
  return false;
}

void Matching::Query(CallId call, const std::shared_ptr<Run>& run,
                     const querypb::WorkflowQuery& query) {
  const std::uint64_t id = next_query_++;
  DirectQuery& direct = queries_[id];
  direct = {.id = id, .call = call, .run = run, .query = query};
  direct.sticky = !run->sticky_queue.empty();
  if (direct.sticky && !StickyAlive(*run->ns, run->sticky_queue)) {
    direct.sticky = false;
    if (run->open()) WorkflowTasks::ClearSticky(*run);
  }
  core_.calls.Hold(
      call, [this, id] { EndQuery(id); },
      Status(StatusCode::kDeadlineExceeded, "query timed out before a worker could process it"));
  if (direct.sticky) {
    const Duration limit =
        run->sticky_timeout.count() > 0 ? run->sticky_timeout : Duration(std::chrono::seconds(10));
    direct.timer = core_.After(limit, [this, id] {
      auto it = queries_.find(id);
      if (it == queries_.end()) return;
      it->second.timer = 0;
      it->second.sticky = false;
      it->second.dispatched = false;
      if (it->second.run->open()) WorkflowTasks::ClearSticky(*it->second.run);
      EnqueueQuery(id);
    });
  }
  EnqueueQuery(id);
}

void Matching::EnqueueQuery(std::uint64_t id) {
  const DirectQuery& direct = queries_.at(id);
  const Run& run = *direct.run;
  const Key key{run.ns->id, direct.sticky ? run.sticky_queue : run.start.task_queue().name(),
                kWorkflowQueue};
  if (!direct.sticky && Versioning::Pinned(run)) {
    // Nobody will ever answer on a drained version without workers.
    const MaybeVersion version = Versioning::Effective(run);
    const DeploymentVersion* found =
        version ? core_.deployments.Find(run.ns->id, *version) : nullptr;
    if (found != nullptr && found->status == enums::WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED &&
        !HasPollers(key, *version)) {
      const CallId call = direct.call;
      const std::string text = fmt::format(
          "You are trying to query a closed Workflow that is PINNED to Worker Deployment Version "
          "{0}, but {0} is drained and has no pollers to answer the query. Immediately: You can "
          "re-deploy Workers in this Deployment Version to take those queries, or you can workflow "
          "update-options to change your workflow to AUTO_UPGRADE. For the future: In your "
          "infrastructure, consider waiting longer after the last queried timestamp as reported in "
          "Describe Deployment before you sunset Workers. Or mark this workflow as AUTO_UPGRADE.",
          version->build);
      EndQuery(id);
      return core_.calls.Fail(call, Status(StatusCode::kFailedPrecondition, text));
    }
  }
  queues_[key].queries.push_back(id);
  core_.Defer([this, key] { Match(key); });
}

void Matching::EndQuery(std::uint64_t id) {
  auto it = queries_.find(id);
  if (it == queries_.end()) return;
  if (it->second.timer != 0) core_.timers.Cancel(it->second.timer);
  queries_.erase(it);
}

StatusOr<ws::RespondQueryTaskCompletedResponse> Matching::RespondQuery(
    const ws::RespondQueryTaskCompletedRequest& request) {
  if (request.task_token().empty()) return InvalidArgument("Task token not set on request.");
  const auto token = QueryToken::Parse(request.task_token());
  if (!token) return InvalidArgument("Error deserializing task token.");
  if (token->task_queue.empty() || token->query == 0) return InvalidArgument("Invalid TaskToken.");
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.GetById(token->namespace_id));
  auto it = queries_.find(token->query);
  if (it == queries_.end()) return NotFound("query task not found, or already expired");
  const CallId call = it->second.call;
  EndQuery(token->query);
  switch (request.completed_type()) {
    case enums::QUERY_RESULT_TYPE_ANSWERED: {
      ws::QueryWorkflowResponse response;
      if (request.has_query_result()) *response.mutable_query_result() = request.query_result();
      core_.calls.Reply(call, response);
      break;
    }
    case enums::QUERY_RESULT_TYPE_FAILED:
      core_.calls.Fail(call, QueryFailed(request.error_message(), request.failure()));
      break;
    default:
      core_.calls.Fail(call, Status(StatusCode::kInternal, "unknown query completed type"));
  }
  return ws::RespondQueryTaskCompletedResponse();
}

}  // namespace squall::fakes::engine
