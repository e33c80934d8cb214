#pragma once
// Time zones by name, from the system's tz database.

#include <absl/time/time.h>

#include <string>

#include "base/util/status.h"

namespace squall::fakes::engine {

// "" and "Local" are UTC. The errors' texts are those of Go's time.LoadLocation.
StatusOr<absl::TimeZone> LoadZone(const std::string& name);

}  // namespace squall::fakes::engine
