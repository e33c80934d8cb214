// The older worker versioning by sets of build ids; and commands to workers.

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::ElementsAre;
using BuildIdUpdate = ws::UpdateWorkerBuildIdCompatibilityRequest;

class BuildIdsTest : public ::testing::Test {
 protected:
  RpcStatus Send(BuildIdUpdate request) {
    request.set_namespace_("default");
    request.set_task_queue("q");
    return c
        .Call<ws::UpdateWorkerBuildIdCompatibilityResponse>("UpdateWorkerBuildIdCompatibility",
                                                            request)
        .status;
  }
  RpcStatus NewSet(const std::string& build) {
    BuildIdUpdate request;
    request.set_add_new_build_id_in_new_default_set(build);
    return Send(request);
  }
  RpcStatus Add(const std::string& build, const std::string& existing) {
    BuildIdUpdate request;
    request.mutable_add_new_compatible_build_id()->set_new_build_id(build);
    request.mutable_add_new_compatible_build_id()->set_existing_compatible_build_id(existing);
    return Send(request);
  }
  // Sets as "a,b", in order.
  std::vector<std::string> Sets() {
    ws::GetWorkerBuildIdCompatibilityRequest request;
    request.set_namespace_("default");
    request.set_task_queue("q");
    const auto response =
        c.Call<ws::GetWorkerBuildIdCompatibilityResponse>("GetWorkerBuildIdCompatibility", request)
            .response;
    std::vector<std::string> sets;
    for (const auto& set : response.major_version_sets()) {
      std::string text;
      for (const auto& build : set.build_ids()) text += (text.empty() ? "" : ",") + build;
      sets.push_back(text);
    }
    return sets;
  }
  std::uint64_t Poll(const std::string& build) {
    ws::PollWorkflowTaskQueueRequest request;
    request.set_namespace_("default");
    request.mutable_task_queue()->set_name("q");
    request.set_identity("w" + build);
    request.mutable_worker_version_capabilities()->set_build_id(build);
    request.mutable_worker_version_capabilities()->set_use_versioning(true);
    return c.Send("PollWorkflowTaskQueue", request, seconds(70));
  }

  Client c;
};

TEST_F(BuildIdsTest, KeepsSetsInOrder) {
  EXPECT_EQ(NewSet("1").message, "");
  EXPECT_EQ(NewSet("1").message, "");
  EXPECT_EQ(Add("1.1", "1").message, "");
  EXPECT_EQ(NewSet("2").message, "");
  EXPECT_THAT(Sets(), ElementsAre("1,1.1", "2"));
  BuildIdUpdate promote;
  promote.set_promote_set_by_build_id("1");
  EXPECT_EQ(Send(promote).message, "");
  promote.set_promote_build_id_within_set("1");
  EXPECT_EQ(Send(promote).message, "");
  EXPECT_THAT(Sets(), ElementsAre("2", "1.1,1"));
  BuildIdUpdate merge;
  merge.mutable_merge_sets()->set_primary_set_build_id("2");
  merge.mutable_merge_sets()->set_secondary_set_build_id("1");
  EXPECT_EQ(Send(merge).message, "");
  EXPECT_THAT(Sets(), ElementsAre("1.1,1,2"));
}

TEST_F(BuildIdsTest, RefusesWhatMakesNoSense) {
  EXPECT_EQ(Send({}).message,
            "request to update worker build ID compatability requires: , an operation to be "
            "specified");
  EXPECT_EQ(Add("2", "1").message, "targeted compatible_version 1 not found");
  NewSet("1");
  NewSet("2");
  EXPECT_EQ(NewSet("1").message, "version 1 already exists");
  EXPECT_EQ(Add("2", "1").message,
            "2 requested to be made compatible with 1 but both versions exist and are "
            "incompatible");
  BuildIdUpdate request;
  request.set_promote_set_by_build_id("9");
  EXPECT_EQ(Send(request).message, "targeted version 9 not found");
  const auto rules = c.Call<ws::GetWorkerVersioningRulesResponse>(
      "GetWorkerVersioningRules", ws::GetWorkerVersioningRulesRequest());
  EXPECT_EQ(rules.status.code, 7);
}

TEST_F(BuildIdsTest, RoutesWorkflowsBySet) {
  NewSet("1");
  const auto plain = c.SendWorkflowPoll(), one = Poll("1");
  c.Start("old");
  EXPECT_FALSE(c.Answered(plain));
  const auto task = c.Take<ws::PollWorkflowTaskQueueResponse>(one).response;
  ws::RespondWorkflowTaskCompletedRequest request;
  request.set_task_token(task.task_token());
  request.mutable_worker_version_stamp()->set_build_id("1");
  request.mutable_worker_version_stamp()->set_use_versioning(true);
  EXPECT_TRUE(
      c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", request)
          .ok());
  const auto info = c.Describe("old").workflow_execution_info();
  EXPECT_EQ(info.most_recent_worker_version_stamp().build_id(), "1");
  EXPECT_EQ(info.search_attributes().indexed_fields().at("BuildIds").data(), "[\"versioned:1\"]");
  NewSet("2");
  const auto two = Poll("2");
  c.Signal("old", "s");
  c.Start("new");
  EXPECT_TRUE(c.Answered(two));
  EXPECT_EQ(
      c.Take<ws::PollWorkflowTaskQueueResponse>(two).response.workflow_execution().workflow_id(),
      "new");
  const auto again = Poll("1");
  EXPECT_TRUE(c.Answered(again));
  Add("1.1", "1");
  const auto replaced = c.Take<ws::PollWorkflowTaskQueueResponse>(Poll("1"));
  EXPECT_EQ(replaced.status.code, 11);
  EXPECT_EQ(replaced.status.message, "Task queue has a newer compatible build: \"1.1\"");
}

