#include "tests/unit/harness/target/target_fixture.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TemporalClientTest : public TargetTest {
 protected:
  void SetUp() override {
    server_ = MakeServerOf({});
    ASSERT_OK(Start(*server_));
    client_ = std::make_unique<TemporalClient>(
        executor_, journal_, TemporalClientOptions{.name = "c", .address = server_->address()});
  }
  void Kill() {
    ASSERT_OK(Wait<Status>([&](Done done) { server_->Kill(Intent::kInjected, std::move(done)); }));
  }
  void StartAgain(bool keep_data) {
    ASSERT_OK(Wait<Status>([&](Done done) { server_->StartAgain(keep_data, std::move(done)); }));
  }

  std::unique_ptr<ServerUnderTest> server_;
  std::unique_ptr<TemporalClient> client_;
};

TEST_F(TemporalClientTest, CallsAreJournaledWithMethodCodeAndLatency) {
  ASSERT_OK(StartWorkflow(*client_, "w"));
  EXPECT_THAT(StartWorkflow(*client_, "w2", {.ns = "nowhere"}),
              StatusIs(StatusCode::kNotFound, HasSubstr("nowhere")));
  std::vector<journal::RpcEvent> calls;
  for (const auto& rpc : Events<journal::RpcEvent>()) {
    if (rpc.side == "client" && rpc.endpoint == "c") calls.push_back(rpc);
  }
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].what, "answered");
  EXPECT_EQ(calls[0].method, "StartWorkflowExecution");
  EXPECT_EQ(calls[0].code, 0);
  EXPECT_EQ(calls[0].workflow_id, "w");
  EXPECT_GT(calls[0].latency, 0ns);
  EXPECT_EQ(calls[1].what, "failed");
  EXPECT_EQ(calls[1].code, 5);
  const auto workflows = Events<journal::WorkflowEvent>();
  EXPECT_EQ(Count<journal::WorkflowEvent>("requested"), 2u);
  const auto refused = Events<journal::WorkflowEvent>("refused");
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].code, 5);
  EXPECT_EQ(refused[0].workflow_id, "w2");
}

TEST_F(TemporalClientTest, TheSameIdTwiceIsRefused) {
  ASSERT_OK(StartWorkflow(*client_, "w"));
  EXPECT_THAT(StartWorkflow(*client_, "w"), StatusIs(StatusCode::kAlreadyExists, _));
}

TEST_F(TemporalClientTest, AResultIsAwaitedAcrossAnOutage) {
  const StatusOr<std::string> run = StartWorkflow(*client_, "w");
  ASSERT_OK(run);
  std::optional<StatusOr<WorkflowOutcome>> outcome;
  client_->AwaitResult("w", *run, Scaled(60s), {},
                       [&](StatusOr<WorkflowOutcome> result) { outcome = std::move(result); });
  Settle();
  Kill();
  Await(
      [&] {
        for (const auto& rpc : Events<journal::RpcEvent>("failed")) {
          if (rpc.endpoint == "c" && rpc.method == "GetWorkflowExecutionHistory") return true;
        }
        return false;
      },
      "the long poll to meet the outage");
  EXPECT_FALSE(outcome.has_value());
  StartAgain(true);
  ASSERT_OK(Wait<Status>([&](auto done) {
    server_->client().TerminateWorkflow("w", "enough", {.wait_for_ready = true}, done);
  }));
  Await([&] { return outcome.has_value(); }, "the outcome");
  ASSERT_OK(*outcome);
  EXPECT_EQ((*outcome)->what, "terminated");
  EXPECT_EQ((*outcome)->detail, "enough");
  EXPECT_EQ((*outcome)->run_id, *run);
  EXPECT_EQ(Count<journal::WorkflowEvent>("terminated") >= 1, true);
}

TEST_F(TemporalClientTest, AWorkflowThatTheServerForgotIsLost) {
  ASSERT_OK(StartWorkflow(*client_, "w"));
  Kill();
  StartAgain(false);
  const auto outcome = Wait<StatusOr<WorkflowOutcome>>(
      [&](auto done) { client_->AwaitResult("w", "", Scaled(30s), {}, done); });
  EXPECT_THAT(outcome, StatusIs(StatusCode::kNotFound, _));
  ASSERT_EQ(Count<journal::WorkflowEvent>("lost"), 1u);
  EXPECT_EQ(Events<journal::WorkflowEvent>("lost")[0].workflow_id, "w");
}

TEST_F(TemporalClientTest, AwaitingEndsAtItsLimitWithTheLastError) {
  ASSERT_OK(StartWorkflow(*client_, "w"));
  EXPECT_THAT(Wait<StatusOr<WorkflowOutcome>>(
                  [&](auto done) { client_->AwaitResult("w", "", 50ms, {}, done); }),
              StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("has not ended within")));
  Kill();
  EXPECT_THAT(Wait<StatusOr<WorkflowOutcome>>(
                  [&](auto done) { client_->AwaitResult("w", "", 300ms, {}, done); }),
              StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("last error")));
}

TEST_F(TemporalClientTest, WhileTheServerIsDownACallFailsAtOnceOrWaits) {
  Kill();
  const SteadyTime begin = clock_.Now();
  EXPECT_THAT(Info(*client_, {.deadline = Scaled(30s)}), StatusIs(StatusCode::kUnavailable, _));
  EXPECT_LT(clock_.Now() - begin, Scaled(10s));
  std::optional<StatusOr<SystemInfo>> waiting;
  client_->GetSystemInfo({.deadline = Scaled(30s), .wait_for_ready = true},
                         [&](StatusOr<SystemInfo> info) { waiting = std::move(info); });
  Settle();
  EXPECT_FALSE(waiting.has_value());
  StartAgain(true);
  Await([&] { return waiting.has_value(); }, "the waiting call");
  EXPECT_OK(*waiting);
}

