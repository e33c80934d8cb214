// Random typed calls against the engine, with all invariants checked after each of them. A failing
// seed is printed.

#include "base/util/rng.h"
#include "tests/unit/fakes/engine/client.h"
#include "tests/unit/fakes/engine/random_operators.h"

namespace squall::fakes::engine {
namespace {

// Workers and clients that do whatever the dice say.
class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : rng_(seed), client_(Options(seed)) {}

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      Step();
      Harvest();
    }
  }
  static EngineOptions Options(std::uint64_t seed) {
    EngineOptions options = TestOptions();
    options.seed = seed;
    options.history_page_size = 8;
    options.workflow_pause = true;
    return options;
  }
  Engine& engine() { return client_.engine; }
  std::size_t completed() const {
    return client_.sink.Of<journal::WorkflowEvent>("completed").size();
  }
  std::string Fingerprint() const {
    std::string text;
    for (const auto& event : client_.sink.events) {
      if (const auto* workflow = std::get_if<journal::WorkflowEvent>(&event)) {
        text += workflow->what + " " + workflow->workflow_id + " " + workflow->run_id + "\n";
      }
    }
    return text;
  }

 private:
  std::string Id() { return "wf" + std::to_string(rng_.Below(6)); }
  std::string Queue() { return rng_.Chance(0.7) ? "q" : "children"; }

  void Step() {
    switch (rng_.Below(15)) {
      case 0:
      case 1: {
        auto request = Client::StartRequest(Id(), Queue());
        request.set_request_id(rng_.Hex(8));
        request.set_workflow_id_conflict_policy(
            static_cast<enums::WorkflowIdConflictPolicy>(rng_.Below(4)));
        if (rng_.Chance(0.2))
          request.mutable_workflow_run_timeout()->set_seconds(
              static_cast<std::int64_t>(rng_.Below(40)));
        if (rng_.Chance(0.2)) request.mutable_retry_policy()->set_maximum_attempts(2);
        if (rng_.Chance(0.1)) request.mutable_workflow_start_delay()->set_seconds(3);
        if (rng_.Chance(0.1)) request.set_request_eager_execution(true);
        Discard(client_.Send("StartWorkflowExecution", request));
        break;
      }
      case 2:
      case 3:
        workflow_polls_.push_back(
            client_.SendWorkflowPoll(Queue(), "w" + std::to_string(rng_.Below(3))));
        break;
      case 4:
        workflow_polls_.push_back(client_.SendWorkflowPoll("sticky", "w", "q"));
        break;
      case 5:
      case 6:
        activity_polls_.push_back(
            client_.SendActivityPoll("q", "w" + std::to_string(rng_.Below(3))));
        break;
      case 7:
        client_.Advance(milliseconds(static_cast<std::int64_t>(rng_.Below(6000))));
        break;
      case 8: {
        ws::SignalWorkflowExecutionRequest request;
        request.set_namespace_("default");
        request.mutable_workflow_execution()->set_workflow_id(Id());
        request.set_signal_name("s");
        Discard(client_.Send("SignalWorkflowExecution", request));
        break;
      }
      case 9: {
        ws::QueryWorkflowRequest request;
        request.set_namespace_("default");
        request.mutable_execution()->set_workflow_id(Id());
        request.mutable_query()->set_query_type("x");
        held_.push_back(client_.Send("QueryWorkflow", request, seconds(5)));
        break;
      }
      case 10: {
        ws::UpdateWorkflowExecutionRequest request;
        request.set_namespace_("default");
        request.mutable_workflow_execution()->set_workflow_id(Id());
        request.mutable_request()->mutable_meta()->set_update_id("u" +
                                                                 std::to_string(rng_.Below(4)));
        request.mutable_request()->mutable_input()->set_name("x");
        held_.push_back(client_.Send("UpdateWorkflowExecution", request, seconds(30)));
        break;
      }
      case 11: {
        ws::GetWorkflowExecutionHistoryRequest request;
        request.set_namespace_("default");
        request.mutable_execution()->set_workflow_id(Id());
        request.set_wait_new_event(rng_.Chance(0.5));
        request.set_history_event_filter_type(rng_.Chance(0.5)
                                                  ? enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
                                                  : enums::HISTORY_EVENT_FILTER_TYPE_ALL_EVENT);
        held_.push_back(client_.Send("GetWorkflowExecutionHistory", request, seconds(30)));
        break;
      }
      case 12:
        if (rng_.Chance(0.3)) {
          ws::TerminateWorkflowExecutionRequest request;
          request.set_namespace_("default");
          request.mutable_workflow_execution()->set_workflow_id(Id());
          Discard(client_.Send("TerminateWorkflowExecution", request));
        } else {
          ws::RequestCancelWorkflowExecutionRequest request;
          request.set_namespace_("default");
          request.mutable_workflow_execution()->set_workflow_id(Id());
          Discard(client_.Send("RequestCancelWorkflowExecution", request));
        }
        break;
      case 13: {  // a caller leaves
        auto& calls = rng_.Chance(0.5) ? workflow_polls_ : held_;
        if (!calls.empty()) client_.Cancel(calls[rng_.Below(calls.size())]);
        break;
      }
      case 14:
        if (rng_.Chance(0.05)) {
          client_.engine.Restart(client_.now(), true);
          client_.Collect();
          workflow_polls_.clear();
          activity_polls_.clear();
          held_.clear();
        } else if (rng_.Chance(0.2)) {
          ws::ShutdownWorkerRequest request;
          request.set_namespace_("default");
          request.set_sticky_task_queue("sticky");
          Discard(client_.Send("ShutdownWorker", request));
        } else {
          WorkOnTasks();
        }
        break;
    }
    if (rng_.Chance(0.15)) held_.push_back(OperateAtRandom(rng_, client_));
    if (rng_.Chance(0.5)) WorkOnTasks();
  }

  void Discard(std::uint64_t call) { client_.answers.erase(call); }

  void Harvest() {
    std::erase_if(workflow_polls_, [&](std::uint64_t call) {
      if (!client_.Answered(call)) return false;
      auto reply = client_.Take<ws::PollWorkflowTaskQueueResponse>(call);
      if (!reply.response.task_token().empty()) tasks_.push_back(std::move(reply.response));
      return true;
    });
    std::erase_if(activity_polls_, [&](std::uint64_t call) {
      if (!client_.Answered(call)) return false;
      auto reply = client_.Take<ws::PollActivityTaskQueueResponse>(call);
      if (!reply.response.task_token().empty()) activities_.push_back(reply.response.task_token());
      return true;
    });
    std::erase_if(held_, [&](std::uint64_t call) {
      if (!client_.Answered(call)) return false;
      client_.answers.erase(call);
      return true;
    });
  }

  void WorkOnTasks() {
    if (!activities_.empty() && rng_.Chance(0.6)) {
      const std::size_t at = rng_.Below(activities_.size());
      const std::string token = activities_[at];
      if (!rng_.Chance(0.2))
        activities_.erase(activities_.begin() + static_cast<std::ptrdiff_t>(at));
      if (rng_.Chance(0.6)) {
        client_.CompleteActivity(token);
      } else if (rng_.Chance(0.5)) {
        client_.FailActivity(token, "Oops", rng_.Chance(0.3));
      } else {
        ws::RecordActivityTaskHeartbeatRequest request;
        request.set_task_token(token);
        Discard(client_.Send("RecordActivityTaskHeartbeat", request));
      }
    }
    if (tasks_.empty()) return;
    const std::size_t at = rng_.Below(tasks_.size());
    const ws::PollWorkflowTaskQueueResponse task = tasks_[at];
    if (!rng_.Chance(0.1)) tasks_.erase(tasks_.begin() + static_cast<std::ptrdiff_t>(at));
    if (task.has_query()) {
      ws::RespondQueryTaskCompletedRequest request;
      request.set_namespace_("default");
      request.set_task_token(task.task_token());
      request.set_completed_type(enums::QUERY_RESULT_TYPE_ANSWERED);
      Discard(client_.Send("RespondQueryTaskCompleted", request));
      return;
    }
    if (rng_.Chance(0.1)) {
      client_.FailTask(task);
      return;
    }
    ws::RespondWorkflowTaskCompletedRequest request;
    request.set_task_token(task.task_token());
    request.set_identity("w");
    const std::size_t count = rng_.Below(4);
    for (std::size_t i = 0; i < count; ++i) *request.add_commands() = RandomCommand();
    if (rng_.Chance(0.3)) *request.add_commands() = RandomClose();
    for (const auto& message : task.messages()) {
      if (rng_.Chance(0.2)) continue;
      auto* answer = request.add_messages();
      answer->set_id(message.protocol_instance_id() + "/a");
      answer->set_protocol_instance_id(message.protocol_instance_id());
      if (rng_.Chance(0.5)) {
        updatepb::Acceptance body;
        body.set_accepted_request_message_id(message.id());
        answer->mutable_body()->PackFrom(body);
      } else {
        answer->mutable_body()->PackFrom(updatepb::Rejection());
      }
    }
    if (rng_.Chance(0.5)) {
      request.mutable_sticky_attributes()->mutable_worker_task_queue()->set_name("sticky");
      request.mutable_sticky_attributes()->mutable_schedule_to_start_timeout()->set_seconds(5);
    }
    request.set_force_create_new_workflow_task(rng_.Chance(0.1));
    request.set_return_new_workflow_task(rng_.Chance(0.5));
    const std::uint64_t call = client_.Send("RespondWorkflowTaskCompleted", request);
    const auto reply = client_.Take<ws::RespondWorkflowTaskCompletedResponse>(call);
    if (reply.response.has_workflow_task()) tasks_.push_back(reply.response.workflow_task());
    for (const auto& activity : reply.response.activity_tasks())
      activities_.push_back(activity.task_token());
  }

  command::Command RandomCommand() {
    switch (rng_.Below(8)) {
      case 0:
        return StartTimer("t" + std::to_string(rng_.Below(4)),
                          milliseconds(static_cast<std::int64_t>(rng_.Below(8000))));
      case 1:
        return CancelTimer("t" + std::to_string(rng_.Below(4)));
      case 2:
        return StartChild("wf" + std::to_string(rng_.Below(6)),
                          static_cast<enums::ParentClosePolicy>(rng_.Below(4)));
      case 3:
        return CancelActivity(static_cast<std::int64_t>(rng_.Below(20)));
      case 4: {
        command::Command signal;
        signal.set_command_type(enums::COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION);
        auto* attributes = signal.mutable_signal_external_workflow_execution_command_attributes();
        attributes->mutable_execution()->set_workflow_id(Id());
        attributes->set_signal_name("x");
        return signal;
      }
      default: {
        command::Command schedule = Schedule("a" + std::to_string(rng_.Below(6)));
        auto* attributes = schedule.mutable_schedule_activity_task_command_attributes();
        attributes->mutable_retry_policy()->set_maximum_attempts(
            static_cast<std::int32_t>(rng_.Below(4)));
        if (rng_.Chance(0.5)) attributes->mutable_heartbeat_timeout()->set_seconds(2);
        if (rng_.Chance(0.3)) attributes->mutable_schedule_to_close_timeout()->set_seconds(6);
        if (rng_.Chance(0.3)) attributes->mutable_schedule_to_start_timeout()->set_seconds(3);
        attributes->set_request_eager_execution(rng_.Chance(0.2));
        return schedule;
      }
    }
  }
  command::Command RandomClose() {
    switch (rng_.Below(5)) {
      case 0:
        return FailWorkflow("x");
      case 1:
        return CancelWorkflow();
      case 2:
        return ContinueAsNew();
      default:
        return CompleteWorkflow();
    }
  }

  Rng rng_;
  Client client_;
  std::vector<std::uint64_t> workflow_polls_, activity_polls_, held_;
  std::vector<ws::PollWorkflowTaskQueueResponse> tasks_;
  std::vector<std::string> activities_;
};

