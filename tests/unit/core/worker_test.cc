// Workers through the whole stack: C++ owners, the bridge, production core, and a server that is this test.

#include "core/worker.h"

#include <optional>
#include <string>
#include <vector>

#include "temporal/api/enums/v1/event_type.pb.h"
#include "temporal/api/enums/v1/task_queue.pb.h"
#include "temporal/api/history/v1/message.pb.h"
#include "tests/unit/core/core_fixture.h"

namespace squall::core {
namespace {

using coresdk::workflow_activation::RemoveFromCache;
using coresdk::workflow_activation::WorkflowActivation;
using coresdk::workflow_completion::WorkflowActivationCompletion;
using ::squall::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
namespace api = temporal::api;
using api::workflowservice::v1::PollActivityTaskQueueResponse;
using api::workflowservice::v1::PollWorkflowTaskQueueRequest;
using api::workflowservice::v1::PollWorkflowTaskQueueResponse;
using api::workflowservice::v1::RespondWorkflowTaskCompletedRequest;

template <typename Message>
Message Parse(std::string_view bytes) {
  Message message;
  SQUALL_CHECK(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())), "unreadable message");
  return message;
}

api::history::v1::HistoryEvent* AddEvent(api::history::v1::History& history, api::enums::v1::EventType type) {
  auto* event = history.add_events();
  event->set_event_id(history.events_size());
  event->set_event_type(type);
  event->mutable_event_time()->set_seconds(1767225600 + history.events_size());
  return event;
}

