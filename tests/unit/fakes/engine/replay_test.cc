// What the observer of inputs is told, and what the digest tells apart.

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

// One word for each input: the method of a call, or "cancel", "advance", "restart".
void Watch(Engine& engine, std::vector<std::string>& seen) {
  engine.SetInputObserver([&seen](const EngineInput& input) {
    switch (input.kind) {
      case EngineInput::Kind::kCall:
        seen.push_back(input.request->method);
        break;
      case EngineInput::Kind::kCancel:
        seen.emplace_back("cancel");
        break;
      case EngineInput::Kind::kAdvance:
        seen.emplace_back("advance");
        break;
      case EngineInput::Kind::kRestart:
        seen.emplace_back("restart");
        break;
    }
  });
}

using Words = std::vector<std::string>;

TEST(Replay, TellsCallsThatChangeSomething) {
  Client c;
  Words seen;
  Watch(c.engine, seen);
  c.Start("wf");
  c.PollTask();
  EXPECT_EQ(seen, (Words{"StartWorkflowExecution", "PollWorkflowTaskQueue"}));
}

TEST(Replay, LeavesOutWhatOnlyReads) {
  Client c;
  c.Start("wf");
  Words seen;
  Watch(c.engine, seen);
  c.History("wf");
  c.Describe("wf");
  EXPECT_EQ(seen, Words{});
}

TEST(Replay, TellsReadsThatWait) {
  Client c;
  c.Start("wf");
  Words seen;
  Watch(c.engine, seen);
  ws::GetWorkflowExecutionHistoryRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id("wf");
  request.set_wait_new_event(true);
  request.set_history_event_filter_type(enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
  const auto call = c.Send("GetWorkflowExecutionHistory", request, seconds(10));
  ASSERT_FALSE(c.Answered(call));
  c.Cancel(call);
  EXPECT_EQ(seen, (Words{"GetWorkflowExecutionHistory", "cancel"}));
}

TEST(Replay, LeavesOutRefusedCallsButNotWhatFellDueByThem) {
  Client c;
  auto delayed = Client::StartRequest("wf");
  delayed.mutable_workflow_start_delay()->set_seconds(5);
  c.Start(delayed);
  Words seen;
  Watch(c.engine, seen);
  c.engine.SetRpcHook([](const RpcRequest&) { return RpcStatus{14, "refused", ""}; });
  c.Send("StartWorkflowExecution", Client::StartRequest("other"));
  EXPECT_EQ(seen, Words{});
  c.clock.Advance(seconds(6));
  c.Send("StartWorkflowExecution", Client::StartRequest("other"));
  EXPECT_EQ(seen, Words{"advance"});
}

TEST(Replay, TellsTimeOnlyWhenSomethingFires) {
  Client c;
  auto delayed = Client::StartRequest("wf");
  delayed.mutable_workflow_start_delay()->set_seconds(5);
  c.Start(delayed);
  Words seen;
  Watch(c.engine, seen);
  c.clock.Advance(seconds(4));
  c.engine.Advance(c.now());
  EXPECT_EQ(seen, Words{});
  c.clock.Advance(seconds(1));
  c.engine.Advance(c.now());
  EXPECT_EQ(seen, Words{"advance"});
  c.Cancel(4711);  // nobody's
  EXPECT_EQ(seen, Words{"advance"});
  c.engine.Restart(c.now(), true);
  EXPECT_EQ(seen, (Words{"advance", "restart"}));
}

TEST(Replay, TheDigestTellsStatesApart) {
  Client a, b;
  EXPECT_EQ(a.engine.StateDigest(), b.engine.StateDigest());
  EXPECT_EQ(a.engine.StateDigest(), a.engine.StateDigest());
  a.Start("wf");
  EXPECT_NE(a.engine.StateDigest(), b.engine.StateDigest());
  b.Start("wf");
  EXPECT_EQ(a.engine.StateDigest(), b.engine.StateDigest());
  a.Signal("wf", "go");
  EXPECT_NE(a.engine.StateDigest(), b.engine.StateDigest());
  EngineOptions options = TestOptions();
  options.seed = 2;
  Client other(options);
  EXPECT_NE(other.engine.StateDigest(), Client().engine.StateDigest());
}

}  // namespace
}  // namespace squall::fakes::engine
