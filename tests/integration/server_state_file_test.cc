// squall-server with a state file, killed in the middle of work.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <map>

#include "fakes/engine/engine.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/support/server_program.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/fakes/server/socket_client.h"

namespace squall::fakes {
namespace {

namespace ws = temporal::api::workflowservice::v1;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kService(kWorkflowService);

class ServerStateFileTest : public ::squall::testing::ServerProgramTest {
 protected:
  static std::string StartRequest(const std::string& id, const std::string& queue) {
    ws::StartWorkflowExecutionRequest request;
    request.set_namespace_("default");
    request.set_workflow_id(id);
    request.set_request_id(id);
    request.mutable_workflow_type()->set_name("Ping");
    request.mutable_task_queue()->set_name(queue);
    return request.SerializeAsString();
  }
  template <typename Response>
  static Response Parse(const wire::GrpcResponse& answer) {
    EXPECT_EQ(answer.status.code, 0) << answer.status.message;
    Response response;
    EXPECT_TRUE(response.ParseFromString(answer.message));
    return response;
  }
  static ws::DescribeWorkflowExecutionResponse Describe(SocketClient& client,
                                                        const std::string& id) {
    ws::DescribeWorkflowExecutionRequest request;
    request.set_namespace_("default");
    request.mutable_execution()->set_workflow_id(id);
    return Parse<ws::DescribeWorkflowExecutionResponse>(
        client.Call(kService, "DescribeWorkflowExecution", request.SerializeAsString()));
  }

  // Starts a workflow and completes it, as a worker does; its run id.
  static std::string RunWorkflow(SocketClient& client, const std::string& id) {
    client.Call(kService, "StartWorkflowExecution", StartRequest(id, "worked"));
    ws::PollWorkflowTaskQueueRequest poll;
    poll.set_namespace_("default");
    poll.mutable_task_queue()->set_name("worked");
    const auto task = Parse<ws::PollWorkflowTaskQueueResponse>(
        client.Call(kService, "PollWorkflowTaskQueue", poll.SerializeAsString()));
    ws::RespondWorkflowTaskCompletedRequest done;
    done.set_namespace_("default");
    done.set_task_token(task.task_token());
    auto* command = done.add_commands();
    command->set_command_type(temporal::api::enums::v1::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);
    command->mutable_complete_workflow_execution_command_attributes();
    Parse<ws::RespondWorkflowTaskCompletedResponse>(
        client.Call(kService, "RespondWorkflowTaskCompleted", done.SerializeAsString()));
    return task.workflow_execution().run_id();
  }

