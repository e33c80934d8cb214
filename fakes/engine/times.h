#pragma once
// Between protobuf's times and squall's.

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "base/util/clock.h"

namespace squall::fakes::engine {

google::protobuf::Timestamp ToProto(WallTime time);
google::protobuf::Duration ToProto(Duration duration);
WallTime FromProto(const google::protobuf::Timestamp& time);
// Cut off at 100 years, as the real server does it; times at 1780 and 2160: sums do not overflow.
Duration FromProto(const google::protobuf::Duration& duration);
bool Negative(const google::protobuf::Duration& duration);

}  // namespace squall::fakes::engine
