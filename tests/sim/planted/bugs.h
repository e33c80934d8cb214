#pragma once
// The planted bugs by name (base/util/planted.h).

#include <span>
#include <string_view>

#include "base/util/planted.h"

namespace squall {

struct PlantedBugRow {
  PlantedBug bug;
  std::string_view name;
  std::string_view where;  // engine, front end, host
  // The smallest scenario that shows it: faults, workflows and workers, counted together.
  std::size_t smallest;
  std::string_view what;
};
std::span<const PlantedBugRow> PlantedBugs();
// From then on this one is there.
void Plant(PlantedBug bug);

}  // namespace squall
