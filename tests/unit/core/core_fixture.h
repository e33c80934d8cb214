#pragma once
// A core runtime, an executor on the test's own thread, and a scripted server that answers core's RPCs in process.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "base/util/executor.h"
#include "core/connection.h"
#include "core/runtime.h"
#include "core/worker.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/support/status_matchers.h"

namespace squall::core {

// Answers by method; a method without an answer gets an empty response. Counts every RPC. Test thread only.
class ScriptedServer {
 public:
  using Answer = std::function<void(const RpcRequestView&, RpcReply)>;

  RpcHandler handler() {
    return [this](const RpcRequestView& request, RpcReply reply) {
      const std::string method(request.method);
      ++calls_[method];
      const auto answer = answers_.find(method);
      if (answer == answers_.end()) {
        reply.Succeed("");
      } else {
        const Answer current = answer->second;  // it may set another
        current(request, std::move(reply));
      }
    };
  }

  void On(const std::string& method, Answer answer) { answers_[method] = std::move(answer); }
  // Keeps every call of `method` open until Release.
  void Hold(const std::string& method) {
    On(method, [this, method](const RpcRequestView&, RpcReply reply) { held_[method].push_back(std::move(reply)); });
  }
  void Release(const std::string& method) {
    for (const RpcReply& reply : std::exchange(held_[method], {})) reply.Succeed("");
  }
  std::size_t held(const std::string& method) const {
    const auto found = held_.find(method);
    return found == held_.end() ? 0 : found->second.size();
  }
  int calls(const std::string& method) const {
    const auto found = calls_.find(method);
    return found == calls_.end() ? 0 : found->second;
  }

 private:
  std::map<std::string, Answer> answers_;
  std::map<std::string, int> calls_;
  std::map<std::string, std::vector<RpcReply>> held_;
};

class CoreTest : public ::testing::Test {
 protected:
  void SetUp() override { StartRuntime({}); }

  // Logs are kept; other options as given.
  void StartRuntime(RuntimeOptions options) {
    options.worker_threads = 2;
    options.on_log = [this](const LogRecord& record) {
      const std::lock_guard lock(log_mutex_);
      logs_.push_back(record);
    };
    auto runtime = Runtime::Create(std::move(options));
    ASSERT_OK(runtime);
    runtime_ = *runtime;
  }

  std::vector<LogRecord> logs() {
    const std::lock_guard lock(log_mutex_);
    return logs_;
  }

  // Runs the executor until `done`, at most ten (scaled) seconds.
  ::testing::AssertionResult RunUntil(const std::function<bool()>& done) {
    const SteadyTime deadline = real_.Now() + Scaled(std::chrono::seconds(10));
    for (;;) {
      executor_.RunReady();
      if (done()) return ::testing::AssertionSuccess();
      const Duration left = deadline - real_.Now();
      if (left <= Duration::zero()) return ::testing::AssertionFailure() << "not within ten seconds";
      executor_.WaitForPost(std::min<Duration>(left, std::chrono::milliseconds(50)));
    }
  }

  StatusOr<std::shared_ptr<Connection>> Connect(ConnectionOptions options) {
    std::optional<StatusOr<std::shared_ptr<Connection>>> result;
    Connection::Connect(runtime_, std::move(options), executor_,
                        [&](StatusOr<std::shared_ptr<Connection>> given) { result = std::move(given); });
    if (!RunUntil([&] { return result.has_value(); })) return Status(StatusCode::kDeadlineExceeded, "no connect result");
    return *result;
  }

  // To the scripted server, in process.
  ConnectionOptions InProcess() {
    ConnectionOptions options;
    options.target_url = "http://in-process:7233";
    options.identity = "test";
    options.rpc_handler = server_.handler();
    return options;
  }

  StatusOr<std::string> Call(Connection& connection, const RpcCall& call) {
    std::optional<StatusOr<std::string>> result;
    connection.Call(call, [&](StatusOr<std::string> given) { result = std::move(given); });
    if (!RunUntil([&] { return result.has_value(); })) return Status(StatusCode::kDeadlineExceeded, "no RPC result");
    return *result;
  }

  // The end of a replay worker as an SDK does it. `ended`: its polls have ended with shutdown; else they are made here.
  void FinishReplay(Worker& worker, bool ended = false) {
    ASSERT_OK(worker.CloseHistories());
    worker.InitiateShutdown();
    std::function<void()> poll = [&] {
      worker.PollWorkflowActivation([&](const auto& activation) {
        ended = !activation.is_task();
        if (ended) return;
        coresdk::workflow_completion::WorkflowActivationCompletion completion;
        completion.set_run_id(activation.task().run_id());
        completion.mutable_successful();
        worker.CompleteWorkflowActivation(completion, [](const Status& status) { EXPECT_OK(status); });
        poll();
      });
    };
    if (!ended) poll();
    ASSERT_TRUE(RunUntil([&] { return ended; }));
    std::optional<Status> finalized;
    worker.FinalizeShutdown([&](Status status) { finalized = std::move(status); });
    ASSERT_TRUE(RunUntil([&] { return finalized.has_value(); }));
    EXPECT_OK(*finalized);
  }

  RealClock real_;
  ManualClock clock_;
  ManualExecutor executor_{clock_};
  ScriptedServer server_;

 private:
  std::mutex log_mutex_;
  std::vector<LogRecord> logs_;

 protected:
  // After what its callbacks touch, so that it goes first.
  std::shared_ptr<Runtime> runtime_;
};

}  // namespace squall::core
