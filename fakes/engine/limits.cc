#include "fakes/engine/limits.h"

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

}  // namespace squall::fakes::engine