TEST_F(BuildIdsTest, TellsWhatReachesABuild) {
  const auto reachability = [&](const std::vector<std::string>& builds) {
    ws::DescribeTaskQueueRequest request;
    request.set_namespace_("default");
    request.mutable_task_queue()->set_name("q");
    request.set_api_mode(enums::DESCRIBE_TASK_QUEUE_MODE_ENHANCED);
    request.set_report_task_reachability(true);
    for (const std::string& build : builds) request.mutable_versions()->add_build_ids(build);
    return c.Call<ws::DescribeTaskQueueResponse>("DescribeTaskQueue", request);
  };
  const auto of = [&](const std::string& build) {
    return reachability({build}).response.versions_info().at(build).task_reachability();
  };
  EXPECT_EQ(reachability({"1", "2", "3", "4", "5", "6"}).status.message,
            "Too many build ids queried at once with ReportTaskReachability==true, limit: 5");
  NewSet("1");
  c.Start("wf");
  const auto task = c.Take<ws::PollWorkflowTaskQueueResponse>(Poll("1")).response;
  EXPECT_EQ(of("1"), enums::BUILD_ID_TASK_REACHABILITY_UNREACHABLE) << "sets are not looked at";
  EXPECT_EQ(of(""), enums::BUILD_ID_TASK_REACHABILITY_REACHABLE);
  ws::RespondWorkflowTaskCompletedRequest request;
  request.set_task_token(task.task_token());
  request.mutable_worker_version_stamp()->set_build_id("1");
  request.mutable_worker_version_stamp()->set_use_versioning(true);
  *request.add_commands() = CompleteWorkflow();
  EXPECT_TRUE(
      c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", request)
          .ok());
  EXPECT_EQ(of("1"), enums::BUILD_ID_TASK_REACHABILITY_UNREACHABLE) << "remembered";
  c.Advance(minutes(10));
  EXPECT_EQ(of("1"), enums::BUILD_ID_TASK_REACHABILITY_CLOSED_WORKFLOWS_ONLY);
  EXPECT_EQ(of("2"), enums::BUILD_ID_TASK_REACHABILITY_UNREACHABLE);
}

TEST(WorkerCommands, TellTheWorkerThatItsActivityIsCancelled) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("a")});
  ws::PollActivityTaskQueueRequest poll;
  poll.set_namespace_("default");
  poll.mutable_task_queue()->set_name("q");
  poll.set_worker_control_task_queue("control");
  const auto activity =
      c.Call<ws::PollActivityTaskQueueResponse>("PollActivityTaskQueue", poll).response;
  ws::PollNexusTaskQueueRequest control;
  control.set_namespace_("default");
  control.mutable_task_queue()->set_name("control");
  control.mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_WORKER_COMMANDS);
  const auto held = c.Send("PollNexusTaskQueue", control, seconds(70));
  c.Signal("wf", "s");
  c.Step({CancelActivity(5)});
  const auto task = c.Take<ws::PollNexusTaskQueueResponse>(held).response;
  const auto& start = task.request().start_operation();
  EXPECT_EQ(start.service(), "temporal.api.nexusservices.workerservice.v1.WorkerService");
  EXPECT_EQ(start.operation(), "ExecuteCommands");
  // The one field of ExecuteCommandsRequest: a WorkerCommand.
  const std::string& data = start.payload().data();
  std::size_t at = 1;  // behind its tag and its length
  while (at < data.size() && (static_cast<unsigned char>(data[at]) & 0x80) != 0) ++at;
  workerpb::WorkerCommand command;
  ASSERT_LT(at, data.size());
  ASSERT_TRUE(command.ParseFromString(data.substr(at + 1)));
  EXPECT_EQ(command.cancel_activity().task_token(), activity.task_token());
  ws::RespondNexusTaskCompletedRequest done;
  done.set_namespace_("default");
  done.set_task_token(task.task_token());
  done.mutable_response()->mutable_start_operation()->mutable_sync_success();
  EXPECT_EQ(c.Call<ws::RespondNexusTaskCompletedResponse>("RespondNexusTaskCompleted", done)
                .status.message,
            "");
}

TEST(WorkerCommands, GiveUpOnWorkersThatAreGone) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("a")});
  ws::PollActivityTaskQueueRequest poll;
  poll.set_namespace_("default");
  poll.mutable_task_queue()->set_name("q");
  poll.set_worker_control_task_queue("control");
  c.Call<ws::PollActivityTaskQueueResponse>("PollActivityTaskQueue", poll);
  ws::TerminateWorkflowExecutionRequest end;
  end.set_namespace_("default");
  end.mutable_workflow_execution()->set_workflow_id("wf");
  EXPECT_TRUE(
      c.Call<ws::TerminateWorkflowExecutionResponse>("TerminateWorkflowExecution", end).ok());
  ASSERT_TRUE(c.engine.NextDeadline());
  EXPECT_LE(*c.engine.NextDeadline(), c.now().steady + minutes(1));
  c.Advance(minutes(1));
  // Nothing is left to wait for but the end of the retention of the closed run.
  ASSERT_TRUE(c.engine.NextDeadline());
  EXPECT_GT(*c.engine.NextDeadline(), c.now().steady + hours(1));
}

}  // namespace
}  // namespace squall::fakes::engine
