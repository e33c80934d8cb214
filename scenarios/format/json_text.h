#pragma once
// Workflow inputs and results, which travel as JSON text.

#include <string>
#include <string_view>

namespace squall::scenarios {

// Whether both are JSON and mean the same value, whatever their spacing and the order of their
// keys.
bool SameJson(std::string_view a, std::string_view b);

}  // namespace squall::scenarios
