#pragma once
// GoogleTest matchers for absl::Status and absl::StatusOr (abseil brings its own only in later versions than Debian's).

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace squall::testing {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

// Matches an OK Status or StatusOr.
MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

// Matches a Status or StatusOr by code and message: StatusIs(absl::StatusCode::kNotFound, HasSubstr("namespace")).
MATCHER_P2(StatusIs, code, message_matcher, "") {
  const absl::Status& status = StatusOf(arg);
  *result_listener << status.ToString();
  return status.code() == code &&
         ::testing::Matches(message_matcher)(std::string(status.message()));
}

}  // namespace squall::testing

#define ASSERT_OK(expr) ASSERT_THAT((expr), ::squall::testing::IsOk())
#define EXPECT_OK(expr) EXPECT_THAT((expr), ::squall::testing::IsOk())
