#pragma once
// Temporal's failures as exceptions of workflow and activity code. Inside a coroutine an exception
// is the only way out that unwinds several frames; none leaves core/worker, where WorkflowRun and
// ActivityDispatcher turn them into commands.
//
// A FailureError that leaves a workflow fails the workflow. Any other exception fails only the
// workflow task, which the server hands out again: what the official SDKs do, so that a bug can be
// fixed without losing the execution.

#include <exception>
#include <string>
#include <string_view>

#include "temporal/api/failure/v1/message.pb.h"

namespace squall::core {

using FailureProto = temporal::api::failure::v1::Failure;

class FailureError : public std::exception {
 public:
  explicit FailureError(FailureProto proto) : proto_(std::move(proto)) {}
  const char* what() const noexcept override { return proto_.message().c_str(); }
  const FailureProto& proto() const { return proto_; }

 private:
  FailureProto proto_;
};

// The application's own "this went wrong": fails the workflow, or the activity attempt.
class ApplicationFailure final : public FailureError {
 public:
  explicit ApplicationFailure(FailureProto proto) : FailureError(std::move(proto)) {}
  // `type` is what retry policies match in non_retryable_error_types.
  explicit ApplicationFailure(const std::string& message, const std::string& type = "",
                              bool non_retryable = false);
};

// Something was cancelled: the awaited timer or condition, the workflow, the activity attempt
// itself.
class CancelledFailure final : public FailureError {
 public:
  explicit CancelledFailure(FailureProto proto) : FailureError(std::move(proto)) {}
  explicit CancelledFailure(const std::string& message);
};

// An awaited activity did not succeed; the cause says why (application failure, time-out,
// cancelled).
class ActivityFailure final : public FailureError {
 public:
  using FailureError::FailureError;
};

// An awaited child workflow did not succeed, or could not be started.
class ChildWorkflowFailure final : public FailureError {
 public:
  using FailureError::FailureError;
};

FailureProto MakeApplicationFailure(std::string_view message, std::string_view type,
                                    bool non_retryable);
FailureProto MakeCancelledFailure(std::string_view message);
// An exception that is no FailureError, as the failure that reports it: message, and its C++ type
// as the type.
FailureProto FailureFromException(const std::exception& error);

// Whether the failure is a cancellation, its own or that of the activity or child that it reports.
bool IsCancellation(const FailureProto& failure);
// Message and causes in one line: "activity failed: boom".
std::string FailureText(const FailureProto& failure);

// Throws the exception class that fits the failure's kind.
[[noreturn]] void ThrowFailure(FailureProto failure);

}  // namespace squall::core
