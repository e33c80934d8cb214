#pragma once
// Words that who writes an event and who reads it agree on, where a field is free text.

#include <string_view>

namespace squall::journal {

// ProcessEvent::detail at "starting" of a server that had data and comes back without them.
inline constexpr std::string_view kWithoutItsData = "without its data";

}  // namespace squall::journal
