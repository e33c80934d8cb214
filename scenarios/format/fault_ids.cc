#include "scenarios/format/fault_ids.h"

#include <fmt/format.h>

namespace squall::scenarios {

std::string FaultId(std::string_view label, std::string_view node, int round) {
  std::string id(label);
  if (!node.empty()) id += fmt::format("@{}", node);
  if (round > 1) id += fmt::format("#{}", round);
  return id;
}

std::string_view FaultLabel(std::string_view id) { return id.substr(0, id.find_first_of("@#")); }

}  // namespace squall::scenarios
