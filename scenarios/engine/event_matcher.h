#pragma once
// Whether an event is what a `wait` step waits for.

#include <map>
#include <regex>
#include <string>
#include <variant>
#include <vector>

#include "base/journal/event.h"
#include "scenarios/format/scenario.h"

namespace squall::scenarios {

class EventMatcher {
 public:
  // Of a step that the loader accepted: its regular expressions compile.
  explicit EventMatcher(const WaitStep& step);
  bool Matches(const journal::Event& event) const;

 private:
  std::string kind_, what_;
  std::vector<std::pair<std::string, std::variant<std::string, std::regex>>> where_;
};

}  // namespace squall::scenarios