TEST_F(TemporalClientTest, TaskQueuesTellTheirPollers) {
  const auto none = Wait<StatusOr<TaskQueueDescription>>(
      [&](auto done) { client_->DescribeTaskQueue("q", {}, done); });
  ASSERT_OK(none);
  EXPECT_THAT(none->workflow_pollers, IsEmpty());
  // A poll of our own, which nobody will answer with a task.
  client_->CallJson("PollActivityTaskQueue",
                    R"({"taskQueue": {"name": "q"}, "identity": "somebody"})",
                    {.deadline = Scaled(30s)}, nullptr);
  Await([&] { return Count<journal::PollerEvent>("arrived") == 1; }, "the poll");
  const auto one = Wait<StatusOr<TaskQueueDescription>>(
      [&](auto done) { client_->DescribeTaskQueue("q", {}, done); });
  ASSERT_OK(one);
  ASSERT_EQ(one->activity_pollers.size(), 1u);
  EXPECT_EQ(one->activity_pollers[0].identity, "somebody");
  EXPECT_LT(one->activity_pollers[0].age, Scaled(30s));
  EXPECT_THAT(one->workflow_pollers, IsEmpty());
}

TEST_F(TemporalClientTest, AnyMethodCanBeCalledInJson) {
  const auto answer = Wait<StatusOr<std::string>>([&](auto done) {
    client_->CallJson("DescribeNamespace", R"({"namespace": "default"})", {}, done);
  });
  ASSERT_OK(answer);
  EXPECT_THAT(*answer, AllOf(HasSubstr("namespaceInfo"), HasSubstr("\"default\"")));
  EXPECT_THAT(Wait<StatusOr<std::string>>(
                  [&](auto done) { client_->CallJson("DescribeNamespace", "{}", {}, done); }),
              ::squall::testing::IsOk())
      << "the client's own namespace is filled in";
  EXPECT_THAT(Wait<StatusOr<std::string>>(
                  [&](auto done) { client_->CallJson("NoSuchMethod", "{}", {}, done); }),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("NoSuchMethod")));
  EXPECT_THAT(Wait<StatusOr<std::string>>([&](auto done) {
                client_->CallJson("DescribeNamespace", R"({"nonsense": 1})", {}, done);
              }),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("nonsense")));
}

TEST_F(TemporalClientTest, AHistoryIsWholeAndInJson) {
  ASSERT_OK(StartWorkflow(*client_, "w"));
  ASSERT_OK(Wait<Status>([&](auto done) { client_->SignalWorkflow("w", "go", "1", {}, done); }));
  ASSERT_OK(Wait<Status>([&](auto done) { client_->CancelWorkflow("w", {}, done); }));
  const auto history =
      Wait<StatusOr<std::string>>([&](auto done) { client_->History("w", "", {}, done); });
  ASSERT_OK(history);
  EXPECT_THAT(*history, AllOf(HasSubstr("EVENT_TYPE_WORKFLOW_EXECUTION_STARTED"),
                              HasSubstr("EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"),
                              HasSubstr("EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED")));
  const auto description = Describe(*client_, "w");
  ASSERT_OK(description);
  EXPECT_EQ(description->type, "Ping");
  EXPECT_GE(description->history_length, 4u);
}

TEST_F(TemporalClientTest, AQueryWithoutAWorkerFailsWithinItsDeadline) {
  ASSERT_OK(StartWorkflow(*client_, "w"));
  EXPECT_THAT(Wait<StatusOr<std::string>>([&](auto done) {
                client_->QueryWorkflow("w", "state", {.deadline = 100ms}, done);
              }),
              ::testing::Not(::squall::testing::IsOk()));
}

TEST_F(TemporalClientTest, ReconnectingEndsWhatIsOpenAndGoesWhereItIsTold) {
  const auto other = MakeServerOf({.name = "other"});
  ASSERT_OK(Start(*other));
  std::optional<Status> open;
  client_->CallJson("PollActivityTaskQueue", R"({"taskQueue": {"name": "q"}})",
                    {.deadline = Scaled(30s)},
                    [&](const StatusOr<std::string>& answer) { open = answer.status(); });
  Await([&] { return Count<journal::PollerEvent>("arrived") == 1; }, "the poll");
  client_->Reconnect(other->address());
  Await([&] { return open.has_value(); }, "the open call's end");
  EXPECT_THAT(*open, StatusIs(StatusCode::kCancelled, _));
  ASSERT_OK(StartWorkflow(*client_, "there"));
  EXPECT_OK(Describe(other->client(), "there"));
  EXPECT_THAT(Describe(server_->client(), "there"), StatusIs(StatusCode::kNotFound, _));
}

TEST_F(TemporalClientTest, DestroyedItCallsNobodyAndEveryClientHasItsOwnConnection) {
  bool called = false;
  client_->CallJson("PollActivityTaskQueue", R"({"taskQueue": {"name": "q"}})",
                    {.deadline = Scaled(30s)},
                    [&](const StatusOr<std::string>&) { called = true; });
  Await([&] { return Count<journal::PollerEvent>("arrived") == 1; }, "the poll");
  TemporalClient second(executor_, journal_, {.name = "second", .address = server_->address()});
  ASSERT_OK(Info(second));
  client_.reset();
  Await([&] { return Count<journal::PollerEvent>("left") == 1; }, "the poll to leave");
  EXPECT_FALSE(called);
  EXPECT_OK(Info(second));
}

}  // namespace
}  // namespace squall::harness
