#include "fakes/engine/limits.h"

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"

namespace squall::fakes::engine {
namespace {

constexpr int kMostCauses = 20;

// What fits of a failure, its most telling parts first; `left` is what there is still room for.
failure::Failure Truncated(const failure::Failure& given, std::size_t& left, int causes) {
  const auto fit = [&left](const std::string& text) {
    std::string kept = text.substr(0, left);
    left -= kept.size();
    return kept;
  };
  failure::Failure failure;
  if (given.has_application_failure_info()) {
    auto* info = failure.mutable_application_failure_info();
    info->set_non_retryable(given.application_failure_info().non_retryable());
    info->set_type(fit(given.application_failure_info().type()));
  } else if (given.has_server_failure_info()) {
    *failure.mutable_server_failure_info() = given.server_failure_info();
  }
  failure.set_source(fit(given.source()));
  failure.set_message(fit(given.message()));
  failure.set_stack_trace(fit(given.stack_trace()));
  if (given.has_cause() && left > 0 && causes > 0)
    *failure.mutable_cause() = Truncated(given.cause(), left, causes - 1);
  return failure;
}

}  // namespace

bool ExceedsBlobLimit(const google::protobuf::Message* payload) {
  return payload != nullptr && payload->ByteSizeLong() > kBlobSizeError;
}

failure::Failure ServerFailure(std::string_view message) {
  failure::Failure failure;
  failure.set_message(std::string(message));
  failure.set_source("Server");
  failure.mutable_server_failure_info()->set_non_retryable(true);
  return failure;
}

failure::Failure WithinBlobLimit(const failure::Failure& given) {
  if (!ExceedsBlobLimit(&given)) return given;
  failure::Failure failure = ServerFailure("Failure exceeds size limit.");
  std::size_t left = kBlobSizeWarn;
  *failure.mutable_cause() = Truncated(given, left, kMostCauses);
  return failure;
}

std::optional<std::string_view> Limits::Exceeded(std::int64_t size, std::int64_t count) const {
  if (size > core_.options.limits.history_size) return "Workflow history size exceeds limit.";
  if (count > core_.options.limits.history_count) return "Workflow history count exceeds limit.";
  return std::nullopt;
}

void Limits::Terminate(Run& run, std::string_view reason) {
  // A task that is in no history is lost with what is not stored.
  if (run.task.speculative) core_.tasks.Clear(run);
  core_.closing.Terminate(run, std::string(reason), nullptr, "history-service");
  error_ = InvalidArgument(reason);
}

std::optional<Status> Limits::Refuse(Run& run, std::int64_t events) {
  if (!run.open()) return std::nullopt;
  const auto exceeded =
      Exceeded(run.history.size_bytes(), run.history.next_event_id() - 1 + events);
  if (!exceeded) return std::nullopt;
  Terminate(run, *exceeded);
  return error_;
}

bool Limits::Enforce(Run& run) {
  if (!run.open() || run.history.is_new()) return false;
  const auto exceeded = Exceeded(run.history.stored_bytes(), run.history.next_event_id() - 1);
  if (!exceeded) return false;
  run.history.RollBack();
  if (run.task.pending() && run.task.scheduled_event_id >= run.history.next_event_id())
    core_.tasks.Clear(run);
  Terminate(run, *exceeded);
  return true;
}

bool Limits::BufferFull(const Run& run) const {
  const EngineLimits& limits = core_.options.limits;
  return static_cast<std::int64_t>(run.history.buffered().size()) > limits.buffered_events ||
         run.history.buffered_bytes() > limits.buffered_size;
}

}  // namespace squall::fakes::engine
