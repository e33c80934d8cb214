#pragma once
// Steps of a scenario file; part of the loader.

#include <vector>

#include "scenarios/format/object_reader.h"
#include "scenarios/format/scenario.h"

namespace squall::scenarios {

// `list`: the `steps` of one subject, patched. `names.check_nodes` is set and names stand for
// `topology`'s.
StatusOr<std::vector<Step>> ReadSteps(const ReadContext& context, const YamlNode& list,
                                      const Topology& topology);

// A name for a step, a subject, a node, ...: letters, digits and _ . - : > inside.
Status CheckIdentifier(const ReadContext& context, const YamlNode& node, std::string_view what);

}  // namespace squall::scenarios
