#include "core/worker/failure.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <typeinfo>

namespace squall::core {
namespace {

// Says which SDK produced the failure, as the official ones do.
constexpr char kSource[] = "squall";

std::string TypeName(const std::exception& error) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &status), std::free);
  return status == 0 && name != nullptr ? name.get() : typeid(error).name();
}

}  // namespace

FailureProto MakeApplicationFailure(std::string_view message, std::string_view type,
                                    bool non_retryable) {
  FailureProto failure;
  failure.set_message(std::string(message));
  failure.set_source(kSource);
  failure.mutable_application_failure_info()->set_type(std::string(type));
  failure.mutable_application_failure_info()->set_non_retryable(non_retryable);
  return failure;
}

FailureProto MakeCancelledFailure(std::string_view message) {
  FailureProto failure;
  failure.set_message(std::string(message));
  failure.set_source(kSource);
  failure.mutable_canceled_failure_info();
  return failure;
}

FailureProto FailureFromException(const std::exception& error) {
  if (const auto* failure = dynamic_cast<const FailureError*>(&error)) return failure->proto();
  return MakeApplicationFailure(error.what(), TypeName(error), /*non_retryable=*/false);
}

ApplicationFailure::ApplicationFailure(const std::string& message, const std::string& type,
                                       bool non_retryable)
    : FailureError(MakeApplicationFailure(message, type, non_retryable)) {}

CancelledFailure::CancelledFailure(const std::string& message)
    : FailureError(MakeCancelledFailure(message)) {}

bool IsCancellation(const FailureProto& failure) {
  if (failure.has_canceled_failure_info()) return true;
  const bool reports_another =
      failure.has_activity_failure_info() || failure.has_child_workflow_execution_failure_info();
  return reports_another && failure.has_cause() && IsCancellation(failure.cause());
}

std::string FailureText(const FailureProto& failure) {
  std::string text = failure.message();
  if (failure.has_cause()) text += (text.empty() ? "" : ": ") + FailureText(failure.cause());
  return text;
}

void ThrowFailure(FailureProto failure) {
  if (failure.has_canceled_failure_info()) throw CancelledFailure(std::move(failure));
  if (failure.has_activity_failure_info()) throw ActivityFailure(std::move(failure));
  if (failure.has_child_workflow_execution_failure_info())
    throw ChildWorkflowFailure(std::move(failure));
  throw ApplicationFailure(std::move(failure));
}

}  // namespace squall::core
