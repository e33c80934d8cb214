#include "core/runtime.h"

#include <charconv>
#include <chrono>
#include <csignal>
#include <utility>

#include "base/util/hand_over.h"
#include "core/bridge/include/squall_bridge.h"
#include "core/hub.h"

namespace squall::core {

std::string_view LogLevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace: return "TRACE";
    case LogLevel::kDebug: return "DEBUG";
    case LogLevel::kInfo: return "INFO";
    case LogLevel::kWarn: return "WARN";
    case LogLevel::kError: return "ERROR";
  }
  return "ERROR";
}

struct Runtime::LogTarget {
  std::function<void(const LogRecord&)> on_log;

  static void OnLog(void* user_data, const SquallLog* log) {
    LogRecord record;
    record.level = static_cast<LogLevel>(log->level);
    record.target = internal::ToView(log->target);
    record.message = internal::ToView(log->message);
    record.fields = internal::ToView(log->fields);
    record.time = WallTime(std::chrono::seconds(log->unix_seconds) + std::chrono::nanoseconds(log->nanoseconds));
    static_cast<LogTarget*>(user_data)->on_log(record);
    HandOver(user_data);
  }
};

namespace {

// Core counts on the start-up code of Rust programs, which ignores SIGPIPE: it writes to sockets that the peer has closed.
void IgnoreBrokenPipes() {
  struct sigaction present {};
  if (::sigaction(SIGPIPE, nullptr, &present) == 0 && (present.sa_flags & SA_SIGINFO) == 0 &&
      present.sa_handler == SIG_DFL) {
    std::signal(SIGPIPE, SIG_IGN);
  }
}

}  // namespace

Runtime::Runtime() : log_(std::make_unique<LogTarget>()) {}

StatusOr<std::shared_ptr<Runtime>> Runtime::Create(RuntimeOptions options) {
  if (options.worker_threads < 0) {
    return MakeStatus(StatusCode::kInvalidArgument, "worker_threads must not be negative, got {}",
                      options.worker_threads);
  }
  IgnoreBrokenPipes();
  std::shared_ptr<Runtime> runtime(new Runtime());
  runtime->shutdown_limit_ = options.shutdown_limit;
  runtime->log_->on_log = std::move(options.on_log);
  SquallRuntimeOptions given{};
  given.log_filter = internal::ToSlice(options.log_filter);
  given.on_log = runtime->log_->on_log ? &LogTarget::OnLog : nullptr;
  given.log_user_data = runtime->log_.get();
  given.heartbeat_interval_ns = internal::ToNanoseconds(options.heartbeat_interval);
  given.worker_threads = static_cast<std::uint32_t>(options.worker_threads);
  given.metrics = options.metrics;
  SQUALL_RETURN_IF_ERROR(internal::TakeError(squall_runtime_new(&given, &runtime->handle_)));
  return runtime;
}

Runtime::~Runtime() {
  squall_runtime_free(handle_, internal::ToNanoseconds(shutdown_limit_));
  TakeOver(log_.get());  // from every thread that logged
}

std::string Runtime::MetricsText() const {
  std::string text;
  squall_runtime_metrics(
      handle_,
      [](void* user_data, SquallSlice value) { *static_cast<std::string*>(user_data) = internal::ToView(value); },
      &text);
  return text;
}

std::optional<double> Runtime::MetricSum(std::string_view name) const {
  const std::string text = MetricsText();
  std::optional<double> sum;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.substr(0, name.size()) != name) continue;
    const std::string_view after = line.substr(name.size());
    if (after.empty() || (after[0] != '{' && after[0] != ' ')) continue;
    const std::string_view number = line.substr(line.rfind(' ') + 1);
    double value = 0;
    if (std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc()) {
      sum = sum.value_or(0) + value;
    }
  }
  return sum;
}

std::string_view CoreVersion() { return internal::ToView(squall_core_version()); }

}  // namespace squall::core
