#pragma once
// The topology of a scenario file; part of the loader.

#include "scenarios/format/object_reader.h"
#include "scenarios/format/scenario.h"

namespace squall::scenarios {

// Reads the `topology` of one subject, patched, and fills `names` with what it declares.
StatusOr<Topology> ReadTopology(const ReadContext& context, const YamlNode& node,
                                KnownNames* names);

}  // namespace squall::scenarios
