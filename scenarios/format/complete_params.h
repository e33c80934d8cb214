#pragma once
// Parameters that come from code instead of a scenario file, brought into the same state: checked
// against their table, defaults filled in.

#include <string_view>

#include "base/util/status.h"
#include "scenarios/format/check_spec.h"

namespace squall::scenarios {

// `what` names their owner in errors: "fault stall". INVALID_ARGUMENT, with the nearest right name
// where there is one, for a parameter that the table does not know, that has another type, is
// outside its limits, or is missing.
StatusOr<Params> CompleteParams(std::string_view what, const ParamTable& table, Params given);

}  // namespace squall::scenarios
