#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::HasSubstr;

class BatchesTest : public ::testing::Test {
 protected:
  static ws::StartBatchOperationRequest Request(const std::string& query,
                                                const std::string& job = "job") {
    ws::StartBatchOperationRequest request;
    request.set_namespace_("default");
    request.set_job_id(job);
    request.set_reason("why");
    request.set_visibility_query(query);
    return request;
  }
  static ws::StartBatchOperationRequest Terminate(const std::string& query,
                                                  const std::string& job = "job") {
    auto request = Request(query, job);
    request.mutable_termination_operation()->set_identity("me");
    return request;
  }
  static ws::StartBatchOperationRequest Signal(const std::string& query,
                                               const std::string& job = "job") {
    auto request = Request(query, job);
    request.mutable_signal_operation()->set_signal("go");
    request.mutable_signal_operation()->set_identity("me");
    return request;
  }
  RpcStatus Start(const ws::StartBatchOperationRequest& request) {
    return c.Call<ws::StartBatchOperationResponse>("StartBatchOperation", request).status;
  }
  Reply<ws::DescribeBatchOperationResponse> Describe(const std::string& job = "job") {
    ws::DescribeBatchOperationRequest request;
    request.set_namespace_("default");
    request.set_job_id(job);
    return c.Call<ws::DescribeBatchOperationResponse>("DescribeBatchOperation", request);
  }
  RpcStatus Stop(const std::string& job = "job", const std::string& reason = "enough") {
    ws::StopBatchOperationRequest request;
    request.set_namespace_("default");
    request.set_job_id(job);
    request.set_reason(reason);
    return c.Call<ws::StopBatchOperationResponse>("StopBatchOperation", request).status;
  }
  std::size_t Journaled(const char* what) { return c.sink.Of<journal::WorkflowEvent>(what).size(); }

  Client c;
};

TEST_F(BatchesTest, TerminatesWhatRuns) {
  for (const char* id : {"a", "b", "c"}) c.Start(id);
  EXPECT_TRUE(c.Complete(c.PollTask(), {CompleteWorkflow("1")}).ok());
  const std::size_t rpcs = c.sink.Of<journal::RpcEvent>().size();
  EXPECT_EQ(Start(Terminate("WorkflowType = 'Ping' AND WorkflowId != 'c'")).code, 0);
  EXPECT_EQ(c.sink.Of<journal::RpcEvent>().size(), rpcs + 2);  // the batch's own call alone
  const auto job = Describe().response;
  EXPECT_EQ(job.operation_type(), enums::BATCH_OPERATION_TYPE_TERMINATE_WORKFLOW);
  EXPECT_EQ(job.state(), enums::BATCH_OPERATION_STATE_COMPLETED);
  EXPECT_EQ(job.total_operation_count(), 1);
  EXPECT_EQ(job.complete_operation_count(), 1);
  EXPECT_EQ(job.failure_operation_count(), 0);
  EXPECT_EQ(job.identity(), "me");
  EXPECT_EQ(job.reason(), "why");
  EXPECT_TRUE(job.has_close_time());
  ASSERT_EQ(Journaled("terminated"), 1U);
  EXPECT_EQ(c.sink.Of<journal::WorkflowEvent>("terminated")[0].workflow_id, "b");
}

TEST_F(BatchesTest, ActsOnNamedExecutionsAndTakesTheMissingForDone) {
  c.Start("a");
  auto request = Request("");
  request.add_executions()->set_workflow_id("a");
  request.add_executions()->set_workflow_id("nope");
  request.mutable_cancellation_operation()->set_identity("me");
  EXPECT_EQ(Start(request).code, 0);
  const auto job = Describe().response;
  EXPECT_EQ(job.complete_operation_count(), 2);
  ASSERT_EQ(job.executions_size(), 2);
  EXPECT_EQ(job.executions(0).type(), enums::EXECUTION_TYPE_WORKFLOW);
  const auto task = c.PollTask();
  EXPECT_EQ(task.history().events(2).event_type(),
            enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED);
}

TEST_F(BatchesTest, DeletesClosedOnesToo) {
  c.Start("a");
  EXPECT_TRUE(c.Complete(c.PollTask(), {CompleteWorkflow("1")}).ok());
  auto request = Request("WorkflowId = 'a'");
  request.mutable_deletion_operation();
  EXPECT_EQ(Start(request).code, 0);
  EXPECT_EQ(Describe().response.complete_operation_count(), 1);
  ws::DescribeWorkflowExecutionRequest describe;
  describe.set_namespace_("default");
  describe.mutable_execution()->set_workflow_id("a");
  EXPECT_EQ(c.Call<ws::DescribeWorkflowExecutionResponse>("DescribeWorkflowExecution", describe)
                .status.code,
            5);
}

