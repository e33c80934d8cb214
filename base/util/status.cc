#include "base/util/status.h"

#include <absl/strings/cord.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace squall {
namespace {

// gRPC's status codes in the order of their numbers (grpc/doc/statuscodes.md).
constexpr std::array<std::string_view, 17> kCodeNames = {
    "OK",           "CANCELLED",         "UNKNOWN",        "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND",    "ALREADY_EXISTS",    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION", "ABORTED",    "OUT_OF_RANGE",   "UNIMPLEMENTED",      "INTERNAL",
    "UNAVAILABLE",  "DATA_LOSS",         "UNAUTHENTICATED"};

}  // namespace

Status Annotate(Status status, std::string_view context) {
  if (status.ok()) return status;
  Status result(status.code(), fmt::format("{}: {}", context, status.message()));
  status.ForEachPayload([&result](absl::string_view url, const absl::Cord& payload) {
    result.SetPayload(url, payload);
  });
  return result;
}

std::string_view CodeName(int grpc_code) {
  if (grpc_code < 0 || grpc_code >= static_cast<int>(kCodeNames.size())) return "UNKNOWN";
  return kCodeNames[static_cast<std::size_t>(grpc_code)];
}

int CodeFromName(std::string_view name) {
  for (std::size_t i = 0; i < kCodeNames.size(); ++i) {
    if (kCodeNames[i] == name) return static_cast<int>(i);
  }
  return -1;
}

void CheckFailed(const char* file, int line, const char* condition, std::string_view why) {
  const std::string text = fmt::format("{}:{}: check failed: {}: {}\n", file, line, condition, why);
  std::fputs(text.c_str(), stderr);
  std::abort();
}

}  // namespace squall
