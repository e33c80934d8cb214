// squall-worker and squall-host as processes against the fake server: workflows, graceful stops,
// exit codes, lines.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/connection.h"
#include "core/worker/payload.h"
#include "fakes/server/fake_server.h"
#include "harness/process/process.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/support/harness_loop.h"
#include "tests/support/status_matchers.h"

namespace squall::fakes {
namespace {

using harness::ChildProcess;
using harness::Intent;
using harness::ProcessExit;
using harness::Stream;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
namespace service = temporal::api::workflowservice::v1;

class SquallWorkerTest : public ::squall::testing::HarnessLoop {
 protected:
  struct Life {
    std::vector<nlohmann::json> lines;
    std::string err;
    std::optional<ProcessExit> exit;
    std::unique_ptr<ChildProcess> process;

    std::vector<std::string> Words() const {
      std::vector<std::string> words;
      for (const auto& line : lines) words.push_back(line.value("squall_event", "?"));
      return words;
    }
    std::ptrdiff_t Count(const std::string& word) const {
      const auto words = Words();
      return std::count(words.begin(), words.end(), word);
    }
  };

  void SetUp() override {
    auto server = FakeServer::Start(server_options_);
    ASSERT_OK(server);
    server_ = *std::move(server);
    auto runtime = core::Runtime::Create({});
    ASSERT_OK(runtime);
    core::ConnectionOptions options;
    options.target_url = "http://" + server_->address();
    std::optional<StatusOr<std::shared_ptr<core::Connection>>> connected;
    core::Connection::Connect(*runtime, options, executor_,
                              [&](auto connection) { connected = std::move(connection); });
    Await([&] { return connected.has_value(); }, "the client's connection");
    ASSERT_OK(*connected);
    client_ = **connected;
  }
  void TearDown() override { client_.reset(); }

  static std::string FromEnv(const char* name, const std::string& otherwise) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : otherwise;
  }

  // `program` is one of ours, or "worker.py" in the local virtual environment.
  std::unique_ptr<Life> Run(const std::string& program, std::vector<std::string> arguments,
                            std::map<std::string, std::optional<std::string>> environment = {}) {
    auto life = std::make_unique<Life>();
    Life& seen = *life;
    harness::ChildOptions options;
    options.name = program;
    if (program.ends_with(".py")) {
      options.argv = {Python(),
                      FromEnv("SQUALL_SOURCE_DIR", ".") + "/harness/subjects/python/" + program};
      environment.emplace("PYTHONDONTWRITEBYTECODE", "1");
    } else {
      options.argv = {FromEnv("SQUALL_BIN_DIR", "bin") + "/" + program};
    }
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    environment.emplace("TEMPORAL_ADDRESS", server_->address());
    environment.emplace("TEMPORAL_TASK_QUEUE", "queue");
    for (const char* name : {"TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_TLS"})
      environment.emplace(name, std::nullopt);
    for (auto& [name, value] : environment) options.environment[name] = value;
    options.on_line = [&seen](Stream stream, std::string_view line) {
      if (stream == Stream::kStderr) {
        seen.err += std::string(line) + "\n";
        return;
      }
      // The Python SDK's core logs to standard output, between the lines.
      auto json = nlohmann::json::parse(line, nullptr, false);
      if (json.is_object()) seen.lines.push_back(std::move(json));
    };
    options.on_exit = [&seen](const ProcessExit& exit) { seen.exit = exit; };
    life->process = std::make_unique<ChildProcess>(executor_, journal_, std::move(options));
    life->process->Start(nullptr);
    return life;
  }
  std::unique_ptr<Life> RunUntilPolling(const std::string& program,
                                        std::vector<std::string> arguments,
                                        std::ptrdiff_t workers = 1) {
    auto life = Run(program, std::move(arguments));
    Await([&] { return life->Count("polling") >= workers || life->exit.has_value(); }, "polling",
          20s);
    return life;
  }

  static std::string Python() { return FromEnv("SQUALL_VENV", ".venv") + "/bin/python"; }

  // Refuses one method from now on.
  void Refuse(const std::string& method, int code) {
    server_->WithEngine([&](Engine& engine, Moment) {
      engine.SetRpcHook([method, code](const RpcRequest& request) -> std::optional<RpcStatus> {
        if (request.method != method) return std::nullopt;
        return RpcStatus{code, "refused by the test", ""};
      });
    });
  }

