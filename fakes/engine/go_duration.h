#pragma once

#include <string_view>

#include "base/util/clock.h"
#include "base/util/status.h"

namespace squall::fakes::engine {

// Go durations with days: "1h30m", "1.5d", "500ms".
StatusOr<Duration> ParseGoDuration(std::string_view text);

}  // namespace squall::fakes::engine
