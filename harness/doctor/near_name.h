#pragma once
// Which of the names that there are was meant.

#include <optional>
#include <string>
#include <vector>

namespace squall::doctor {

// One that differs in letters' case or punctuation alone ("food-truck", "FoodTruck"), else the
// nearest by edits; never `name` itself.
std::optional<std::string> NearestOther(const std::string& name,
                                        const std::vector<std::string>& names);

}  // namespace squall::doctor
