#include "fakes/engine/time_zones.h"

#include <fmt/format.h>

#include "fakes/engine/errors.h"

namespace squall::fakes::engine {

StatusOr<absl::TimeZone> LoadZone(const std::string& name) {
  if (name.empty() || name == "UTC" || name == "Local") return absl::UTCTimeZone();
  if (name.find("..") != std::string::npos || name.front() == '/' || name.front() == '\\')
    return InvalidArgument("time: invalid location name");
  absl::TimeZone zone;
  // Abseil knows names of its own (file:, libc:, Fixed/UTC+01:00:00, UTC0) that are no zones here.
  const bool own =
      name.find(':') != std::string::npos || name.starts_with("Fixed/") || name == "UTC0";
  if (own || !absl::LoadTimeZone(name, &zone))
    return InvalidArgument(fmt::format("unknown time zone {}", name));
  return zone;
}

}  // namespace squall::fakes::engine
