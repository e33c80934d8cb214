#include "harness/doctor/near_name.h"

#include <algorithm>
#include <iterator>

#include "base/util/text.h"

namespace squall::doctor {
namespace {

std::string Folded(std::string_view text) {
  std::string result = LowerCase(text);
  std::erase_if(result, [](char c) { return Contains("-_. ", {&c, 1}); });
  return result;
}

}  // namespace

std::optional<std::string> NearestOther(const std::string& name,
                                        const std::vector<std::string>& names) {
  std::vector<std::string> others;
  std::ranges::copy_if(names, std::back_inserter(others),
                       [&](const std::string& one) { return one != name; });
  const auto same = std::ranges::find(others, Folded(name), Folded);
  return same != others.end() ? std::optional(*same) : Nearest(name, others);
}

}  // namespace squall::doctor
