// FarmHash's Fingerprint32: from it the real server takes which workflows a ramp chooses and the
// jitter of schedules.
#pragma once

#include <cstdint>
#include <string_view>

namespace squall::fakes::engine {

std::uint32_t Fingerprint32(std::string_view text);

}  // namespace squall::fakes::engine
