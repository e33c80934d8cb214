#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/util/rng.h"
#include "base/wire/grpc.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/base/wire/segments.h"

namespace squall::wire {
namespace {

using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::string RandomBytes(Rng& rng, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(rng.Next());
  return bytes;
}

TEST(GrpcFrameParser, TakesMessagesOutOfAnySegmentation) {
  Rng rng(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> messages;
    std::string stream;
    for (std::size_t i = 0; i < rng.Below(5); ++i) {
      messages.push_back(RandomBytes(rng, rng.Chance(0.3) ? 0 : rng.Below(3000)));
      stream += GrpcFrame(messages.back(), i % 2 == 1);
    }
    GrpcFrameParser parser(10000);
    std::vector<GrpcFrameParser::Frame> frames;
    InPieces(stream, rng, 1 + rng.Below(400), [&](std::string_view piece) {
      EXPECT_OK(parser.Feed(piece, frames));
      return true;
    });
    ASSERT_EQ(frames.size(), messages.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      EXPECT_EQ(frames[i].payload, messages[i]);
      EXPECT_EQ(frames[i].compressed, i % 2 == 1);
    }
    EXPECT_FALSE(parser.partial());
  }
}

TEST(GrpcFrameParser, KnowsACutMessage) {
  const std::string frame = GrpcFrame("hello");
  for (std::size_t size = 1; size < frame.size(); ++size) {
    GrpcFrameParser parser(100);
    std::vector<GrpcFrameParser::Frame> frames;
    ASSERT_OK(parser.Feed(frame.substr(0, size), frames));
    EXPECT_TRUE(parser.partial()) << size;
    EXPECT_TRUE(frames.empty());
  }
}

TEST(GrpcFrameParser, RefusesByThePrefixAlone) {
  GrpcFrameParser parser(100);
  std::vector<GrpcFrameParser::Frame> frames;
  EXPECT_THAT(parser.Feed(std::string("\0\0\0\0\x65", 5), frames),
              StatusIs(StatusCode::kResourceExhausted,
                       "grpc: received message larger than max (101 vs. 100)"));
  EXPECT_FALSE(parser.Feed("x", frames).ok());
  GrpcFrameParser other(100);
  EXPECT_THAT(other.Feed(std::string("\2\0\0\0\1x", 6), frames),
              StatusIs(StatusCode::kInternal, _));
}

TEST(Gzip, GoesThereAndBack) {
  Rng rng(5);
  for (const std::size_t size : {0, 1, 100, 70000, 1000000}) {
    const std::string bytes = RandomBytes(rng, size) + std::string(size, 'a');
    const StatusOr<std::string> back = Gunzip(Gzip(bytes), bytes.size());
    ASSERT_OK(back);
    EXPECT_TRUE(*back == bytes) << size;
  }
}

TEST(Gzip, ReadsSeveralMembers) {
  const StatusOr<std::string> both = Gunzip(Gzip("one ") + Gzip("two"), 100);
  ASSERT_OK(both);
  EXPECT_EQ(*both, "one two");
}

TEST(Gzip, BoundsWhatABombMayBecome) {
  const std::string bomb = Gzip(std::string(50 << 20, '\0'));
  EXPECT_LT(bomb.size(), 300000u);
  EXPECT_THAT(Gunzip(bomb, 4 << 20),
              StatusIs(StatusCode::kResourceExhausted,
                       "grpc: received message after decompression larger than max 4194304"));
}

TEST(Gzip, RefusesWhatIsNone) {
  const std::string good = Gzip("some text that is long enough to be cut somewhere");
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THAT(Gunzip(good.substr(0, size), 1000),
                StatusIs(StatusCode::kInternal, HasSubstr("gzip")))
        << size;
  }
  EXPECT_THAT(Gunzip("plain text", 1000), StatusIs(StatusCode::kInternal, _));
  EXPECT_THAT(Gunzip(good + "tail", 1000), StatusIs(StatusCode::kInternal, _));
}

TEST(GrpcTimeout, ParsesEveryUnitStrictly) {
  EXPECT_EQ(ParseGrpcTimeout("1H"), Duration(1h));
  EXPECT_EQ(ParseGrpcTimeout("2M"), Duration(2min));
  EXPECT_EQ(ParseGrpcTimeout("70S"), Duration(70s));
  EXPECT_EQ(ParseGrpcTimeout("00000003m"), Duration(3ms));
  EXPECT_EQ(ParseGrpcTimeout("4u"), Duration(4us));
  EXPECT_EQ(ParseGrpcTimeout("99999999n"), Duration(99999999ns));
  EXPECT_EQ(ParseGrpcTimeout("0n"), Duration(0));
  EXPECT_EQ(ParseGrpcTimeout("99999999H"), Duration::max());
  for (const char* bad : {"", "S", "1", "1s", "-1S", "1 S", "100000000S", "1SS", "0x1S"}) {
    EXPECT_EQ(ParseGrpcTimeout(bad), std::nullopt) << bad;
  }
}

TEST(GrpcTimeout, FormatsWithoutLosingTime) {
  EXPECT_EQ(FormatGrpcTimeout(5ms), "5000000n");
  EXPECT_EQ(FormatGrpcTimeout(70s), "70000000u");
  EXPECT_EQ(FormatGrpcTimeout(-1s), "0n");
  Rng rng(11);
  for (int i = 0; i < 2000; ++i) {
    const Duration timeout(static_cast<std::int64_t>(rng.Next() >> (1 + rng.Below(60))));
    const std::optional<Duration> back = ParseGrpcTimeout(FormatGrpcTimeout(timeout));
    ASSERT_TRUE(back.has_value());
    EXPECT_GE(*back, timeout);
    EXPECT_LE((*back - timeout).count(), timeout.count() / 100000 + 1);
  }
}

TEST(PercentEncoding, GoesThereAndBackAndForgives) {
  EXPECT_EQ(PercentEncode("a b%\n\xc3\xa9~"), "a b%25%0A%C3%A9~");
  EXPECT_EQ(PercentDecode("%c3%A9 100% %zz %4"), "\xc3\xa9 100% %zz %4");
  Rng rng(13);
  for (int i = 0; i < 200; ++i) {
    const std::string bytes = RandomBytes(rng, rng.Below(50));
    EXPECT_EQ(PercentDecode(PercentEncode(bytes)), bytes);
  }
}

TEST(Base64, GoesThereAndBackWithAndWithoutPadding) {
  EXPECT_EQ(Base64Encode("fooba"), "Zm9vYmE");
  EXPECT_EQ(Base64Decode("Zm9vYmE="), "fooba");
  EXPECT_EQ(Base64Decode("Zm9vYg=="), "foob");
  EXPECT_EQ(Base64Decode(""), "");
  EXPECT_EQ(Base64Decode("Zm9vY"), std::nullopt);
  EXPECT_EQ(Base64Decode("Zm 9"), std::nullopt);
  Rng rng(17);
  for (int i = 0; i < 200; ++i) {
    const std::string bytes = RandomBytes(rng, rng.Below(50));
    EXPECT_EQ(Base64Decode(Base64Encode(bytes)), bytes);
  }
}

TEST(StatusMapping, FollowsTheTables) {
  EXPECT_EQ(GrpcCodeFromHttpStatus(400), 13);
  EXPECT_EQ(GrpcCodeFromHttpStatus(401), 16);
  EXPECT_EQ(GrpcCodeFromHttpStatus(403), 7);
  EXPECT_EQ(GrpcCodeFromHttpStatus(404), 12);
  for (const int status : {429, 502, 503, 504}) EXPECT_EQ(GrpcCodeFromHttpStatus(status), 14);
  EXPECT_EQ(GrpcCodeFromHttpStatus(500), 2);
  EXPECT_EQ(GrpcCodeFromHttp2Error(Http2Error::kRefusedStream), 14);
  EXPECT_EQ(GrpcCodeFromHttp2Error(Http2Error::kCancel), 1);
  EXPECT_EQ(GrpcCodeFromHttp2Error(Http2Error::kEnhanceYourCalm), 8);
  EXPECT_EQ(GrpcCodeFromHttp2Error(Http2Error::kProtocolError), 13);
  EXPECT_EQ(GrpcCodeFromHttp2Error(static_cast<Http2Error>(99)), 2);
}

TEST(GrpcStatus, TurnsIntoAbslAndBack) {
  const GrpcStatus status{5, "no such thing", ""};
  EXPECT_THAT(status.ToStatus(), StatusIs(StatusCode::kNotFound, "no such thing"));
  EXPECT_EQ(GrpcStatus::From(status.ToStatus()).code, 5);
  EXPECT_THAT((GrpcStatus{77, "odd", ""}.ToStatus()), StatusIs(StatusCode::kUnknown, "odd"));
  EXPECT_OK(GrpcStatus{}.ToStatus());
}

}  // namespace
}  // namespace squall::wire
