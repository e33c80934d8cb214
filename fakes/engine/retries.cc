// Retry policies: defaults, validity, which failures are retried and when. After common/retrypolicy
// and service/history/workflow/retry.go of the real server.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "fakes/engine/activities.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {
constexpr std::string_view kTimeoutTypePrefix = "TemporalTimeout:";

bool Contains(const common::RetryPolicy& policy, const std::string& type) {
  const auto& types = policy.non_retryable_error_types();
  return std::find(types.begin(), types.end(), type) != types.end();
}
}  // namespace

const char* TimeoutName(enums::TimeoutType type) {
  switch (type) {
    case enums::TIMEOUT_TYPE_START_TO_CLOSE:
      return "StartToClose";
    case enums::TIMEOUT_TYPE_SCHEDULE_TO_START:
      return "ScheduleToStart";
    case enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE:
      return "ScheduleToClose";
    case enums::TIMEOUT_TYPE_HEARTBEAT:
      return "Heartbeat";
    default:
      return "Unspecified";
  }
}

void EnsureRetryDefaults(common::RetryPolicy* policy) {
  if (FromProto(policy->initial_interval()).count() == 0) {
    *policy->mutable_initial_interval() = ToProto(std::chrono::seconds(1));
  }
  if (FromProto(policy->maximum_interval()).count() == 0) {
    // In Go the product wraps around: from 2.9 years on most intervals are refused as negative.
    const auto initial = static_cast<std::uint64_t>(FromProto(policy->initial_interval()).count());
    *policy->mutable_maximum_interval() =
        ToProto(Duration(static_cast<std::int64_t>(initial * 100)));
  }
  if (policy->backoff_coefficient() == 0) policy->set_backoff_coefficient(2.0);
}

Status CheckRetryPolicy(const common::RetryPolicy& policy) {
  if (policy.maximum_attempts() == 1) return absl::OkStatus();
  if (FromProto(policy.initial_interval()).count() < 0) {
    return InvalidArgument("invalid InitialInterval set on retry policy: negative duration");
  }
  if (policy.backoff_coefficient() < 1) {
    return InvalidArgument("BackoffCoefficient cannot be less than 1 on retry policy.");
  }
  const Duration most = FromProto(policy.maximum_interval());
  if (most.count() < 0)
    return InvalidArgument("invalid MaximumInterval set on retry policy: negative duration");
  if (most.count() > 0 && most < FromProto(policy.initial_interval())) {
    return InvalidArgument("MaximumInterval cannot be less than InitialInterval on retry policy.");
  }
  if (policy.maximum_attempts() < 0)
    return InvalidArgument("MaximumAttempts cannot be negative on retry policy.");
  return absl::OkStatus();
}

bool IsRetryable(const failure::Failure& failure, const common::RetryPolicy& policy) {
  if (failure.has_terminated_failure_info() || failure.has_canceled_failure_info()) return false;
  if (failure.has_timeout_failure_info()) {
    const auto type = failure.timeout_failure_info().timeout_type();
    if (type != enums::TIMEOUT_TYPE_START_TO_CLOSE && type != enums::TIMEOUT_TYPE_HEARTBEAT)
      return false;
    return !Contains(policy, std::string(kTimeoutTypePrefix) + TimeoutName(type));
  }
  if (failure.has_server_failure_info()) return !failure.server_failure_info().non_retryable();
  if (failure.has_application_failure_info()) {
    return !failure.application_failure_info().non_retryable() &&
           !Contains(policy, failure.application_failure_info().type());
  }
  return true;
}

std::optional<Duration> RequestedDelay(const failure::Failure& failure) {
  if (!failure.has_application_failure_info() ||
      !failure.application_failure_info().has_next_retry_delay())
    return {};
  return FromProto(failure.application_failure_info().next_retry_delay());
}

Backoff NextBackoff(SteadyTime now, int attempt, const common::RetryPolicy& policy,
                    std::optional<SteadyTime> expires, std::optional<Duration> delay) {
  attempt = std::max(attempt, 1);
  if (policy.maximum_attempts() > 0 && attempt >= policy.maximum_attempts()) {
    return {.state = enums::RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED};
  }
  const double most_count =
      static_cast<double>(std::chrono::nanoseconds(std::chrono::hours(24 * 365 * 10)).count());
  const double grown = static_cast<double>(FromProto(policy.initial_interval()).count()) *
                       std::pow(policy.backoff_coefficient(), attempt - 1);
  // A delay that the application asks for overrides the longest interval of the policy.
  Duration interval =
      delay ? *delay : Duration(static_cast<std::int64_t>(std::min(grown, most_count)));
  const Duration most = delay ? *delay : FromProto(policy.maximum_interval());
  if (most.count() == 0 && interval.count() <= 0 && !delay)
    return {.state = enums::RETRY_STATE_TIMEOUT};
  if (most.count() != 0 && (interval.count() <= 0 || interval > most)) interval = most;
  if (expires && now + interval > *expires) return {.state = enums::RETRY_STATE_TIMEOUT};
  return {.interval = interval};
}

failure::Failure TimeoutFailure(const std::string& message, enums::TimeoutType type) {
  failure::Failure failure;
  failure.set_message(message);
  failure.set_source("Server");
  failure.mutable_timeout_failure_info()->set_timeout_type(type);
  return failure;
}

}  // namespace squall::fakes::engine
