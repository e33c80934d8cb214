#include "base/util/connection_pattern.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace squall {
namespace {

constexpr std::uint64_t kOnwards = std::numeric_limits<std::uint64_t>::max();

// A number from 1 on, and nothing else.
std::optional<std::uint64_t> Number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0) return std::nullopt;
  return value;
}

}  // namespace

StatusOr<ConnectionPattern> ConnectionPattern::Parse(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "'{}' chooses no connections: {} (for example 1, 2-3, 5+, 2-3/3)", text, why);
  };
  ConnectionPattern pattern;
  std::string_view list = text;
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    const std::optional<std::uint64_t> period = Number(text.substr(slash + 1));
    if (!period) return bad("behind the slash stands after how many it begins anew");
    pattern.period_ = *period;
    list = text.substr(0, slash);
  }
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view item = list.substr(0, comma);
    std::optional<std::uint64_t> first, last;
    if (const std::size_t dash = item.find('-'); dash != std::string_view::npos) {
      first = Number(item.substr(0, dash));
      last = Number(item.substr(dash + 1));
    } else if (item.ends_with('+')) {
      first = Number(item.substr(0, item.size() - 1));
      last = kOnwards;
    } else {
      first = last = Number(item);
    }
    if (!first || !last) return bad("numbers count from 1");
    if (*first > *last) return bad("a range begins with its lower end");
    if (pattern.period_ != 0 && *first > pattern.period_)
      return bad("a number is beyond where it begins anew");
    pattern.ranges_.push_back({*first, *last});
    if (comma == std::string_view::npos) return pattern;
    list.remove_prefix(comma + 1);
  }
}

bool ConnectionPattern::Matches(std::uint64_t number) const {
  const std::uint64_t at = period_ == 0 ? number : (number - 1) % period_ + 1;
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const Range& range) { return range.first <= at && at <= range.last; });
}

}  // namespace squall