TEST_F(BatchesTest, KeepsAPaceAndCanBeStopped) {
  for (int i = 0; i < 30; ++i) c.Start("w" + std::to_string(i));
  EXPECT_EQ(Start(Signal("WorkflowType = 'Ping'")).code, 0);
  EXPECT_EQ(Describe().response.state(), enums::BATCH_OPERATION_STATE_RUNNING);
  EXPECT_EQ(Describe().response.total_operation_count(), 0);  // not reported yet
  const RpcStatus second = Start(Signal("WorkflowType = 'Ping'", "other"));
  EXPECT_EQ(second.code, 8);
  EXPECT_EQ(second.message, "Max concurrent batch operations is reached");
  c.Advance(milliseconds(20 * 19));
  EXPECT_EQ(Describe().response.state(), enums::BATCH_OPERATION_STATE_RUNNING);
  c.Advance(milliseconds(20));
  EXPECT_EQ(Describe().response.state(), enums::BATCH_OPERATION_STATE_COMPLETED);
  EXPECT_EQ(Describe().response.complete_operation_count(), 30);
  EXPECT_EQ(Stop().message, "workflow execution already completed");

  auto slow = Signal("WorkflowType = 'Ping'", "slow");
  slow.set_max_operations_per_second(1);
  EXPECT_EQ(Start(slow).code, 0);
  c.Advance(seconds(3));
  EXPECT_EQ(Describe("slow").response.total_operation_count(), 30);
  EXPECT_EQ(Describe("slow").response.complete_operation_count(), 13);
  EXPECT_EQ(Stop("slow").code, 0);
  EXPECT_EQ(Describe("slow").response.state(), enums::BATCH_OPERATION_STATE_FAILED);
  EXPECT_FALSE(c.engine.NextDeadline().has_value());
}

TEST_F(BatchesTest, FailsWithItsQueryNotWithItsStart) {
  EXPECT_EQ(Start(Terminate("Nope = 'x'")).code, 0);
  EXPECT_EQ(Describe().response.state(), enums::BATCH_OPERATION_STATE_FAILED);
}

TEST_F(BatchesTest, CountsWhatCannotBeDoneAsFailures) {
  c.Start("a");
  auto request = Request("WorkflowId = 'a'");
  request.mutable_update_activity_options_operation()->set_restore_original(true);
  EXPECT_EQ(Start(request).code, 0);
  EXPECT_EQ(Describe().response.state(), enums::BATCH_OPERATION_STATE_COMPLETED);
  EXPECT_EQ(Describe().response.failure_operation_count(), 1);
}

TEST_F(BatchesTest, ResetsToTheFirstWorkflowTask) {
  const std::string first = c.Start("a");
  EXPECT_TRUE(c.Complete(c.PollTask(), {}).ok());
  auto request = Request("WorkflowId = 'a'");
  request.mutable_reset_operation()->mutable_options()->mutable_first_workflow_task();
  EXPECT_EQ(Start(request).code, 0);
  EXPECT_EQ(Describe().response.complete_operation_count(), 1);
  EXPECT_EQ(Journaled("terminated"), 1U);
  const auto task = c.PollTask();
  EXPECT_NE(task.workflow_execution().run_id(), first);
  const auto& events = task.history().events();
  EXPECT_EQ(events.Get(3).event_type(), enums::EVENT_TYPE_WORKFLOW_TASK_FAILED);

  auto build = Request("WorkflowId = 'a'", "build");
  build.mutable_reset_operation()->mutable_options()->set_build_id("x");
  EXPECT_EQ(Start(build).code, 0);
  EXPECT_GE(Describe("build").response.failure_operation_count(), 1);
}

