#pragma once
// What a scenario gives its programs and no report may show.

#include <string>
#include <vector>

#include "scenarios/format/scenario.h"

namespace squall::scenarios {

std::vector<std::string> SecretsOf(const Topology& topology);

}  // namespace squall::scenarios
