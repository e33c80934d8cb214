#pragma once
// Helpers over absl::Status: what every call that can fail returns across module borders.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <string_view>
#include <utility>

// Debian builds abseil for C++14, where absl::string_view is a type of its own that fmt does not know.
template <>
struct fmt::formatter<absl::string_view> : fmt::formatter<std::string_view> {
  template <typename Context>
  auto format(absl::string_view text, Context& context) const {
    return fmt::formatter<std::string_view>::format(std::string_view(text.data(), text.size()), context);
  }
};

namespace squall {

using absl::Status;
using absl::StatusCode;
using absl::StatusOr;

// The message as a std::string_view; valid as long as `status`.
inline std::string_view Message(const Status& status) {
  return {status.message().data(), status.message().size()};
}

// Puts `context` in front of the message, keeping code and payloads: "start worker py-1: wait ready: exited with 1".
Status Annotate(Status status, std::string_view context);

template <typename... Args>
Status MakeStatus(StatusCode code, fmt::format_string<Args...> format, Args&&... args) {
  return {code, fmt::format(format, std::forward<Args>(args)...)};
}

// The gRPC spelling of a code: "UNAVAILABLE". absl and gRPC number them alike.
std::string_view CodeName(int grpc_code);
// The reverse; -1 for a name that is none.
int CodeFromName(std::string_view name);

}  // namespace squall

#define SQUALL_CONCAT_INNER(a, b) a##b
#define SQUALL_CONCAT(a, b) SQUALL_CONCAT_INNER(a, b)

// Returns from the calling function when the expression is not OK.
#define SQUALL_RETURN_IF_ERROR(expr)                         \
  do {                                                       \
    if (::absl::Status squall_status_ = (expr); !squall_status_.ok()) return squall_status_; \
  } while (false)

// SQUALL_ASSIGN_OR_RETURN(auto x, Make());
#define SQUALL_ASSIGN_OR_RETURN(lhs, expr) \
  SQUALL_ASSIGN_OR_RETURN_IMPL(SQUALL_CONCAT(squall_or_, __LINE__), lhs, expr)
#define SQUALL_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                                 \
  if (!tmp.ok()) return tmp.status();                \
  lhs = std::move(tmp).value()

// For programmer errors only; stays on in release builds and aborts with the place and the reason.
#define SQUALL_CHECK(condition, why) \
  ((condition) ? static_cast<void>(0) : ::squall::CheckFailed(__FILE__, __LINE__, #condition, (why)))

namespace squall {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, std::string_view why);
}  // namespace squall