  ::squall::testing::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/state";
};

TEST_F(ServerStateFileTest, NothingThatWasAnsweredIsLostByAKill) {
  constexpr int kCalls = 200;
  std::map<std::string, std::string> run_ids;  // of all answered starts
  std::vector<std::string> completed;
  for (int life = 0; life < 3; ++life) {
    const auto server = Run({"--state-file", path_});
    ASSERT_FALSE(server->ready.is_null()) << ::testing::PrintToString(server->err);
    SocketClient client(server->port());
    // All of before is there.
    for (const auto& [id, run_id] : run_ids) {
      ASSERT_EQ(Describe(client, id).workflow_execution_info().execution().run_id(), run_id);
    }
    for (const std::string& id : completed) {
      ASSERT_EQ(Describe(client, id).workflow_execution_info().status(),
                temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_COMPLETED);
    }
    for (int i = 0; i < 5; ++i) {
      completed.push_back(fmt::format("done-{}-{}", life, i));
      run_ids[completed.back()] = RunWorkflow(client, completed.back());
    }
    // Killed while answers are on their way.
    std::map<std::string, std::shared_ptr<SocketClient::Result>> results;
    for (int i = 0; i < kCalls; ++i) {
      const std::string id = fmt::format("wf-{}-{}", life, i);
      results[id] = client.Begin(kService, "StartWorkflowExecution", StartRequest(id, "q"));
    }
    const auto answered = [&results] {
      return std::count_if(results.begin(), results.end(),
                           [](const auto& entry) { return entry.second->done; });
    };
    ASSERT_TRUE(client.Until([&] { return answered() >= 20; }));
    Stop(*server, SIGKILL);
    client.Until([&] { return client.ended(); });
    for (const auto& [id, result] : results) {
      if (!result->done || result->response.status.code != 0) continue;
      run_ids[id] = Parse<ws::StartWorkflowExecutionResponse>(result->response).run_id();
    }
    EXPECT_GE(run_ids.size(), 20u);
  }
  const auto server = Run({"--state-file", path_});
  SocketClient client(server->port());
  for (const auto& [id, run_id] : run_ids) {
    ASSERT_EQ(Describe(client, id).workflow_execution_info().execution().run_id(), run_id);
  }
  EXPECT_THAT(server->err, IsEmpty());
  Stop(*server, SIGTERM);
  EXPECT_EQ(server->exit->code, 0);
}

TEST_F(ServerStateFileTest, AServerRestartedEmptyKnowsNothing) {
  auto server = Run({"--state-file", path_});
  SocketClient client(server->port());
  EXPECT_EQ(client.Call(kService, "StartWorkflowExecution", StartRequest("wf", "q")).status.code,
            0);
  Stop(*server, SIGTERM);
  server = Run({"--state-file", path_, "--state-file-reset"});
  SocketClient again(server->port());
  ws::DescribeWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id("wf");
  EXPECT_EQ(
      again.Call(kService, "DescribeWorkflowExecution", request.SerializeAsString()).status.code,
      5);
}

TEST_F(ServerStateFileTest, ATornFileIsOneClearLineAndMendedWhenAsked) {
  auto server = Run({"--state-file", path_});
  SocketClient client(server->port());
  client.Call(kService, "StartWorkflowExecution", StartRequest("wf", "q"));
  client.Call(kService, "StartWorkflowExecution", StartRequest("torn", "q"));
  Stop(*server, SIGKILL);
  // The last input is the start: a killed server records no cancelled calls.
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  server = Run({"--state-file", path_});
  ASSERT_TRUE(server->exit.has_value());
  EXPECT_EQ(server->exit->code, 3);
  ASSERT_THAT(server->err, SizeIs(1));
  EXPECT_THAT(server->err[0], AllOf(HasSubstr(path_), HasSubstr("at offset "), HasSubstr("torn")));

  server = Run({"--state-file", path_, "--state-file-repair"});
  ASSERT_FALSE(server->ready.is_null());
  // On another pipe than the ready line.
  Await([&] { return !server->err.empty(); }, "what was mended");
  ASSERT_THAT(server->err, SizeIs(1));
  EXPECT_THAT(server->err[0], HasSubstr("cut off a torn record"));
  SocketClient mended(server->port());
  EXPECT_EQ(Describe(mended, "wf").workflow_execution_info().execution().workflow_id(), "wf");
}

TEST_F(ServerStateFileTest, AFileInUseIsExitThree) {
  const auto first = Run({"--state-file", path_});
  const auto second = Run({"--state-file", path_});
  ASSERT_TRUE(second->exit.has_value());
  EXPECT_EQ(second->exit->code, 3);
  ASSERT_THAT(second->err, SizeIs(1));
  EXPECT_THAT(second->err[0], HasSubstr("another server uses it"));
  EXPECT_FALSE(first->exit.has_value());
}

TEST_F(ServerStateFileTest, OptionsOfAFileNeedOne) {
  for (const char* option : {"--state-file-reset", "--state-file-repair"}) {
    const auto server = Run({option});
    ASSERT_TRUE(server->exit.has_value());
    EXPECT_EQ(server->exit->code, 2);
    EXPECT_THAT(server->err, SizeIs(1));
  }
}

}  // namespace
}  // namespace squall::fakes
