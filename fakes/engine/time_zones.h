#pragma once
// Time zones: by name, from the system's tz database, or as the bytes of such a file.

#include <absl/time/time.h>

#include <string>

#include "base/util/status.h"

namespace squall::fakes::engine {

// "" and "Local" are UTC. The errors' texts are those of Go's time.LoadLocation.
StatusOr<absl::TimeZone> LoadZone(const std::string& name);

// From a TZif file's bytes; they stay in memory, as names do.
StatusOr<absl::TimeZone> ZoneFromData(const std::string& data);

}  // namespace squall::fakes::engine
