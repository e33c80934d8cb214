#include "scenarios/format/json_text.h"

#include <nlohmann/json.hpp>

namespace squall::scenarios {

bool SameJson(std::string_view a, std::string_view b) {
  const auto left = nlohmann::json::parse(a, nullptr, /*allow_exceptions=*/false);
  const auto right = nlohmann::json::parse(b, nullptr, /*allow_exceptions=*/false);
  return !left.is_discarded() && !right.is_discarded() && left == right;
}

}  // namespace squall::scenarios
