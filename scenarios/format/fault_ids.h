#pragma once
// Ids of faults in the journal: the label of the inject step, with the node where the step stands
// for several, and the round where it comes again and again: outage, outage@w-1, outage@w-1#2.

#include <string>
#include <string_view>

namespace squall::scenarios {

std::string FaultId(std::string_view label, std::string_view node, int round);
// The step's label. Labels hold neither mark.
std::string_view FaultLabel(std::string_view id);

}  // namespace squall::scenarios