TEST(Random, KeepsTheInvariantsWhateverIsCalled) {
  std::size_t completed = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chaos chaos(seed);
    chaos.Run(400);
    completed += chaos.completed();
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(completed, 100u);  // it was not idle
}

TEST(Random, RepeatsItself) {
  Chaos a(3), b(3);
  a.Run(300);
  b.Run(300);
  EXPECT_EQ(a.Fingerprint(), b.Fingerprint());
  EXPECT_FALSE(a.Fingerprint().empty());
}

// What the observer is told is enough to get the same engine again, input by input.
TEST(Random, RecordedInputsLeadToTheSameState) {
  struct Recorded {
    EngineInput input;
    RpcRequest request;
    std::uint64_t digest = 0;
  };
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chaos chaos(seed);
    std::vector<Recorded> recorded;
    chaos.engine().SetInputObserver([&](const EngineInput& input) {
      recorded.push_back({.input = input,
                          .request = input.request == nullptr ? RpcRequest{} : *input.request,
                          .digest = chaos.engine().StateDigest()});
    });
    chaos.Run(400);
    ASSERT_GT(recorded.size(), 200u);

    MemorySink sink;
    Engine engine(Chaos::Options(seed), sink);
    for (std::size_t i = 0; i < recorded.size(); ++i) {
      const Recorded& entry = recorded[i];
      switch (entry.input.kind) {
        case EngineInput::Kind::kCall:
          engine.Call(entry.input.now, entry.input.call, entry.request);
          break;
        case EngineInput::Kind::kCancel:
          engine.Cancel(entry.input.now, entry.input.call);
          break;
        case EngineInput::Kind::kAdvance:
          engine.Advance(entry.input.now);
          break;
        case EngineInput::Kind::kRestart:
          engine.Restart(entry.input.now, entry.input.keep_data);
          break;
      }
      ASSERT_EQ(engine.StateDigest(), entry.digest) << "input " << i << " " << entry.request.method;
    }
  }
}

TEST(Random, SurvivesBytes) {
  Rng rng(11);
  Client c;
  for (const RpcSupport& entry : Engine::SupportTable()) {
    for (int i = 0; i < 20; ++i) {
      std::string bytes(rng.Below(60), '\0');
      rng.Fill({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
      static std::uint64_t call = 100000;
      c.engine.Call(c.now(), ++call,
                    {.service = std::string(entry.service),
                     .method = std::string(entry.method),
                     .message = bytes,
                     .deadline = c.clock.Now() + seconds(5)});
    }
    c.Advance(seconds(6));
    c.answers.clear();
  }
  EXPECT_EQ(c.engine.held_calls(), 0u);
}

}  // namespace
}  // namespace squall::fakes::engine
