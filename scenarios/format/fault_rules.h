#pragma once
// Faults of links and servers that are rules of misbehaviour: what a row of the catalogue with its
// parameters asks of whoever obeys such rules, a frame-aware proxy or a front end.

#include <string>
#include <string_view>

#include "base/util/status.h"
#include "base/wire/misbehaviour.h"
#include "scenarios/format/check_spec.h"
#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {

// `params` are complete. NOT_FOUND for a fault that is no rule; INVALID_ARGUMENT where a rule was
// given that is none.
StatusOr<wire::Rule> RuleOfFault(FaultTarget target, std::string_view fault, const std::string& id,
                                 const Params& params);

// What a connection was told, or has become, stays with it when the rule is gone.
bool OutlastsHealing(const wire::Rule& rule);

}  // namespace squall::scenarios
