// Random callers, handlers and operators of Nexus against the engine, with all invariants checked
// after each call.

#include <gmock/gmock.h>

#include "base/util/rng.h"
#include "tests/unit/fakes/engine/nexus_support.h"

namespace squall::fakes::engine {
namespace {

class NexusChaos {
 public:
  explicit NexusChaos(std::uint64_t seed) : rng_(seed), client_(Options(seed)) {}

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      Step();
      Harvest();
    }
  }
  // The Nexus events of all callers, for comparing runs.
  std::vector<std::string> Events() {
    std::vector<std::string> events;
    for (int i = 0; i < kCallers; ++i) {
      ws::DescribeWorkflowExecutionRequest request;
      request.set_namespace_("default");
      request.mutable_execution()->set_workflow_id(Caller(i));
      if (client_.Call<ws::DescribeWorkflowExecutionResponse>("DescribeWorkflowExecution", request)
              .status.code != 0) {
        continue;
      }
      for (const std::string& name : client_.EventNames(Caller(i))) {
        if (name.starts_with("NEXUS")) events.push_back(name);
      }
    }
    return events;
  }

 private:
  static constexpr int kCallers = 3;

  static EngineOptions Options(std::uint64_t seed) {
    EngineOptions options = TestOptions();
    options.seed = seed;
    return options;
  }
  static std::string Caller(int i) { return "caller" + std::to_string(i); }
  std::int64_t Number(std::uint64_t bound) { return static_cast<std::int64_t>(rng_.Below(bound)); }
  void Discard(std::uint64_t call) { client_.answers.erase(call); }
  template <typename T>
  T Pick(std::vector<T>& from) {
    const std::size_t at = rng_.Below(from.size());
    T picked = from[at];
    if (!rng_.Chance(0.1)) from.erase(from.begin() + static_cast<std::ptrdiff_t>(at));
    return picked;
  }

  void Step() {
    switch (rng_.Below(12)) {
      case 0:
      case 1: {
        auto request = Client::StartRequest(Caller(static_cast<int>(rng_.Below(kCallers))));
        request.set_request_id(rng_.Hex(8));
        Discard(client_.Send("StartWorkflowExecution", request));
        break;
      }
      case 2:
      case 3:
        workflow_polls_.push_back(client_.SendWorkflowPoll(rng_.Chance(0.6) ? "q" : "hq"));
        break;
      case 4:
      case 5:
        nexus_polls_.push_back(SendNexusPoll(client_));
        break;
      case 6:
        client_.Advance(milliseconds(Number(3000)));
        break;
      case 7: {
        const std::string name = rng_.Chance(0.5) ? "a" : "b";
        Discard(client_.Send("CreateNexusEndpoint", EndpointRequest("endpoint-" + name, "nq"), {},
                             kOperatorService));
        break;
      }
      case 8:
        if (rng_.Chance(0.2)) {
          ws::TerminateWorkflowExecutionRequest request;
          request.set_namespace_("default");
          request.mutable_workflow_execution()->set_workflow_id(
              Caller(static_cast<int>(rng_.Below(kCallers))));
          Discard(client_.Send("TerminateWorkflowExecution", request));
        } else if (rng_.Chance(0.1)) {
          client_.engine.Restart(client_.now(), true);
          client_.Collect();
          workflow_polls_.clear();
          nexus_polls_.clear();
        } else if (!nexus_polls_.empty() && rng_.Chance(0.2)) {
          client_.Cancel(nexus_polls_[rng_.Below(nexus_polls_.size())]);
        }
        break;
      default:
        rng_.Chance(0.5) ? WorkOnNexus() : WorkOnWorkflows();
    }
  }

  void Harvest() {
    std::erase_if(workflow_polls_, [&](std::uint64_t call) {
      if (!client_.Answered(call)) return false;
      auto reply = client_.Take<ws::PollWorkflowTaskQueueResponse>(call);
      if (!reply.response.task_token().empty()) tasks_.push_back(std::move(reply.response));
      return true;
    });
    std::erase_if(nexus_polls_, [&](std::uint64_t call) {
      if (!client_.Answered(call)) return false;
      auto reply = client_.Take<ws::PollNexusTaskQueueResponse>(call);
      if (!reply.response.task_token().empty()) nexus_.push_back(std::move(reply.response));
      return true;
    });
  }

