#pragma once
// Which connections, by their numbers: "1", "2-3", "5+", several of them with commas between, and
// behind a slash after how many it begins anew: "2-3/3" is the second and third of every three.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/util/status.h"

namespace squall {

class ConnectionPattern {
 public:
  // INVALID_ARGUMENT says what is wrong with it.
  static StatusOr<ConnectionPattern> Parse(std::string_view text);

  // `number` counts from 1.
  bool Matches(std::uint64_t number) const;

 private:
  struct Range {
    std::uint64_t first, last;
  };
  std::vector<Range> ranges_;
  std::uint64_t period_ = 0;  // 0: none
};

}  // namespace squall
