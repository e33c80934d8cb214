#pragma once
// The production SDK core in this process: its threads, its logs and its metrics.
//
// Runtime owns one tokio runtime inside the Rust bridge (core/bridge). Connections and workers are made in it and keep
// it alive. Nothing of ours runs on its threads except RuntimeOptions::on_log; every other callback of this folder is
// posted to the Executor that its owner was given.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/util/clock.h"
#include "base/util/status.h"

struct SquallRuntime;  // the bridge's handle

namespace squall::core {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError };

// "TRACE", "DEBUG", "INFO", "WARN", "ERROR".
std::string_view LogLevelName(LogLevel level);

// One line that core (or a library below it) logged.
struct LogRecord {
  LogLevel level = LogLevel::kInfo;
  std::string target;   // the Rust module: "temporalio_client::retry"
  std::string message;  // the text alone
  std::string fields;   // key=value pairs in the order of their keys, values as JSON: attempt=6 error="Status {...}"
  WallTime time;        // when it was logged
};

struct RuntimeOptions {
  // Which log lines reach on_log, in the syntax of Rust's EnvFilter. Default: core's own from INFO, others from WARN.
  std::string log_filter =
      "warn,temporalio_common=info,temporalio_sdk_core=info,temporalio_client=info,temporalio_sdk=info";
  // Called for every log line on whatever thread logs it, several at once; it must be quick and must not call back into
  // this folder. Default: none, nothing is captured. Never called after the Runtime's destructor has returned.
  std::function<void(const LogRecord&)> on_log;
  // How often workers report themselves to the server; between 1 s and 60 s. Default: 60 s, as SDKs have it; nullopt: never.
  std::optional<Duration> heartbeat_interval = std::chrono::seconds(60);
  // Tokio worker threads. Default 0: one per CPU, as SDKs have it.
  int worker_threads = 0;
  // Whether metrics are recorded (MetricsText is empty otherwise). Default: true.
  bool metrics = true;
  // How long the destructor waits for core's threads; a core that hangs longer is left behind, without callbacks.
  // Default: 2 s.
  Duration shutdown_limit = std::chrono::seconds(2);
};

// Thread-safe. The last owner may be any thread but core's own: Runtime must not be released inside on_log.
//
// The destructor first closes the gate through which callbacks leave the bridge (pending operations are dropped, their
// callbacks never run), then stops tokio within shutdown_limit. A core that hangs (X1, X4, X5 in the incidents) costs
// that much time and its threads, never the process.
//
// Create makes the process ignore SIGPIPE from then on, unless it has a handler for it: core writes to connections that
// the server has closed, and would be killed.
class Runtime {
 public:
  // INVALID_ARGUMENT for options that core refuses (with core's text), INTERNAL when it cannot start.
  static StatusOr<std::shared_ptr<Runtime>> Create(RuntimeOptions options = {});
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // All metrics of workers and connections made in this runtime, in Prometheus' text format. Histograms as core's SDKs
  // expose them: name_bucket/_sum/_count, durations in milliseconds. Empty when metrics are off.
  std::string MetricsText() const;

  // Sum over all label sets of one counter or gauge of MetricsText, "temporal_request" for example; nullopt when no such
  // series exists (yet).
  std::optional<double> MetricSum(std::string_view name) const;

  SquallRuntime* handle() const { return handle_; }

 private:
  struct LogTarget;
  Runtime();

  std::unique_ptr<LogTarget> log_;
  Duration shutdown_limit_{};
  SquallRuntime* handle_ = nullptr;
};

// The version of temporalio-sdk-core that is linked in: "0.10.1".
std::string_view CoreVersion();

}  // namespace squall::core
