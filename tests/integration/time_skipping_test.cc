// A server whose time skips, with a worker on the production core.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "fakes/server/fake_server.h"
#include "harness/process/process.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/support/harness_loop.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/fakes/server/socket_client.h"

namespace squall::fakes {
namespace {

namespace ws = temporal::api::workflowservice::v1;
using harness::ChildProcess;
using harness::Intent;
using harness::ProcessExit;
using harness::Stream;
using namespace std::chrono_literals;

constexpr Duration kYear = 365 * 24h;

class TimeSkippingTest : public ::squall::testing::HarnessLoop {};

TEST_F(TimeSkippingTest, AWorkflowWithATimerOfAYearIsOverAtOnce) {
  FakeServerOptions options;
  options.time = TimeMode::kSkipping;
  options.journal = &journal_;
  auto server = FakeServer::Start(std::move(options));
  ASSERT_OK(server);
  const WallTime before = (*server)->Now().wall;

  const char* folder = std::getenv("SQUALL_BIN_DIR");
  bool polling = false;
  std::optional<ProcessExit> exit;
  harness::ChildOptions worker;
  worker.name = "worker";
  worker.argv = {std::string(folder != nullptr ? folder : "bin") + "/squall-worker"};
  worker.environment["TEMPORAL_ADDRESS"] = (*server)->address();
  worker.environment["TEMPORAL_TASK_QUEUE"] = "queue";
  worker.on_line = [&](Stream stream, std::string_view line) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (stream == Stream::kStdout && json.is_object()) {
      polling = polling || json.value("squall_event", "") == "polling";
    }
  };
  worker.on_exit = [&](const ProcessExit& ended) { exit = ended; };
  ChildProcess process(executor_, journal_, std::move(worker));
  process.Start(nullptr);
  Await([&] { return polling || exit.has_value(); }, "polling", 20s);
  ASSERT_FALSE(exit.has_value());

  const std::string kService(kWorkflowService);
  SocketClient client((*server)->port());
  ws::StartWorkflowExecutionRequest start;
  start.set_namespace_("default");
  start.set_workflow_id("year");
  start.set_request_id("year");
  start.mutable_workflow_type()->set_name("Timer");
  start.mutable_task_queue()->set_name("queue");
  auto* input = start.mutable_input()->add_payloads();
  (*input->mutable_metadata())["encoding"] = "json/plain";
  input->set_data(
      fmt::format("{}", std::chrono::duration_cast<std::chrono::milliseconds>(kYear).count()));
  const SteadyTime started = clock_.Now();
  ASSERT_EQ(client.Call(kService, "StartWorkflowExecution", start.SerializeAsString()).status.code,
            0);
  // The wait for the end is a long poll, which comes back empty when time skips past it.
  ws::GetWorkflowExecutionHistoryRequest wait;
  wait.set_namespace_("default");
  wait.mutable_execution()->set_workflow_id("year");
  wait.set_wait_new_event(true);
  wait.set_history_event_filter_type(
      temporal::api::enums::v1::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
  ws::GetWorkflowExecutionHistoryResponse history;
  int waits = 0;
  do {
    const auto answer =
        client.Call(kService, "GetWorkflowExecutionHistory", wait.SerializeAsString());
    ASSERT_EQ(answer.status.code, 0) << answer.status.message;
    ASSERT_TRUE(history.ParseFromString(answer.message));
    wait.set_next_page_token(history.next_page_token());
  } while (history.history().events().empty() && ++waits < 10);
  const Duration took = clock_.Now() - started;
  ASSERT_EQ(history.history().events_size(), 1);
  const auto& event = history.history().events(0);
  EXPECT_TRUE(event.has_workflow_execution_completed_event_attributes()) << JournalText();
  const WallTime ended{std::chrono::seconds(event.event_time().seconds())};
  EXPECT_GE(ended, std::chrono::floor<std::chrono::seconds>(before) + kYear);
  EXPECT_LT(took, Scaled(5s));
  RecordProperty("milliseconds", static_cast<int>(took / 1ms));

  ASSERT_OK(process.Signal(SIGTERM, Intent::kAsked));
  Await([&] { return exit.has_value(); }, "the worker's exit", 20s);
  EXPECT_EQ(exit->code, 0);
}

}  // namespace
}  // namespace squall::fakes
