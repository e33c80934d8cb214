#include "fakes/engine/times.h"

#include <cstdint>
#include <limits>

namespace squall::fakes::engine {
namespace {
constexpr std::int64_t kNanos = 1'000'000'000;
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
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / kNanos - 1;
  const std::int64_t seconds = time.seconds() > kMost    ? kMost
                               : time.seconds() < -kMost ? -kMost
                                                         : time.seconds();
  return WallTime(std::chrono::nanoseconds(seconds * kNanos + time.nanos()));
}

Duration FromProto(const google::protobuf::Duration& duration) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / kNanos - 1;
  const std::int64_t seconds = duration.seconds() > kMost    ? kMost
                               : duration.seconds() < -kMost ? -kMost
                                                             : duration.seconds();
  return Duration(seconds * kNanos + duration.nanos());
}

}  // namespace squall::fakes::engine
