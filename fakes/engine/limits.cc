#include "fakes/engine/limits.h"

#include <fmt/format.h>

#include <string>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/state_size.h"

namespace squall::fakes::engine {
namespace {

constexpr int kMostCauses = 20;
// What the real server's encoding takes around an event, roughly.
constexpr std::int64_t kOfEvent = 30;

// The longest prefix of at most `most` bytes that divides no character.
std::string_view Prefix(std::string_view text, std::int64_t most) {
  if (static_cast<std::int64_t>(text.size()) <= most) return text;
  if (most <= 0) return {};
  auto end = static_cast<std::size_t>(most);
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

// What fits of a failure, its most telling parts first; `left` is what there is room for. After
// common/failure of the real server, its estimates of what fields cost included.
failure::Failure Truncated(const failure::Failure& given, std::int64_t left, int causes) {
  const auto fit = [&left](const std::string& text) {
    const std::string_view kept = Prefix(text, left);
    left -= static_cast<std::int64_t>(kept.size()) + (kept.empty() ? 0 : 4);
    return std::string(kept);
  };
  failure::Failure failure;
  if (given.has_application_failure_info()) {
    auto* info = failure.mutable_application_failure_info();
    info->set_non_retryable(given.application_failure_info().non_retryable());
    info->set_type(fit(given.application_failure_info().type()));
    left -= 8;
  } else if (given.has_server_failure_info()) {
    failure.mutable_server_failure_info()->set_non_retryable(
        given.server_failure_info().non_retryable());
    left -= 4;
  }
  failure.set_source(fit(given.source()));
  failure.set_message(fit(given.message()));
  failure.set_stack_trace(fit(given.stack_trace()));
  if (given.has_cause() && left > 4 && causes > 0)
    *failure.mutable_cause() = Truncated(given.cause(), left - 4, causes - 1);
  return failure;
}

// What a completion writes: its commands and messages as events, and those that waited for it.
std::int64_t TransactionSize(const Run& run,
                             const ws::RespondWorkflowTaskCompletedRequest& request) {
  std::int64_t size = 2 * kOfEvent + run.history.buffered_bytes();
  for (const command::Command& command : request.commands())
    size += kOfEvent + static_cast<std::int64_t>(command.ByteSizeLong());
  for (const protocol::Message& message : request.messages())
    size += kOfEvent + static_cast<std::int64_t>(message.ByteSizeLong());
  return size;
}

constexpr std::string_view kFailureExceedsLimit = "Failure exceeds size limit.";

}  // namespace

bool ExceedsBlobLimit(const google::protobuf::Message* payload) {
  return payload != nullptr && payload->ByteSizeLong() > kBlobSizeError;
}

failure::Failure ServerFailure(std::string_view message, bool non_retryable) {
  failure::Failure failure;
  failure.set_message(std::string(message));
  failure.mutable_server_failure_info()->set_non_retryable(non_retryable);
  return failure;
}

failure::Failure WithinBlobLimit(const failure::Failure& given) {
  if (!ExceedsBlobLimit(&given)) return given;
  failure::Failure failure = ServerFailure(kFailureExceedsLimit);
  *failure.mutable_cause() = Truncated(given, kBlobSizeWarn, kMostCauses);
  return failure;
}

failure::Failure WithinStateLimit(const failure::Failure& given, std::int64_t limit) {
  if (static_cast<std::int64_t>(given.ByteSizeLong()) <= limit) return given;
  failure::Failure failure = ServerFailure(kFailureExceedsLimit, false);
  *failure.mutable_cause() = Truncated(given, limit, kMostCauses);
  return failure;
}

std::optional<std::string_view> Limits::Exceeded(std::int64_t size, std::int64_t count) const {
  if (size > core_.options.limits.history_size) return "Workflow history size exceeds limit.";
  if (count > core_.options.limits.history_count) return "Workflow history count exceeds limit.";
  return std::nullopt;
}

void Limits::Terminate(Run& run, std::string_view reason, const Status& error,
                       const common::Payloads* details) {
  // A task that is in no history is lost with what is not stored.
  if (run.task.speculative) core_.tasks.Clear(run);
  core_.closing.Terminate(run, std::string(reason), details, "history-service");
  error_ = error;
}

std::optional<Status> Limits::Refuse(Run& run, std::int64_t events) {
  if (!run.open()) return std::nullopt;
  const auto exceeded =
      Exceeded(run.history.size_bytes(), run.history.next_event_id() - 1 + events);
  if (!exceeded) return std::nullopt;
  Terminate(run, *exceeded, InvalidArgument(*exceeded));
  return error_;
}

std::optional<Status> Limits::RefuseCompletion(
    Run& run, const ws::RespondWorkflowTaskCompletedRequest& request, bool closes) {
  const EngineLimits& limits = core_.options.limits;
  if (!closes) {
    if (Status full = RoomInState(core_, run, StateGrowth(run, request)); !full.ok()) return full;
  }
  if (const std::int64_t size = TransactionSize(run, request); size > limits.transaction_size) {
    const std::string text = fmt::format("transaction size of {} bytes exceeds limit of {} bytes",
                                         size, limits.transaction_size);
    const common::Payloads details = JsonText(text);
    Terminate(run, "Transaction size exceeds limit.", InvalidArgument(text), &details);
    return error_;
  }
  return std::nullopt;
}

bool Limits::Enforce(Run& run) {
  if (!run.open() || run.history.is_new()) return false;
  auto exceeded = Exceeded(run.history.stored_bytes(), run.history.next_event_id() - 1);
  if (!exceeded && StateSize(run) > core_.options.limits.state_size) exceeded = kStateExceedsLimit;
  if (!exceeded) return false;
  run.history.RollBack();
  if (run.task.pending() && run.task.scheduled_event_id >= run.history.next_event_id())
    core_.tasks.Clear(run);
  Terminate(run, *exceeded, InvalidArgument(*exceeded));
  return true;
}

bool Limits::BufferFull(const Run& run) const {
  const EngineLimits& limits = core_.options.limits;
  return static_cast<std::int64_t>(run.history.buffered().size()) > limits.buffered_events ||
         run.history.buffered_bytes() > limits.buffered_size;
}

}  // namespace squall::fakes::engine