  void StartWorkflow(const std::string& type, const std::string& id,
                     const std::string& input_json) {
    service::StartWorkflowExecutionRequest request;
    request.set_namespace_("default");
    request.set_workflow_id(id);
    request.mutable_workflow_type()->set_name(type);
    request.mutable_task_queue()->set_name("queue");
    request.set_request_id(id);
    *request.mutable_input()->add_payloads() = core::JsonPayload(input_json);
    std::optional<Status> started;
    client_->CallTyped<service::StartWorkflowExecutionResponse>(
        "StartWorkflowExecution", request,
        [&](const auto& response) { started = response.status(); });
    Await([&] { return started.has_value(); }, "the start of " + id);
    ASSERT_OK(*started);
  }

  // The result's JSON, or the type of the event that ended it.
  std::string Result(const std::string& id) {
    service::GetWorkflowExecutionHistoryRequest request;
    request.set_namespace_("default");
    request.mutable_execution()->set_workflow_id(id);
    request.set_wait_new_event(true);
    request.set_history_event_filter_type(
        temporal::api::enums::v1::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
    std::optional<StatusOr<service::GetWorkflowExecutionHistoryResponse>> answer;
    client_->CallTyped<service::GetWorkflowExecutionHistoryResponse>(
        "GetWorkflowExecutionHistory", request,
        [&](auto response) { answer = std::move(response); });
    Await([&] { return answer.has_value(); }, "the end of " + id, 30s);
    if (!answer || !answer->ok()) return "no answer";
    if ((*answer)->history().events().empty()) return "no event";
    const auto& last = *(*answer)->history().events().rbegin();
    if (last.has_workflow_execution_continued_as_new_event_attributes()) return Result(id);
    if (!last.has_workflow_execution_completed_event_attributes()) {
      return temporal::api::enums::v1::EventType_Name(last.event_type());
    }
    const auto& payloads = last.workflow_execution_completed_event_attributes().result().payloads();
    const StatusOr<std::string> json = payloads.empty() ? "null" : core::PayloadToJson(payloads[0]);
    return json.ok() ? *json : std::string(Message(json.status()));
  }

  void Stop(Life& life, int signal = SIGTERM) {
    EXPECT_OK(life.process->Signal(signal, Intent::kAsked));
    Await([&] { return life.exit.has_value(); }, "the exit", 30s);
  }

  FakeServerOptions server_options_;
  std::unique_ptr<FakeServer> server_;
  std::shared_ptr<core::Connection> client_;
};

TEST_F(SquallWorkerTest, RunsEveryBuiltInWorkflowAndStopsWhenAsked) {
  const auto life = RunUntilPolling("squall-worker", {"--grace", "5s"});
  const std::vector<std::array<std::string, 3>> cases = {{"Ping", R"({"a":1})", R"({"a":1})"},
                                                         {"Echo", "[1,2]", "[1,2]"},
                                                         {"Chain", "3", "3"},
                                                         {"Timer", "50", R"("done")"},
                                                         {"Slow", "0.3", R"("slow done")"},
                                                         {"Parent", "7", "7"},
                                                         {"Loop", "2", "2"}};
  for (const auto& [type, input, result] : cases) {
    StartWorkflow(type, "wf-" + type, input);
    EXPECT_EQ(Result("wf-" + type), result) << type;
  }
  Stop(*life);
  EXPECT_EQ(life->exit->code, 0) << life->err;
  const std::vector<std::string> words = life->Words();
  ASSERT_GE(words.size(), 6U);
  EXPECT_THAT(std::vector<std::string>(words.begin(), words.begin() + 4),
              ElementsAre("connecting", "connected", "started", "polling"));
  EXPECT_THAT(std::vector<std::string>(words.end() - 2, words.end()),
              ElementsAre("stopping", "stopped"));
  EXPECT_EQ(life->lines.back()["exit_code"], 0);
  // One effect of Echo, three of Chain, one of Slow.
  EXPECT_EQ(life->Count("effect"), 5);
}

TEST_F(SquallWorkerTest, ActivityInFlightEndsWithinTheGrace) {
  const auto life = RunUntilPolling("squall-worker", {"--grace", "10s"});
  StartWorkflow("Slow", "slow", "2");
  Await([&] { return life->Count("task") >= 2; }, "the activity's start");
  Stop(*life, SIGINT);
  EXPECT_EQ(life->exit->code, 0) << life->err;
  EXPECT_EQ(life->Count("effect"), 1);
  const auto next = RunUntilPolling("squall-worker", {});
  EXPECT_EQ(Result("slow"), R"("slow done")");
  EXPECT_EQ(next->Count("effect"), 0);
  Stop(*next);
}

TEST_F(SquallWorkerTest, ActivityInFlightIsTakenOverAfterTheGrace) {
  const auto life = RunUntilPolling("squall-worker", {"--grace", "100ms"});
  StartWorkflow("Slow", "slow", "3");
  Await([&] { return life->Count("task") >= 2; }, "the activity's start");
  Stop(*life);
  EXPECT_EQ(life->exit->code, 0) << life->err;
  EXPECT_EQ(life->Count("effect"), 0);
  const auto next = RunUntilPolling("squall-worker", {});
  EXPECT_EQ(Result("slow"), R"("slow done")");
  EXPECT_EQ(next->Count("effect"), 1);
  Stop(*next);
}

TEST_F(SquallWorkerTest, CannotStartIsThreeAndNamesTheCause) {
  const auto refused = Run("squall-worker", {}, {{"TEMPORAL_ADDRESS", "127.0.0.1:1"}});
  Await([&] { return refused->exit.has_value(); }, "the exit");
  EXPECT_EQ(refused->exit->code, 3);
  ASSERT_THAT(refused->Words(), ElementsAre("connecting", "fatal", "stopped"));
  EXPECT_THAT(refused->lines[1]["detail"], HasSubstr("Connection refused"));

  const auto missing = Run("squall-worker", {"--namespace", "nope"});
  Await([&] { return missing->exit.has_value(); }, "the exit");
  EXPECT_EQ(missing->exit->code, 3);
  EXPECT_THAT(missing->lines[2]["detail"], HasSubstr("Namespace nope"));
}

TEST_F(SquallWorkerTest, WrongConfigurationIsTwoBeforeAnythingConnects) {
  const auto life = Run("squall-worker", {}, {{"TEMPORAL_TASK_QUEUE", std::nullopt}});
  Await([&] { return life->exit.has_value(); }, "the exit");
  EXPECT_EQ(life->exit->code, 2);
  EXPECT_THAT(life->Words(), ElementsAre("fatal"));
  EXPECT_THAT(life->err, HasSubstr("TEMPORAL_TASK_QUEUE"));
  const auto flag = Run("squall-worker", {"--no-such-flag"});
  Await([&] { return flag->exit.has_value(); }, "the exit");
  EXPECT_EQ(flag->exit->code, 2);
}

TEST_F(SquallWorkerTest, SupervisingHostSurvivesTheServersRestart) {
  const auto life =
      RunUntilPolling("squall-host", {"--kind", "supervising", "--interval-scale", "0.02"}, 3);
  StartWorkflow("Ping", "before", "1");
  EXPECT_EQ(Result("before"), "1");
  ASSERT_OK(server_->Suspend());
  Await([&] { return (life->Count("unhealthy") > 0 && life->Count("retrying") > 2) || life->exit; },
        "the loss to be noticed", 30s);
  ASSERT_OK(server_->Resume(/*keep_data=*/true));
  Await([&] { return life->Count("polling") == 6; }, "three new workers", 30s);
  StartWorkflow("Ping", "after", "2");
  EXPECT_EQ(Result("after"), "2");
  EXPECT_EQ(life->exit, std::nullopt);
  Stop(*life);
  EXPECT_EQ(life->exit->code, 0) << life->err;
}

TEST_F(SquallWorkerTest, CancellingHostLeavesAfterItsFirstWorkflow) {
  const auto life = RunUntilPolling("squall-host", {"--kind", "cancelling", "--exit-code", "0"});
  StartWorkflow("Ping", "first", "1");
  EXPECT_EQ(Result("first"), "1");
  Await([&] { return life->exit.has_value(); }, "the exit", 20s);
  EXPECT_EQ(life->exit->code, 0);
  EXPECT_EQ(life->lines[life->lines.size() - 2]["detail"], "Worker cancelled, shutting down");
}

TEST_F(SquallWorkerTest, SharedClientTakesTheWorkerDownAndAnOwnOneDoesNot) {
  const auto broken = Run("squall-host", {"--kind", "shared-client", "--exit-code", "1"});
  Await([&] { return broken->exit.has_value(); }, "the exit", 20s);
  EXPECT_EQ(broken->exit->code, 1);

  const auto fixed = Run("squall-host", {"--kind", "shared-client", "--own-client"});
  Await([&] { return fixed->Count("healthy") == 1 || fixed->exit.has_value(); }, "the client's end",
        20s);
  StartWorkflow("Ping", "after", "5");
  EXPECT_EQ(Result("after"), "5");
  Stop(*fixed);
  EXPECT_EQ(fixed->exit->code, 0);
}

TEST_F(SquallWorkerTest, ASecondSignalEndsItAtOnce) {
  const auto life = RunUntilPolling("squall-worker", {"--grace", "60s"});
  StartWorkflow("Slow", "slow", "60");
  Await([&] { return life->Count("task") >= 2; }, "the activity's start");
  ASSERT_OK(life->process->Signal(SIGTERM, Intent::kAsked));
  Await([&] { return life->Count("stopping") == 1; }, "stopping");
  // Signals closer together than 200 ms are one.
  bool later = false;
  executor_.After(500ms, [&] { later = true; });
  Await([&] { return later; }, "half a second");
  EXPECT_EQ(life->exit, std::nullopt);
  Stop(*life, SIGTERM);
  EXPECT_EQ(life->exit->code, 1);
  EXPECT_THAT(life->lines.back()["detail"], HasSubstr("second signal"));
}

// X5: a server that promises to answer held polls at ShutdownWorker, and refuses that call: core
// waits for the polls. The process must not.
class HangingShutdownTest : public SquallWorkerTest {
 protected:
  HangingShutdownTest() { server_options_.engine.complete_polls_on_shutdown = true; }
};

TEST_F(HangingShutdownTest, IsLeftAfterItsLimit) {
  const auto life =
      RunUntilPolling("squall-worker", {"--grace", "0s", "--shutdown-limit", "1500ms"});
  StartWorkflow("Ping", "one", "1");
  EXPECT_EQ(Result("one"), "1");
  Refuse("ShutdownWorker", 14);
  Stop(*life);
  EXPECT_EQ(life->exit->code, 1) << life->err;
  EXPECT_EQ(life->lines.back()["detail"], "shutdown did not end");
}

TEST_F(HangingShutdownTest, EndsWhenTheServerKeepsItsPromise) {
  const auto life = RunUntilPolling("squall-worker", {"--grace", "0s"});
  // Polls of both kinds have reached the server: one that arrives after ShutdownWorker is held for
  // its full minute, and core waits for it.
  StartWorkflow("Echo", "one", "1");
  EXPECT_EQ(Result("one"), "1");
  Stop(*life);
  EXPECT_EQ(life->exit->code, 0) << life->err;
}

class PythonWorkerTest : public SquallWorkerTest {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(Python()))
      GTEST_SKIP() << "no " << Python() << " (make run sets it up)";
    SquallWorkerTest::SetUp();
  }
};