TEST_F(BatchesTest, ResetsToWhereABuildCameFirst) {
  const auto step = [&](const std::string& build, const std::vector<command::Command>& commands) {
    ws::RespondWorkflowTaskCompletedRequest request;
    request.set_task_token(c.PollTask().task_token());
    request.mutable_worker_version_stamp()->set_build_id(build);
    for (const auto& command : commands) *request.add_commands() = command;
    EXPECT_TRUE(
        c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", request)
            .ok());
  };
  const std::string first = c.Start("a");
  step("1", {});
  c.Signal("a", "s");
  step("2", {});
  c.Signal("a", "s");
  step("2", {ContinueAsNew()});
  c.Advance(seconds(1));  // the least distance of two runs
  step("3", {});
  const auto reset = [&](const std::string& build, const std::string& job, bool this_run = false) {
    auto request = Request("WorkflowId = 'a' AND ExecutionStatus = 'Running'", job);
    auto* options = request.mutable_reset_operation()->mutable_options();
    options->set_build_id(build);
    options->set_current_run_only(this_run);
    EXPECT_EQ(Start(request).code, 0);
    return Describe(job).response.complete_operation_count();
  };
  EXPECT_EQ(reset("9", "unknown"), 0);
  EXPECT_EQ(reset("2", "earlier", true), 0);
  EXPECT_EQ(reset("2", "job"), 1);
  const auto task = c.PollTask();
  ASSERT_GT(task.history().events_size(), 8);
  EXPECT_EQ(task.history().events(7).event_type(), enums::EVENT_TYPE_WORKFLOW_TASK_FAILED)
      << "in the place of the first completion by build 2";
  EXPECT_EQ(task.history().events(7).workflow_task_failed_event_attributes().base_run_id(), first);
}

TEST_F(BatchesTest, TakesAnyWorkflowForAJob) {
  c.Start("a");
  EXPECT_EQ(Describe("a").response.state(), enums::BATCH_OPERATION_STATE_RUNNING);
  EXPECT_TRUE(c.Complete(c.PollTask(), {FailWorkflow("x")}).ok());
  EXPECT_EQ(Describe("a").response.state(), enums::BATCH_OPERATION_STATE_FAILED);
  EXPECT_TRUE(Describe("a").response.has_close_time());
}

TEST_F(BatchesTest, Lists) {
  for (const char* job : {"a", "b", "c"}) {
    EXPECT_EQ(Start(Terminate("WorkflowId = 'x'", job)).code, 0);
    c.Advance(seconds(1));
  }
  ws::ListBatchOperationsRequest list;
  list.set_namespace_("default");
  list.set_page_size(2);
  auto page = c.Call<ws::ListBatchOperationsResponse>("ListBatchOperations", list).response;
  ASSERT_EQ(page.operation_info_size(), 2);
  EXPECT_EQ(page.operation_info(0).job_id(), "c");
  EXPECT_EQ(page.operation_info(0).operation_type(),
            enums::BATCH_OPERATION_TYPE_TERMINATE_WORKFLOW);
  list.set_next_page_token(page.next_page_token());
  page = c.Call<ws::ListBatchOperationsResponse>("ListBatchOperations", list).response;
  ASSERT_EQ(page.operation_info_size(), 1);
  EXPECT_EQ(page.operation_info(0).job_id(), "a");
}

