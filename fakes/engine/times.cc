#include "fakes/engine/times.h"

#include <algorithm>
#include <cstdint>

namespace squall::fakes::engine {
namespace {
constexpr std::int64_t kNanos = 1'000'000'000;
constexpr std::int64_t kYear = std::int64_t{365} * 24 * 3600;
// What the real server cuts durations to (maxAllowedDuration).
constexpr std::int64_t kLongest = 100 * kYear;
// Around 1970. With a longest duration added or subtracted there is still no overflow.
constexpr std::int64_t kFurthest = 190 * kYear;
}  // namespace

google::protobuf::Timestamp ToProto(WallTime time) {
  google::protobuf::Timestamp proto;
  const std::int64_t total = time.time_since_epoch().count();
  std::int64_t seconds = total / kNanos;
  std::int64_t nanos = total % kNanos;
  if (nanos < 0) {  // protobuf counts nanoseconds forward from the second
    nanos += kNanos;
    --seconds;
  }
  proto.set_seconds(seconds);
  proto.set_nanos(static_cast<std::int32_t>(nanos));
  return proto;
}

google::protobuf::Duration ToProto(Duration duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(duration.count() / kNanos);
  proto.set_nanos(static_cast<std::int32_t>(duration.count() % kNanos));
  return proto;
}

WallTime FromProto(const google::protobuf::Timestamp& time) {
  const std::int64_t seconds = std::clamp(time.seconds(), -kFurthest, kFurthest);
  return WallTime(std::chrono::nanoseconds(seconds * kNanos + time.nanos()));
}

Duration FromProto(const google::protobuf::Duration& duration) {
  const std::int64_t seconds = std::clamp(duration.seconds(), -kLongest, kLongest);
  return Duration(seconds * kNanos + duration.nanos());
}

bool Negative(const google::protobuf::Duration& duration) {
  return FromProto(duration).count() < 0;
}

}  // namespace squall::fakes::engine
