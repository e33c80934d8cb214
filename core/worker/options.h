#pragma once
// Options of what a workflow asks for. An unset optional is not sent: the server's own default
// applies.

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "temporal/api/common/v1/message.pb.h"

namespace squall::core {

class CancellationScope;

struct RetryPolicy {
  Duration initial_interval = std::chrono::seconds(1);
  double backoff_coefficient = 2.0;
  std::optional<Duration> maximum_interval;  // server: 100 x initial
  int maximum_attempts = 0;                  // 0: no limit
  std::vector<std::string> non_retryable_error_types;
};

// What an activity's cancellation means to the workflow that awaits it.
enum class CancellationType {
  kTryCancel,      // ask the activity to stop, report cancelled at once
  kWaitCompleted,  // ask, and wait for how it ends; it must heartbeat to hear of it
  kAbandon,        // do not ask, report cancelled at once
};

struct ActivityOptions {
  std::string task_queue;   // empty: the worker's own
  std::string activity_id;  // empty: its number within the workflow
  std::optional<Duration> schedule_to_close_timeout;
  std::optional<Duration> schedule_to_start_timeout;
  std::optional<Duration> start_to_close_timeout;  // this or schedule_to_close is required
  std::optional<Duration> heartbeat_timeout;
  std::optional<RetryPolicy> retry_policy;
  CancellationType cancellation_type = CancellationType::kTryCancel;
  bool disable_eager_execution = false;
  // Cancels the activity; null: the workflow's own scope, cancelled with the workflow.
  std::shared_ptr<CancellationScope> scope;
};

enum class ParentClosePolicy { kTerminate, kAbandon, kRequestCancel };

struct ChildOptions {
  std::string workflow_id;  // empty: drawn from the workflow's random numbers
  std::string task_queue;   // empty: the worker's own
  std::optional<Duration> execution_timeout;
  std::optional<Duration> run_timeout;
  std::optional<Duration> task_timeout;
  ParentClosePolicy parent_close_policy = ParentClosePolicy::kTerminate;
  std::optional<RetryPolicy> retry_policy;
  // kWaitCompleted waits for the child's own end, as SDKs do by default.
  CancellationType cancellation_type = CancellationType::kWaitCompleted;
  std::shared_ptr<CancellationScope> scope;  // as in ActivityOptions
};

// Of the next run; unset: the same workflow type, task queue and the server's defaults.
struct ContinueAsNewOptions {
  std::string workflow_type;
  std::string task_queue;
  std::optional<Duration> run_timeout;
  std::optional<RetryPolicy> retry_policy;
};

inline void SetProto(Duration d, google::protobuf::Duration* out) {
  out->set_seconds(d.count() / 1'000'000'000);
  out->set_nanos(static_cast<int>(d.count() % 1'000'000'000));
}

inline Duration FromProto(const google::protobuf::Duration& d) {
  return std::chrono::seconds(d.seconds()) + std::chrono::nanoseconds(d.nanos());
}

inline WallTime FromProto(const google::protobuf::Timestamp& t) {
  return WallTime(std::chrono::seconds(t.seconds()) + std::chrono::nanoseconds(t.nanos()));
}

inline void SetProto(const RetryPolicy& policy, temporal::api::common::v1::RetryPolicy* out) {
  SetProto(policy.initial_interval, out->mutable_initial_interval());
  out->set_backoff_coefficient(policy.backoff_coefficient);
  if (policy.maximum_interval) SetProto(*policy.maximum_interval, out->mutable_maximum_interval());
  out->set_maximum_attempts(policy.maximum_attempts);
  for (const std::string& type : policy.non_retryable_error_types)
    out->add_non_retryable_error_types(type);
}

}  // namespace squall::core
