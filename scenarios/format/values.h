#pragma once
// Scalars with units, from text: 250ms, 64KiB, 1MiB/s. Strict: what is not wholly understood is
// nothing.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/util/clock.h"

namespace squall::scenarios {

std::optional<std::int64_t> ParseInt(
    std::string_view text);                                // 3, -1; no +, no 0x, no leading zeros
std::optional<double> ParseNumber(std::string_view text);  // 0.25, 3, 1e-3
// One or more of <number><unit>, units h m s ms us ns, largest first: 3s, 250ms, 1.5s, 1m30s. 0
// needs a unit too.
std::optional<Duration> ParseDuration(std::string_view text);
std::optional<std::int64_t> ParseSize(
    std::string_view text);  // 1500B, 64KiB, 4MiB, 1GiB, and KB MB GB (powers of 1000)
std::optional<std::int64_t> ParseRate(std::string_view text);  // a size followed by /s

}  // namespace squall::scenarios
