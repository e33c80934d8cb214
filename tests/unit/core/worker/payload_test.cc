#include "core/worker/payload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace squall::core {
namespace {

using ::squall::testing::IsOk;
using ::squall::testing::StatusIs;
using ::testing::HasSubstr;

template <typename T>
void ExpectRoundTrip(const T& value, const std::string& json) {
  const Payload payload = Encode(value);
  EXPECT_EQ(*PayloadToJson(payload), json);
  const StatusOr<T> back = Codec<T>::Decode(payload);
  ASSERT_THAT(back, IsOk());
  EXPECT_EQ(*back, value);
}

TEST(Payload, ValuesSurviveTheRoundTrip) {
  ExpectRoundTrip(true, "true");
  ExpectRoundTrip(-7, "-7");
  ExpectRoundTrip(std::int64_t{1} << 53, "9007199254740992");
  ExpectRoundTrip(0.5, "0.5");
  ExpectRoundTrip(std::string("a\"b\n\xc3\xa4"), "\"a\\\"b\\n\xc3\xa4\"");
  ExpectRoundTrip(Json{R"({"b":1, "a":[1,2.50]})"}, R"({"b":1, "a":[1,2.50]})");
  ExpectRoundTrip(std::optional<int>(3), "3");
  ExpectRoundTrip(std::optional<int>(), "null");
  ExpectRoundTrip(Nothing{}, "null");
}

TEST(Payload, EncodingsAreThoseOfTheSdks) {
  EXPECT_EQ(Encode(1).metadata().at("encoding"), "json/plain");
  EXPECT_EQ(Encode(Nothing{}).metadata().at("encoding"), "binary/null");
  EXPECT_EQ(Encode(Nothing{}).data(), "");
}

TEST(Payload, WholeFloatsAreIntegers) {
  EXPECT_EQ(*Codec<int>::Decode(JsonPayload("3.0")), 3);
  EXPECT_THAT(Codec<int>::Decode(JsonPayload("3.5")),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("an integer")));
  EXPECT_THAT(Codec<int>::Decode(JsonPayload("3000000000")),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("32-bit")));
}

TEST(Payload, WhatDoesNotFitIsNamed) {
  EXPECT_THAT(Codec<int>::Decode(JsonPayload("\"x\"")),
              StatusIs(StatusCode::kInvalidArgument, "expected an integer, found string"));
  EXPECT_THAT(Codec<std::string>::Decode(JsonPayload("{")),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no JSON")));
  Payload other;
  (*other.mutable_metadata())["encoding"] = "binary/encrypted";
  EXPECT_THAT(Codec<Json>::Decode(other),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("binary/encrypted")));
}

TEST(Payload, ArgumentsAreCountedFromOne) {
  const Payloads in = {Encode(1), Encode(std::string("x"))};
  const auto both = DecodeArguments<int, std::string>(in);
  ASSERT_THAT(both, IsOk());
  EXPECT_EQ(*both, std::tuple(1, std::string("x")));
  // Surplus arguments are a newer caller's business; missing optionals an older one's.
  EXPECT_THAT(DecodeArguments<int>(in), IsOk());
  const auto more = DecodeArguments<int, std::string, std::optional<int>>(in);
  ASSERT_THAT(more, IsOk());
  EXPECT_FALSE(std::get<2>(*more).has_value());
  EXPECT_THAT((DecodeArguments<int, std::string, int>(in)),
              StatusIs(StatusCode::kInvalidArgument, "argument 3 is missing: 2 given"));
  EXPECT_THAT((DecodeArguments<int, int>(in)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("argument 2: expected")));
}

}  // namespace
}  // namespace squall::core
