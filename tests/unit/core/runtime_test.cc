#include "core/runtime.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string>

#include "base/util/hand_over.h"
#include "core/bridge/include/squall_bridge.h"
#include "core/worker.h"
#include "tests/unit/core/core_fixture.h"

namespace squall::core {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::squall::testing::StatusIs;

// What a raw operation of the bridge came back with.
struct Ended {
  std::atomic<int> times = 0;
  int code = -1;
  std::string message;

  Ended() { HandOver(this); }
  static void Done(void* user_data, const SquallStatus* status, SquallSlice) {
    TakeOver(user_data);
    auto* ended = static_cast<Ended*>(user_data);
    ended->code = status->code;
    ended->message.assign(reinterpret_cast<const char*>(status->message.data), status->message.size);
    ++ended->times;
  }
};

class RuntimeTest : public CoreTest {
 protected:
  StatusOr<std::unique_ptr<Worker>> Replayer() {
    WorkerOptions options;
    options.task_queue = "replayed-queue";
    return Worker::CreateReplay(runtime_, options, executor_);
  }
};

TEST_F(RuntimeTest, CoreVersionIsThePinnedOne) { EXPECT_EQ(CoreVersion(), "0.10.1"); }

TEST_F(RuntimeTest, WrongOptionsGiveCoresOwnText) {
  RuntimeOptions options;
  options.heartbeat_interval = std::chrono::milliseconds(10);
  EXPECT_THAT(Runtime::Create(options),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("heartbeat_interval (10ms) must be between 1s and 60s")));
  options = {};
  options.worker_threads = -1;
  EXPECT_THAT(Runtime::Create(options), StatusIs(StatusCode::kInvalidArgument, HasSubstr("worker_threads")));
}

// A write to a pipe that nobody reads: what it gives, when the process survives it.
int WriteToBrokenPipe() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return -1;
  ::close(ends[0]);
  const int error = ::write(ends[1], "x", 1) < 0 ? errno : 0;
  ::close(ends[1]);
  return error;
}

TEST(RuntimeDeathTest, ABrokenPipeKillsAProcessWithoutCore) {
  EXPECT_EXIT(
      {
        std::signal(SIGPIPE, SIG_DFL);
        WriteToBrokenPipe();
      },
      ::testing::KilledBySignal(SIGPIPE), "");
}

TEST_F(RuntimeTest, ABrokenPipeDoesNotKillTheProcess) {
  const auto before = std::signal(SIGPIPE, SIG_DFL);
  ASSERT_OK(Runtime::Create({}));
  EXPECT_EQ(WriteToBrokenPipe(), EPIPE);
  std::signal(SIGPIPE, before);
}

TEST_F(RuntimeTest, AHandlerOfTheProgramForBrokenPipesStays) {
  static volatile std::sig_atomic_t pipes;
  pipes = 0;
  const auto before = std::signal(SIGPIPE, [](int) { pipes = pipes + 1; });
  ASSERT_OK(Runtime::Create({}));
  EXPECT_EQ(WriteToBrokenPipe(), EPIPE);
  EXPECT_EQ(pipes, 1);
  std::signal(SIGPIPE, before);
}

TEST_F(RuntimeTest, LogsAreCapturedWithLevelTargetFieldsAndTime) {
  const WallTime before = real_.WallNow();
  const auto worker = Replayer();
  ASSERT_OK(worker);
  EXPECT_THAT(logs(), Contains(AllOf(Field(&LogRecord::level, LogLevel::kInfo),
                                     Field(&LogRecord::target, StartsWith("temporalio_sdk_core")),
                                     Field(&LogRecord::message, "Registering replay worker"),
                                     Field(&LogRecord::fields, HasSubstr("task_queue=\"replayed-queue\"")),
                                     Field(&LogRecord::time, ::testing::Ge(before)))));
  FinishReplay(**worker);
}

TEST_F(RuntimeTest, TheFilterDecidesWhatIsLogged) {
  RuntimeOptions options;
  options.log_filter = "error";
  StartRuntime(options);
  const auto worker = Replayer();
  ASSERT_OK(worker);
  EXPECT_THAT(logs(), IsEmpty());
  FinishReplay(**worker);
}

TEST_F(RuntimeTest, MetricsOfRpcsAreCounted) {
  EXPECT_EQ(runtime_->MetricSum("temporal_request"), std::nullopt);
  auto connection = Connect(InProcess());
  ASSERT_OK(connection);
  for (int i = 0; i < 3; ++i) ASSERT_OK(Call(**connection, {.method = "DescribeNamespace"}));
  const std::string text = runtime_->MetricsText();
  EXPECT_THAT(text, HasSubstr("# TYPE temporal_request counter"));
  EXPECT_THAT(text, HasSubstr("operation=\"DescribeNamespace\""));
  EXPECT_THAT(text, HasSubstr("temporal_request_latency_bucket{"));
  EXPECT_THAT(text, HasSubstr("service_name=\"temporal-core-sdk\""));
  // GetSystemInfo of the connect and three of ours.
  EXPECT_EQ(runtime_->MetricSum("temporal_request"), 4);
  EXPECT_EQ(runtime_->MetricSum("temporal_request_latency_count"), 4);
  EXPECT_EQ(runtime_->MetricSum("temporal_reques"), std::nullopt);
}

