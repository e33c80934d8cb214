// Status helpers: context is added without losing code or payloads; the macros leave at the first
// error.

#include "base/util/status.h"

#include <absl/strings/cord.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/support/status_matchers.h"

namespace squall {
namespace {

using testing::IsOk;
using testing::StatusIs;

TEST(MakeStatus, FormatsItsMessage) {
  EXPECT_THAT(MakeStatus(StatusCode::kNotFound, "namespace {} ({})", "default", 3),
              StatusIs(StatusCode::kNotFound, "namespace default (3)"));
}

TEST(Annotate, PutsContextInFrontAndKeepsTheCode) {
  const Status status =
      Annotate(Annotate(absl::UnavailableError("exited with 1"), "wait ready"), "start worker w");
  EXPECT_THAT(status,
              StatusIs(StatusCode::kUnavailable, "start worker w: wait ready: exited with 1"));
  EXPECT_EQ(Message(status), "start worker w: wait ready: exited with 1");
}

TEST(Annotate, LeavesOkAlone) { EXPECT_THAT(Annotate(absl::OkStatus(), "context"), IsOk()); }

TEST(Annotate, KeepsPayloads) {
  Status status = absl::InternalError("boom");
  status.SetPayload("squall/details", absl::Cord("bytes"));
  const auto payload = Annotate(status, "context").GetPayload("squall/details");
  ASSERT_TRUE(payload.has_value());
  EXPECT_EQ(std::string(*payload), "bytes");
}

Status FailsAt(int step, int& reached) {
  reached = 1;
  SQUALL_RETURN_IF_ERROR(step == 1 ? absl::AbortedError("one") : absl::OkStatus());
  reached = 2;
  SQUALL_ASSIGN_OR_RETURN(const int value,
                          step == 2 ? StatusOr<int>(absl::DataLossError("two")) : StatusOr<int>(7));
  SQUALL_ASSIGN_OR_RETURN(std::unique_ptr<int> owned,
                          StatusOr<std::unique_ptr<int>>(std::make_unique<int>(value)));
  reached = *owned;
  return absl::OkStatus();
}

TEST(ReturnMacros, LeaveAtTheFirstErrorAndMoveValuesOut) {
  int reached = 0;
  EXPECT_THAT(FailsAt(1, reached), StatusIs(StatusCode::kAborted, "one"));
  EXPECT_EQ(reached, 1);
  EXPECT_THAT(FailsAt(2, reached), StatusIs(StatusCode::kDataLoss, "two"));
  EXPECT_EQ(reached, 2);
  EXPECT_THAT(FailsAt(0, reached), IsOk());
  EXPECT_EQ(reached, 7);
}

TEST(CodeNames, GoBothWaysAndMatchAbseil) {
  for (int code = 0; code <= 16; ++code) {
    EXPECT_EQ(CodeFromName(CodeName(code)), code);
    EXPECT_EQ(CodeName(code), std::string(absl::StatusCodeToString(static_cast<StatusCode>(code))))
        << code;
  }
  EXPECT_EQ(CodeName(17), "UNKNOWN");
  EXPECT_EQ(CodeName(-1), "UNKNOWN");
  EXPECT_EQ(CodeFromName("unavailable"), -1);
  EXPECT_EQ(CodeFromName(""), -1);
}

TEST(SquallCheckDeathTest, AbortsWithPlaceAndReason) {
  const int answer = 41;
  SQUALL_CHECK(answer == 41, "must pass");
  EXPECT_DEATH(SQUALL_CHECK(answer == 42, "the answer is wrong"),
               "status_test.cc:[0-9]+: check failed: answer == 42: the answer is wrong");
}

TEST(Format, KnowsAbseilsStringView) {
  EXPECT_EQ(fmt::format("{:>5}", absl::string_view("abc")), "  abc");
}

}  // namespace
}  // namespace squall