TEST_F(PythonWorkerTest, RunsTheSameWorkflowsWithTheSameResults) {
  const auto life = RunUntilPolling("worker.py", {"--grace", "5s"});
  const std::vector<std::array<std::string, 3>> cases = {{"Ping", R"({"a":1})", R"({"a":1})"},
                                                         {"Echo", "[1,2]", "[1,2]"},
                                                         {"Chain", "3", "3"},
                                                         {"Timer", "50", R"("done")"},
                                                         {"Slow", "0.3", R"("slow done")"},
                                                         {"Parent", "7", "7"},
                                                         {"Loop", "2", "2"}};
  for (const auto& [type, input, result] : cases) {
    StartWorkflow(type, "wf-" + type, input);
    EXPECT_EQ(Result("wf-" + type), result) << type << life->err;
  }
  EXPECT_EQ(life->Count("effect"), 5);
  Stop(*life);
  EXPECT_EQ(life->exit->code, 0) << life->err;
  EXPECT_EQ(life->Words().back(), "stopped");
}

TEST_F(PythonWorkerTest, GraceLetsTheActivityEnd) {
  const auto life = RunUntilPolling("worker.py", {"--grace", "10s"});
  StartWorkflow("Slow", "slow", "2");
  Await([&] { return life->Count("task") >= 2; }, "the activity's start");
  Stop(*life, SIGINT);
  EXPECT_EQ(life->exit->code, 0) << life->err;
  EXPECT_EQ(life->Count("effect"), 1);
}

TEST_F(PythonWorkerTest, MakesTheAccountsMistakes) {
  const auto first = Run("worker.py", {"--broken", "exit-at-start"});
  Await([&] { return first->exit.has_value(); }, "the exit", 30s);
  EXPECT_EQ(first->exit->code, 1);

  const auto second = RunUntilPolling("worker.py", {"--broken", "cancel-after-first"});
  StartWorkflow("Ping", "one", "1");
  EXPECT_EQ(Result("one"), "1");
  Await([&] { return second->exit.has_value(); }, "the exit", 30s);
  EXPECT_EQ(second->exit->code, 0);

  const auto third = RunUntilPolling("worker.py", {"--broken", "no-signal-handler"});
  Stop(*third);
  EXPECT_EQ(third->exit->signal, SIGTERM);
  EXPECT_EQ(third->Count("stopping"), 0);

  const auto refused = Run("worker.py", {}, {{"TEMPORAL_ADDRESS", "127.0.0.1:1"}});
  Await([&] { return refused->exit.has_value(); }, "the exit", 30s);
  EXPECT_EQ(refused->exit->code, 3);
  EXPECT_THAT(refused->Words(), ElementsAre("connecting", "fatal", "stopped"));
}

}  // namespace
}  // namespace squall::fakes