TEST_F(RuntimeTest, MetricsCanBeOff) {
  RuntimeOptions options;
  options.metrics = false;
  StartRuntime(options);
  ASSERT_OK(Connect(InProcess()));
  EXPECT_EQ(runtime_->MetricsText(), "");
}

TEST_F(RuntimeTest, APanicInACallBecomesAnError) {
  SquallError* error = squall_test_panic();
  ASSERT_NE(error, nullptr);
  const SquallStatus status = squall_error_view(error);
  const std::string message(reinterpret_cast<const char*>(status.message.data), status.message.size);
  EXPECT_EQ(status.code, static_cast<int>(StatusCode::kInternal));
  EXPECT_THAT(message, AllOf(StartsWith("panic: a panic on purpose at "), HasSubstr("testing.rs:")));
  squall_error_free(error);
}

TEST_F(RuntimeTest, APanicInAnOperationBecomesItsErrorAndALogLine) {
  Ended ended;
  EXPECT_NE(squall_test_panic_later(runtime_->handle(), &Ended::Done, &ended), 0U);
  ASSERT_TRUE(RunUntil([&] { return ended.times == 1; }));
  EXPECT_EQ(ended.code, static_cast<int>(StatusCode::kInternal));
  EXPECT_THAT(ended.message, StartsWith("panic: a panic on purpose, later at "));
  EXPECT_THAT(logs(), Contains(AllOf(Field(&LogRecord::level, LogLevel::kError),
                                     Field(&LogRecord::target, "squall_bridge"),
                                     Field(&LogRecord::message, HasSubstr("a panic on purpose, later")))));
  // The runtime still works.
  ASSERT_OK(Connect(InProcess()));
}

TEST_F(RuntimeTest, AHungCoreCostsTheDestructorItsLimitAndItsOperationIsCancelledOnce) {
  RuntimeOptions options;
  options.shutdown_limit = std::chrono::milliseconds(100);
  StartRuntime(options);
  Ended ended;
  // Longer than the test may take; the thread goes with the process.
  squall_test_hang(runtime_->handle(), std::chrono::nanoseconds(std::chrono::minutes(10)).count(), &Ended::Done,
                   &ended);
  ASSERT_TRUE(RunUntil([&] {
    const auto lines = logs();
    return std::any_of(lines.begin(), lines.end(), [](const LogRecord& line) { return line.message == "hanging"; });
  }));
  const SteadyTime before = real_.Now();
  runtime_.reset();
  const Duration took = real_.Now() - before;
  EXPECT_GE(took, std::chrono::milliseconds(90));
  EXPECT_LT(took, Scaled(std::chrono::seconds(5)));
  EXPECT_EQ(ended.times, 1);
  EXPECT_EQ(ended.code, static_cast<int>(StatusCode::kCancelled));
  EXPECT_EQ(ended.message, "the runtime is shut down");
}

TEST_F(RuntimeTest, OperationsOnAHandleOfAFreedRuntimeAreCancelledAtOnce) {
  struct Opened {
    SquallConnection* connection = nullptr;
    std::atomic<bool> done = false;
  } opened;
  HandOver(&opened);
  SquallRuntimeOptions runtime_options{};
  runtime_options.heartbeat_interval_ns = SQUALL_NONE;
  SquallRuntime* runtime = nullptr;
  ASSERT_EQ(squall_runtime_new(&runtime_options, &runtime), nullptr);
  SquallConnectOptions options{};
  const std::string url = "http://in-process";
  options.target_url = {reinterpret_cast<const std::uint8_t*>(url.data()), url.size()};
  options.dns_interval_ns = options.keep_alive_interval_ns = options.connect_timeout_ns = SQUALL_NONE;
  options.skip_get_system_info = true;
  options.rpc_handler.on_rpc = [](void*, const SquallRpcRequest*, SquallRpcReply* reply) {
    squall_rpc_reply_free(reply);
  };
  squall_connect(
      runtime, &options,
      [](void* user_data, const SquallStatus*, SquallConnection* connection) {
        TakeOver(user_data);
        static_cast<Opened*>(user_data)->connection = connection;
        static_cast<Opened*>(user_data)->done = true;
      },
      &opened);
  ASSERT_TRUE(RunUntil([&] { return opened.done.load(); }));
  ASSERT_NE(opened.connection, nullptr);
  squall_runtime_free(runtime, 0);

  Ended ended;
  const std::string service = "grpc.health.v1.Health";
  const std::string method = "Check";
  SquallCall call{};
  call.service = {reinterpret_cast<const std::uint8_t*>(service.data()), service.size()};
  call.method = {reinterpret_cast<const std::uint8_t*>(method.data()), method.size()};
  EXPECT_EQ(squall_connection_call(opened.connection, &call, &Ended::Done, &ended), 0U);
  EXPECT_EQ(ended.times, 1);
  EXPECT_EQ(ended.code, static_cast<int>(StatusCode::kCancelled));
  squall_connection_free(opened.connection);
}

TEST_F(RuntimeTest, NoLogLineComesAfterTheDestructor) {
  ASSERT_OK(Connect(InProcess()));
  auto worker = Replayer();
  ASSERT_OK(worker);
  FinishReplay(**worker);
  worker->reset();
  runtime_.reset();
  const std::size_t count = logs().size();
  EXPECT_FALSE(executor_.WaitForPost(std::chrono::milliseconds(50)));
  EXPECT_EQ(logs().size(), count);
}

}  // namespace
}  // namespace squall::core