// A history of a workflow "Ping" up to its first workflow task.
api::history::v1::History StartedHistory(const std::string& run_id) {
  api::history::v1::History history;
  auto* started = AddEvent(history, api::enums::v1::EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
                      ->mutable_workflow_execution_started_event_attributes();
  started->mutable_workflow_type()->set_name("Ping");
  started->mutable_task_queue()->set_name("q");
  started->set_original_execution_run_id(run_id);
  started->set_first_execution_run_id(run_id);
  started->set_workflow_id("wf");
  started->set_attempt(1);
  auto* scheduled = AddEvent(history, api::enums::v1::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)
                        ->mutable_workflow_task_scheduled_event_attributes();
  scheduled->mutable_task_queue()->set_name("q");
  scheduled->set_attempt(1);
  AddEvent(history, api::enums::v1::EVENT_TYPE_WORKFLOW_TASK_STARTED)
      ->mutable_workflow_task_started_event_attributes()
      ->set_scheduled_event_id(2);
  return history;
}

// The same workflow, completed by its first workflow task.
api::history::v1::History CompletedHistory(const std::string& run_id) {
  api::history::v1::History history = StartedHistory(run_id);
  auto* completed = AddEvent(history, api::enums::v1::EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
                        ->mutable_workflow_task_completed_event_attributes();
  completed->set_scheduled_event_id(2);
  completed->set_started_event_id(3);
  AddEvent(history, api::enums::v1::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)
      ->mutable_workflow_execution_completed_event_attributes()
      ->set_workflow_task_completed_event_id(4);
  return history;
}

class WorkerTest : public CoreTest {
 protected:
  void SetUp() override {
    CoreTest::SetUp();
    // As a real server: polls stay open until there is a task or the worker says that it shuts down.
    server_.Hold("PollWorkflowTaskQueue");
    server_.Hold("PollActivityTaskQueue");
    server_.On("ShutdownWorker", [this](const RpcRequestView&, const RpcReply& reply) {
      server_.Release("PollWorkflowTaskQueue");
      server_.Release("PollActivityTaskQueue");
      server_.On("PollWorkflowTaskQueue", [](const RpcRequestView&, const RpcReply& poll) { poll.Succeed(""); });
      server_.On("PollActivityTaskQueue", [](const RpcRequestView&, const RpcReply& poll) { poll.Succeed(""); });
      reply.Succeed("");
    });
    auto connection = Connect(InProcess());
    ASSERT_OK(connection);
    connection_ = *connection;
  }

  void CreateWorker(WorkerOptions options) {
    options.task_queue = "q";
    auto worker = Worker::Create(runtime_, connection_, options, executor_);
    ASSERT_OK(worker);
    worker_ = std::move(*worker);
  }

  // Hands one workflow task to the first poll of the normal queue; later polls stay open.
  void OfferWorkflowTask() {
    server_.On("PollWorkflowTaskQueue", [this](const RpcRequestView& request, const RpcReply& reply) {
      const auto poll = Parse<PollWorkflowTaskQueueRequest>(request.message);
      if (poll.task_queue().kind() == api::enums::v1::TASK_QUEUE_KIND_STICKY) {
        open_polls_.push_back(reply);
        return;
      }
      PollWorkflowTaskQueueResponse task;
      task.set_task_token("token");
      task.mutable_workflow_execution()->set_workflow_id("wf");
      task.mutable_workflow_execution()->set_run_id("run");
      task.mutable_workflow_type()->set_name("Ping");
      task.mutable_workflow_execution_task_queue()->set_name("q");
      task.set_started_event_id(3);
      task.set_attempt(1);
      *task.mutable_history() = StartedHistory("run");
      reply.Succeed(task.SerializeAsString());
      server_.Hold("PollWorkflowTaskQueue");
    });
  }

  // Polls activations and completes each with what `decide` fills in, until shutdown.
  void PumpActivations(std::function<void(const WorkflowActivation&, WorkflowActivationCompletion&)> decide) {
    worker_->PollWorkflowActivation([this, decide = std::move(decide)](WorkflowPoll poll) {
      if (!poll.is_task()) {
        workflow_end_ = poll.status();
        workflow_shutdown_ = poll.is_shutdown();
        return;
      }
      WorkflowActivationCompletion completion;
      completion.set_run_id(poll.task().run_id());
      completion.mutable_successful();
      if (poll.task().jobs_size() > 0 && !poll.task().jobs(0).has_remove_from_cache()) {
        decide(poll.task(), completion);
      } else if (poll.task().jobs_size() > 0) {
        evictions_.push_back(poll.task().jobs(0).remove_from_cache());
      }
      worker_->CompleteWorkflowActivation(completion, [](const Status& status) { EXPECT_OK(status); });
      PumpActivations(decide);
    });
  }

  void PumpActivities(std::function<void(const coresdk::activity_task::ActivityTask&)> run) {
    worker_->PollActivityTask([this, run = std::move(run)](ActivityPoll poll) {
      if (!poll.is_task()) {
        activity_shutdown_ = poll.is_shutdown();
        return;
      }
      run(poll.task());
      PumpActivities(run);
    });
  }

  static void CompleteWorkflow(const WorkflowActivation&, WorkflowActivationCompletion& completion) {
    completion.mutable_successful()->add_commands()->mutable_complete_workflow_execution()->mutable_result()->set_data(
        "pong");
  }

  // The end of a worker as an SDK does it.
  void ShutDown() {
    worker_->InitiateShutdown();
    ASSERT_TRUE(RunUntil([&] { return workflow_shutdown_ && activity_shutdown_; }));
    std::optional<Status> finalized;
    worker_->FinalizeShutdown([&](Status status) { finalized = std::move(status); });
    ASSERT_TRUE(RunUntil([&] { return finalized.has_value(); }));
    EXPECT_OK(*finalized);
  }

  std::shared_ptr<Connection> connection_;
  std::unique_ptr<Worker> worker_;
  std::vector<RpcReply> open_polls_;
  std::vector<RemoveFromCache> evictions_;
  std::optional<Status> workflow_end_;
  bool workflow_shutdown_ = false;
  bool activity_shutdown_ = false;
};

TEST_F(WorkerTest, DrivesAWorkflowToItsEndWithoutASocket) {
  CreateWorker({});
  std::optional<Status> valid;
  worker_->Validate([&](Status status) { valid = std::move(status); });
  ASSERT_TRUE(RunUntil([&] { return valid.has_value(); }));
  EXPECT_OK(*valid);
  EXPECT_EQ(server_.calls("DescribeNamespace"), 1);

  OfferWorkflowTask();
  std::optional<RespondWorkflowTaskCompletedRequest> completed;
  server_.On("RespondWorkflowTaskCompleted", [&](const RpcRequestView& request, const RpcReply& reply) {
    completed = Parse<RespondWorkflowTaskCompletedRequest>(request.message);
    reply.Succeed("");
  });
  std::string seen_type;
  PumpActivations([&](const WorkflowActivation& activation, WorkflowActivationCompletion& completion) {
    ASSERT_TRUE(activation.jobs(0).has_initialize_workflow());
    seen_type = activation.jobs(0).initialize_workflow().workflow_type();
    CompleteWorkflow(activation, completion);
  });
  PumpActivities([](const coresdk::activity_task::ActivityTask&) { FAIL() << "no activity was scheduled"; });
  ASSERT_TRUE(RunUntil([&] { return completed.has_value(); }));
  EXPECT_EQ(seen_type, "Ping");
  EXPECT_EQ(completed->task_token(), "token");
  EXPECT_EQ(completed->identity(), "test");
  ASSERT_EQ(completed->commands_size(), 1);
  EXPECT_EQ(completed->commands(0).command_type(), api::enums::v1::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);
  EXPECT_EQ(completed->commands(0).complete_workflow_execution_command_attributes().result().payloads(0).data(),
            "pong");

  ASSERT_NO_FATAL_FAILURE(ShutDown());
  EXPECT_EQ(evictions_.size(), 1U);
  EXPECT_EQ(server_.calls("ShutdownWorker"), 1);
  worker_->FinalizeShutdown([&](const Status& status) { valid = status; });
  ASSERT_TRUE(RunUntil([&] { return !valid->ok(); }));
  EXPECT_THAT(*valid, StatusIs(StatusCode::kFailedPrecondition, HasSubstr("already being finalized")));
}

TEST_F(WorkerTest, RunsAnActivityThatHeartbeatsAndIsCancelled) {
  CreateWorker({});
  server_.On("PollActivityTaskQueue", [&](const RpcRequestView&, const RpcReply& reply) {
    PollActivityTaskQueueResponse task;
    task.set_task_token("activity-token");
    task.set_activity_id("1");
    task.mutable_activity_type()->set_name("slow");
    task.mutable_workflow_execution()->set_workflow_id("wf");
    task.mutable_workflow_execution()->set_run_id("run");
    task.set_workflow_namespace("default");
    task.mutable_start_to_close_timeout()->set_seconds(600);
    task.mutable_heartbeat_timeout()->set_seconds(60);
    task.set_attempt(1);
    server_.Hold("PollActivityTaskQueue");
    reply.Succeed(task.SerializeAsString());
  });
  server_.On("RecordActivityTaskHeartbeat", [](const RpcRequestView&, const RpcReply& reply) {
    api::workflowservice::v1::RecordActivityTaskHeartbeatResponse response;
    response.set_cancel_requested(true);
    reply.Succeed(response.SerializeAsString());
  });
  std::optional<Status> completed;
  PumpActivations(&CompleteWorkflow);
  PumpActivities([&](const coresdk::activity_task::ActivityTask& task) {
    EXPECT_EQ(task.task_token(), "activity-token");
    if (task.has_start()) {
      EXPECT_EQ(task.start().activity_type(), "slow");
      coresdk::ActivityHeartbeat heartbeat;
      heartbeat.set_task_token(task.task_token());
      EXPECT_OK(worker_->RecordActivityHeartbeat(heartbeat));
      return;
    }
    ASSERT_TRUE(task.has_cancel());
    coresdk::ActivityTaskCompletion completion;
    completion.set_task_token(task.task_token());
    completion.mutable_result()->mutable_cancelled()->mutable_failure()->mutable_canceled_failure_info();
    worker_->CompleteActivityTask(completion, [&](Status status) { completed = std::move(status); });
  });
  ASSERT_TRUE(RunUntil([&] { return completed.has_value(); }));
  EXPECT_OK(*completed);
  EXPECT_EQ(server_.calls("RecordActivityTaskHeartbeat"), 1);
  EXPECT_EQ(server_.calls("RespondActivityTaskCanceled"), 1);
  ASSERT_NO_FATAL_FAILURE(ShutDown());
}

TEST_F(WorkerTest, WrongOptionsGiveCoresText) {
  const auto create = [&](const std::function<void(WorkerOptions&)>& change) {
    WorkerOptions options;
    options.task_queue = "q";
    change(options);
    return Worker::Create(runtime_, connection_, options, executor_).status();
  };
  using Options = WorkerOptions;
  constexpr StatusCode kInvalid = StatusCode::kInvalidArgument;
  EXPECT_THAT(create([](Options& o) { o.task_queue = ""; }), StatusIs(kInvalid, HasSubstr("task queue")));
  EXPECT_THAT(create([](Options& o) { o.temporal_namespace = ""; }), StatusIs(kInvalid, HasSubstr("namespace")));
  EXPECT_THAT(create([](Options& o) { o.workflows = o.activities = false; }),
              StatusIs(kInvalid, HasSubstr("At least one task type must be enabled")));
  EXPECT_THAT(create([](Options& o) { o.max_outstanding_activities = 0; }),
              StatusIs(kInvalid, HasSubstr("`max_outstanding_activities` must be > 0")));
  EXPECT_THAT(create([](Options& o) { o.max_outstanding_workflow_tasks = 1; }),
              StatusIs(kInvalid, HasSubstr("requires `max_outstanding_workflow_tasks` >= 2")));
  EXPECT_THAT(create([](Options& o) { o.workflow_pollers = PollerBehavior::SimpleMaximum(1); }),
              StatusIs(kInvalid, HasSubstr("to be at least 2")));
  EXPECT_THAT(create([](Options& o) { o.activity_pollers = PollerBehavior::Autoscaling(5, 3, 4); }),
              StatusIs(kInvalid, HasSubstr("Autoscaling maximum")));
  EXPECT_THAT(create([](Options& o) { o.max_activities_per_second = 0; }), StatusIs(kInvalid, HasSubstr("positive")));
  EXPECT_THAT(create([](Options& o) { o.max_cached_workflows = -1; }), StatusIs(kInvalid, HasSubstr("negative")));
  EXPECT_THAT(create([](Options& o) { o.deployment.emplace(); }),
              StatusIs(kInvalid, HasSubstr("non-empty build_id and deployment_name")));
  EXPECT_OK(create([](Options& o) {
    o.deployment = DeploymentVersioning{"payments", "v7", true, DeploymentVersioning::Behavior::kPinned};
    o.workflow_pollers = PollerBehavior::Autoscaling(1, 8, 2);
    o.graceful_shutdown_period = std::chrono::seconds(3);
  }));
}

TEST_F(WorkerTest, OneConnectionTakesOneWorkerPerQueueUnlessAllowed) {
  CreateWorker({});
  WorkerOptions second;
  second.task_queue = "q";
  EXPECT_FALSE(Worker::Create(runtime_, connection_, second, executor_).ok());
  second.allow_duplicate_worker = true;
  EXPECT_OK(Worker::Create(runtime_, connection_, second, executor_));
}

TEST_F(WorkerTest, ValidateNamesTheMissingNamespace) {
  WorkerOptions options;
  options.temporal_namespace = "nope";
  CreateWorker(options);
  server_.On("DescribeNamespace", [](const RpcRequestView&, const RpcReply& reply) {
    reply.Fail(Status(StatusCode::kNotFound, "Namespace nope is not found."));
  });
  std::optional<Status> valid;
  worker_->Validate([&](Status status) { valid = std::move(status); });
  ASSERT_TRUE(RunUntil([&] { return valid.has_value(); }));
  EXPECT_THAT(*valid, StatusIs(StatusCode::kNotFound,
                               AllOf(StartsWith("Namespace nope was not found or otherwise could not be described: "
                                                "Status {"),
                                     HasSubstr("Namespace nope is not found."))));
}

TEST_F(WorkerTest, UnreadableCompletionsAreRefusedWithCoresText) {
  CreateWorker({});
  std::optional<Status> result;
  worker_->CompleteActivityTask({}, [&](Status status) { result = std::move(status); });
  ASSERT_TRUE(RunUntil([&] { return result.has_value(); }));
  EXPECT_THAT(*result, StatusIs(StatusCode::kInvalidArgument,
                                HasSubstr("malformed activity completion (Activity completion had empty")));
}

TEST_F(WorkerTest, NothingCallsBackAfterTheWorkerIsDestroyedDuringPolls) {
  CreateWorker({});
  int calls_back = 0;
  worker_->PollWorkflowActivation([&](const WorkflowPoll&) { ++calls_back; });
  worker_->PollActivityTask([&](const ActivityPoll&) { ++calls_back; });
  ASSERT_TRUE(RunUntil([&] {
    return server_.held("PollWorkflowTaskQueue") > 0 && server_.held("PollActivityTaskQueue") > 0;
  }));
  worker_.reset();
  // Core tells the server (the connection still lives), the polls end, and nobody hears of it.
  ASSERT_TRUE(RunUntil([&] { return server_.calls("ShutdownWorker") == 1; }));
  connection_.reset();
  runtime_.reset();
  executor_.RunReady();
  EXPECT_EQ(calls_back, 0);
}

TEST_F(WorkerTest, AWorkerMayBeDestroyedInsideItsOwnCallback) {
  CreateWorker({});
  OfferWorkflowTask();
  bool destroyed = false;
  worker_->PollWorkflowActivation([&](const WorkflowPoll& poll) {
    EXPECT_TRUE(poll.is_task());
    worker_.reset();
    destroyed = true;
  });
  ASSERT_TRUE(RunUntil([&] { return destroyed; }));
}

TEST_F(WorkerTest, AShutdownThatNeverEndsHoldsUpNeitherTheWorkerNorTheRuntime) {
  // X5 of the incidents: ShutdownWorker is not answered while polls are held.
  CreateWorker({});
  server_.Hold("ShutdownWorker");
  PumpActivations(&CompleteWorkflow);
  PumpActivities([](const coresdk::activity_task::ActivityTask&) {});
  ASSERT_TRUE(RunUntil([&] {
    return server_.held("PollWorkflowTaskQueue") > 0 && server_.held("PollActivityTaskQueue") > 0;
  }));
  worker_->InitiateShutdown();
  bool finalized = false;
  worker_->FinalizeShutdown([&](const Status&) { finalized = true; });
  ASSERT_TRUE(RunUntil([&] { return server_.held("ShutdownWorker") == 1; }));
  const SteadyTime before = real_.Now();
  worker_.reset();
  connection_.reset();
  runtime_.reset();
  EXPECT_LT(real_.Now() - before, Scaled(std::chrono::seconds(1)));
  executor_.RunReady();
  EXPECT_FALSE(finalized);
}

TEST_F(WorkerTest, ReplaceClientMovesThePollsToTheOtherConnection) {
  CreateWorker({});
  PumpActivations(&CompleteWorkflow);
  PumpActivities([](const coresdk::activity_task::ActivityTask&) {});
  ASSERT_TRUE(RunUntil([&] { return server_.held("PollActivityTaskQueue") > 0; }));

  ScriptedServer other;
  int polls_of_other = 0;
  const auto end_at_once = [&](const RpcRequestView&, const RpcReply& reply) {
    ++polls_of_other;
    open_polls_.push_back(reply);
  };
  other.On("PollWorkflowTaskQueue", end_at_once);
  other.On("PollActivityTaskQueue", end_at_once);
  other.On("ShutdownWorker", [&](const RpcRequestView&, const RpcReply& reply) {
    for (const RpcReply& poll : std::exchange(open_polls_, {})) poll.Succeed("");
    other.On("PollWorkflowTaskQueue", [](const RpcRequestView&, const RpcReply& poll) { poll.Succeed(""); });
    other.On("PollActivityTaskQueue", [](const RpcRequestView&, const RpcReply& poll) { poll.Succeed(""); });
    reply.Succeed("");
  });
  ConnectionOptions options = InProcess();
  options.rpc_handler = other.handler();
  auto second = Connect(options);
  ASSERT_OK(second);
  ASSERT_OK(worker_->ReplaceClient(*second));
  // The polls that are open end on the old connection, the next go to the new one.
  server_.Release("PollWorkflowTaskQueue");
  server_.Release("PollActivityTaskQueue");
  ASSERT_TRUE(RunUntil([&] { return polls_of_other > 0; }));
  ASSERT_NO_FATAL_FAILURE(ShutDown());
  EXPECT_EQ(other.calls("ShutdownWorker"), 1);
  EXPECT_EQ(server_.calls("ShutdownWorker"), 0);
}

class ReplayTest : public WorkerTest {
 protected:
  void SetUp() override {
    WorkerTest::SetUp();
    WorkerOptions options;
    options.task_queue = "q";
    auto worker = Worker::CreateReplay(runtime_, options, executor_);
    ASSERT_OK(worker);
    worker_ = std::move(*worker);
  }
};

TEST_F(ReplayTest, AFaithfulReplayEndsWithoutNondeterminism) {
  PumpActivations(&CompleteWorkflow);
  ASSERT_OK(worker_->PushHistory({"wf-1", CompletedHistory("run-1")}));
  ASSERT_TRUE(RunUntil([&] { return evictions_.size() == 1; }));
  ASSERT_OK(worker_->PushHistory({"wf-2", CompletedHistory("run-2")}));
  ASSERT_TRUE(RunUntil([&] { return evictions_.size() == 2; }));
  ASSERT_OK(worker_->CloseHistories());
  ASSERT_TRUE(RunUntil([&] { return workflow_shutdown_; }));
  for (const RemoveFromCache& eviction : evictions_) {
    EXPECT_NE(eviction.reason(), RemoveFromCache::NONDETERMINISM) << eviction.message();
  }
  EXPECT_THAT(worker_->PushHistory({"wf", CompletedHistory("run")}),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("closed")));
  FinishReplay(*worker_, true);
}

TEST_F(ReplayTest, ADifferentDecisionIsNondeterminism) {
  ASSERT_OK(worker_->PushHistory({"wf", CompletedHistory("run")}));
  PumpActivations([](const WorkflowActivation&, WorkflowActivationCompletion& completion) {
    auto* timer = completion.mutable_successful()->add_commands()->mutable_start_timer();
    timer->set_seq(1);
    timer->mutable_start_to_fire_timeout()->set_seconds(1);
  });
  ASSERT_TRUE(RunUntil([&] { return !evictions_.empty(); }));
  EXPECT_EQ(evictions_[0].reason(), RemoveFromCache::NONDETERMINISM);
  EXPECT_THAT(evictions_[0].message(), HasSubstr("Nondeterminism"));
  // The pump is still at work.
  ASSERT_OK(worker_->CloseHistories());
  worker_->InitiateShutdown();
  ASSERT_TRUE(RunUntil([&] { return workflow_shutdown_; }));
  FinishReplay(*worker_, true);
}

TEST_F(ReplayTest, HistoriesThatCoreWouldPanicOnAreRefused) {
  EXPECT_THAT(worker_->PushHistory({"wf", {}}), StatusIs(StatusCode::kInvalidArgument, HasSubstr("History is empty")));
  EXPECT_THAT(worker_->PushHistory({"wf", CompletedHistory("")}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no run id")));
  FinishReplay(*worker_);
  CreateWorker({});
  EXPECT_THAT(worker_->PushHistory({"wf", CompletedHistory("run")}),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("no replay worker")));
}

}  // namespace
}  // namespace squall::core