  void WorkOnNexus() {
    if (nexus_.empty()) return;
    const ws::PollNexusTaskQueueResponse task = Pick(nexus_);
    if (rng_.Chance(0.2)) {
      Fail(client_, task.task_token(), rng_.Chance(0.8) ? "INTERNAL" : "BAD_REQUEST");
      return;
    }
    if (task.request().has_cancel_operation()) {
      Respond(client_, task.task_token(), CancelOk());
      return;
    }
    if (rng_.Chance(0.5)) {
      auto request = Client::StartRequest("handler" + std::to_string(rng_.Below(4)), "hq");
      request.set_request_id(rng_.Hex(8));
      request.set_workflow_id_conflict_policy(enums::WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING);
      request.mutable_on_conflict_options()->set_attach_request_id(true);
      request.mutable_on_conflict_options()->set_attach_completion_callbacks(true);
      auto* nexus = request.add_completion_callbacks()->mutable_nexus();
      nexus->set_url(task.request().start_operation().callback());
      *nexus->mutable_header() = task.request().start_operation().callback_header();
      Discard(client_.Send("StartWorkflowExecution", request));
    }
    Respond(client_, task.task_token(), rng_.Chance(0.7) ? Async() : Sync());
  }

  void WorkOnWorkflows() {
    if (tasks_.empty()) return;
    const ws::PollWorkflowTaskQueueResponse task = Pick(tasks_);
    ws::RespondWorkflowTaskCompletedRequest request;
    request.set_task_token(task.task_token());
    if (task.workflow_execution().workflow_id().starts_with("caller")) {
      for (std::uint64_t i = rng_.Below(3); i > 0; --i) {
        if (rng_.Chance(0.3)) {
          *request.add_commands() = CancelNexus(5 + Number(8));
          continue;
        }
        auto call = CallNexus(rng_.Chance(0.5) ? "endpoint-a" : "endpoint-b");
        auto* attributes = call.mutable_schedule_nexus_operation_command_attributes();
        if (rng_.Chance(0.3))
          attributes->mutable_schedule_to_close_timeout()->set_seconds(Number(20));
        if (rng_.Chance(0.3))
          attributes->mutable_schedule_to_start_timeout()->set_seconds(Number(9));
        if (rng_.Chance(0.3)) attributes->mutable_start_to_close_timeout()->set_seconds(Number(9));
        *request.add_commands() = call;
      }
      if (rng_.Chance(0.1)) *request.add_commands() = CompleteWorkflow();
    } else if (rng_.Chance(0.7)) {
      *request.add_commands() = rng_.Chance(0.4)   ? CompleteWorkflow()
                                : rng_.Chance(0.5) ? FailWorkflow("bad")
                                : rng_.Chance(0.5) ? CancelWorkflow()
                                                   : ContinueAsNew();
    }
    Discard(client_.Send("RespondWorkflowTaskCompleted", request));
  }

  Rng rng_;
  Client client_;
  std::vector<std::uint64_t> workflow_polls_, nexus_polls_;
  std::vector<ws::PollWorkflowTaskQueueResponse> tasks_;
  std::vector<ws::PollNexusTaskQueueResponse> nexus_;
};

TEST(NexusRandom, KeepsTheInvariants) {
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    NexusChaos chaos(seed);
    chaos.Run(600);
    for (const std::string& event : chaos.Events()) ++seen[event];
    if (HasFailure()) return;
  }
  // The dice reach every kind of event.
  for (const std::string kind :
       {"SCHEDULED", "STARTED", "COMPLETED", "FAILED", "CANCELED", "TIMED_OUT", "CANCEL_REQUESTED",
        "CANCEL_REQUEST_COMPLETED", "CANCEL_REQUEST_FAILED"}) {
    EXPECT_GT(seen["NEXUS_OPERATION_" + kind], 0) << kind;
  }
}

TEST(NexusRandom, RepeatsItself) {
  std::size_t events = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    NexusChaos first(seed), second(seed);
    first.Run(400);
    second.Run(400);
    const auto seen = first.Events();
    EXPECT_EQ(seen, second.Events()) << seed;
    events += seen.size();
  }
  EXPECT_GT(events, 0);
}

}  // namespace
}  // namespace squall::fakes::engine
