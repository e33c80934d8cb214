#include "tests/unit/fakes/engine/random_operators.h"

#include <string>

namespace squall::fakes::engine {
namespace {

std::string Workflow(Rng& rng) { return "wf" + std::to_string(rng.Below(6)); }
std::string ActivityId(Rng& rng) { return "a" + std::to_string(rng.Below(6)); }

template <typename Request>
Request OnWorkflow(Rng& rng) {
  Request request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id(Workflow(rng));
  return request;
}

template <typename Request>
Request OnActivity(Rng& rng) {
  Request request;
  request.set_namespace_("default");
  request.set_activity_id("own" + std::to_string(rng.Below(4)));
  return request;
}

std::uint64_t ResetRun(Rng& rng, Client& c) {
  ws::ResetWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.mutable_workflow_execution()->set_workflow_id(Workflow(rng));
  request.set_request_id(rng.Hex(4));
  request.set_workflow_task_finish_event_id(static_cast<std::int64_t>(2 + rng.Below(20)));
  if (rng.Chance(0.2)) {
    request.add_reset_reapply_exclude_types(
        static_cast<enums::ResetReapplyExcludeType>(1 + rng.Below(2)));
  }
  return c.Send("ResetWorkflowExecution", request);
}

std::uint64_t OperateOnPending(Rng& rng, Client& c) {
  switch (rng.Below(4)) {
    case 0: {
      auto request = OnWorkflow<ws::PauseActivityRequest>(rng);
      request.set_id(ActivityId(rng));
      return c.Send("PauseActivity", request);
    }
    case 1: {
      auto request = OnWorkflow<ws::UnpauseActivityRequest>(rng);
      request.set_unpause_all(true);
      request.set_reset_attempts(rng.Chance(0.5));
      request.mutable_jitter()->set_seconds(1);
      return c.Send("UnpauseActivity", request);
    }
    case 2: {
      auto request = OnWorkflow<ws::ResetActivityRequest>(rng);
      request.set_match_all(true);
      request.set_keep_paused(rng.Chance(0.5));
      request.set_reset_heartbeat(rng.Chance(0.5));
      request.set_restore_original_options(rng.Chance(0.5));
      return c.Send("ResetActivity", request);
    }
    default: {
      auto request = OnWorkflow<ws::UpdateActivityOptionsRequest>(rng);
      request.set_match_all(true);
      auto* options = request.mutable_activity_options();
      options->mutable_start_to_close_timeout()->set_seconds(
          static_cast<std::int64_t>(1 + rng.Below(9)));
      options->mutable_heartbeat_timeout()->set_seconds(1);
      request.mutable_update_mask()->add_paths("start_to_close_timeout");
      if (rng.Chance(0.5)) request.mutable_update_mask()->add_paths("heartbeat_timeout");
      return c.Send("UpdateActivityOptions", request);
    }
  }
}

std::uint64_t OperateOnOwn(Rng& rng, Client& c) {
  switch (rng.Below(10)) {
    case 0:
    case 1:
    case 2: {
      auto request = OnActivity<ws::StartActivityExecutionRequest>(rng);
      request.set_request_id(rng.Hex(8));
      request.mutable_activity_type()->set_name("T");
      request.mutable_task_queue()->set_name("q");
      request.mutable_start_to_close_timeout()->set_seconds(4);
      if (rng.Chance(0.3)) request.mutable_schedule_to_close_timeout()->set_seconds(9);
      if (rng.Chance(0.3)) request.mutable_schedule_to_start_timeout()->set_seconds(3);
      if (rng.Chance(0.5)) request.mutable_heartbeat_timeout()->set_seconds(2);
      if (rng.Chance(0.2)) request.mutable_start_delay()->set_seconds(2);
      return c.Send("StartActivityExecution", request);
    }
    case 3: {
      auto request = OnActivity<ws::PollActivityExecutionRequest>(rng);
      return c.Send("PollActivityExecution", request, std::chrono::seconds(5));
    }
    case 4:
      return c.Send("PauseActivityExecution", OnActivity<ws::PauseActivityExecutionRequest>(rng));
    case 5:
      return c.Send("UnpauseActivityExecution",
                    OnActivity<ws::UnpauseActivityExecutionRequest>(rng));
    case 6:
      return c.Send("ResetActivityExecution", OnActivity<ws::ResetActivityExecutionRequest>(rng));
    case 7:
      return c.Send("RequestCancelActivityExecution",
                    OnActivity<ws::RequestCancelActivityExecutionRequest>(rng));
    case 8:
      return c.Send("TerminateActivityExecution",
                    OnActivity<ws::TerminateActivityExecutionRequest>(rng));
    default:
      return c.Send("DeleteActivityExecution", OnActivity<ws::DeleteActivityExecutionRequest>(rng));
  }
}

std::uint64_t PauseRun(Rng& rng, Client& c) {
  const auto send = [&](const char* method, auto request) {
    request.set_namespace_("default");
    request.set_workflow_id(Workflow(rng));
    return c.Send(method, request);
  };
  if (rng.Chance(0.4)) return send("PauseWorkflowExecution", ws::PauseWorkflowExecutionRequest());
  return send("UnpauseWorkflowExecution", ws::UnpauseWorkflowExecutionRequest());
}

}  // namespace

std::uint64_t OperateAtRandom(Rng& rng, Client& client) {
  switch (rng.Below(6)) {
    case 0:
    case 1:
      return ResetRun(rng, client);
    case 2:
      return OperateOnPending(rng, client);
    case 3:
      return PauseRun(rng, client);
    default:
      return OperateOnOwn(rng, client);
  }
}

}  // namespace squall::fakes::engine