TEST_F(BatchesTest, Refuses) {
  const std::string needed =
      "must provide required parameters: BatchType,Reason,Namespace, AND one of (Query OR "
      "Executions OR TargetExecutions)";
  const std::string filter = "Either activity type must be set, or match all should be set to true";
  using Change = std::function<void(ws::StartBatchOperationRequest&)>;
  const std::pair<Change, std::string> kCases[] = {
      {[](auto& r) { r.set_namespace_("nope"); }, "Namespace nope is not found."},
      {[](auto& r) { r.clear_operation(); }, needed},
      {[](auto& r) { r.clear_reason(); }, needed},
      {[](auto& r) { r.clear_visibility_query(); }, needed},
      {[](auto& r) { r.clear_job_id(); }, "JobId is not set on request."},
      {[](auto& r) { r.set_job_id(std::string(1001, 'j')); }, "WorkflowId exceeds length limit."},
      {[](auto& r) { r.add_executions(); },
       "visibility query, executions, and target executions are mutually exclusive"},
      {[](auto& r) { r.mutable_signal_operation(); }, "must provide signal name"},
      {[](auto& r) { r.mutable_reset_operation(); }, "unknown batch reset type Unspecified"},
      {[](auto& r) { r.mutable_reset_operation()->mutable_options(); },
       "batch reset missing target"},
      {[](auto& r) { r.mutable_update_workflow_options_operation(); },
       "must provide UpdateOptions"},
      {[](auto& r) { r.mutable_unpause_activities_operation(); }, "activity filter must be set"},
      {[](auto& r) { r.mutable_unpause_activities_operation()->set_type(""); }, filter},
      {[](auto& r) { r.mutable_reset_activities_operation(); },
       "must provide ActivityType or MatchAll"},
      {[](auto& r) { r.mutable_reset_activities_operation()->set_match_all(false); }, filter},
      {[](auto& r) { r.mutable_update_activity_options_operation(); },
       "Either activity type must be set, or restore original should be set to true"},
      {[](auto& r) {
         r.clear_visibility_query();
         r.add_target_executions()->set_type(enums::EXECUTION_TYPE_ACTIVITY);
       },
       "target_executions[0] has type Activity, but operation "
       "*workflowservice.StartBatchOperationRequest_TerminationOperation requires Workflow"}};
  for (const auto& [change, text] : kCases) {
    auto request = Terminate("WorkflowId = 'x'");
    change(request);
    EXPECT_EQ(Start(request).message, text);
  }
  EXPECT_EQ(Start(Terminate("WorkflowId = 'x'")).code, 0);
  EXPECT_EQ(Start(Terminate("WorkflowId = 'x'")).code, 6);
  EXPECT_THAT(Start(Terminate("WorkflowId = 'x'")).message,
              HasSubstr("Workflow execution already finished. WorkflowId: job, RunId: "));
  EXPECT_EQ(Describe("zz").status.message, "workflow not found for ID: zz");
  EXPECT_EQ(Describe("").status.message, "JobId is not set on request.");
  EXPECT_EQ(Stop("zz").code, 5);
  EXPECT_EQ(Stop("job", "").message, "Reason is not set on request.");
  EXPECT_EQ(Stop("").message, "JobId is not set on request.");
}

TEST(Clusters, AnswerAsTheDevServer) {
  Client c;
  const auto list =
      c.Call<op::ListClustersResponse>("ListClusters", op::ListClustersRequest(), kOperatorService);
  ASSERT_EQ(list.response.clusters_size(), 1);
  EXPECT_EQ(list.response.clusters(0).cluster_name(), "active");
  op::ListClustersRequest paged;
  paged.set_next_page_token("x");
  EXPECT_EQ(c.Call<op::ListClustersResponse>("ListClusters", paged, kOperatorService).status.code,
            13);
  op::AddOrUpdateRemoteClusterRequest add;
  const auto adding = [&] {
    return c
        .Call<op::AddOrUpdateRemoteClusterResponse>("AddOrUpdateRemoteCluster", add,
                                                    kOperatorService)
        .status;
  };
  EXPECT_EQ(adding().code, 14);
  add.set_frontend_address("127.0.0.1:1");
  EXPECT_THAT(adding().message, HasSubstr("dial tcp 127.0.0.1:1: connect: connection refused"));
  op::RemoveRemoteClusterRequest remove;
  const auto removing = [&] {
    return c.Call<op::RemoveRemoteClusterResponse>("RemoveRemoteCluster", remove, kOperatorService)
        .status.code;
  };
  EXPECT_EQ(removing(), 5);
  remove.set_cluster_name("active");
  EXPECT_EQ(removing(), 13);

  ws::ListArchivedWorkflowExecutionsRequest archived;
  archived.set_namespace_("default");
  EXPECT_EQ(
      c.Call<ws::ListArchivedWorkflowExecutionsResponse>("ListArchivedWorkflowExecutions", archived)
          .status.message,
      "Cluster is not configured for visibility archival.");
  ws::CreateWorkflowRuleRequest rule;
  rule.set_namespace_("default");
  const RpcStatus refused =
      c.Call<ws::CreateWorkflowRuleResponse>("CreateWorkflowRule", rule).status;
  EXPECT_EQ(refused.code, 12);
  EXPECT_EQ(refused.message, "method CreateWorkflowRule not supported");
  rule.set_namespace_("nope");
  EXPECT_EQ(c.Call<ws::CreateWorkflowRuleResponse>("CreateWorkflowRule", rule).status.code, 5);
  const auto keys = c.Call<ws::GetSearchAttributesResponse>("GetSearchAttributes",
                                                            ws::GetSearchAttributesRequest())
                        .response.keys();
  EXPECT_EQ(keys.size(), 61U);
  EXPECT_EQ(keys.at("Keyword10"), enums::INDEXED_VALUE_TYPE_KEYWORD);
}

}  // namespace
}  // namespace squall::fakes::engine
