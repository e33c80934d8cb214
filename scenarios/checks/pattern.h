#pragma once
// Events named in a scenario: "process.exited process=w reason=unexpected", "worker.retrying
// detail=/refused/".

#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/event.h"
#include "base/util/status.h"

namespace squall::scenarios {

// A kind, a word of it, and fields that must have a value: text to be equal to, or a regular
// expression between slashes that must be found in it. Fields are separated by spaces; a value with
// spaces stands in double quotes.
class EventPattern {
 public:
  // INVALID_ARGUMENT names the kind, word or field that does not exist, with the nearest that does.
  static StatusOr<EventPattern> Parse(std::string_view text);

  bool Matches(const journal::Event& event) const;
  // As it was written.
  const std::string& text() const { return text_; }
  const std::string& kind() const { return kind_; }

 private:
  struct Field {
    std::string name, value;
    std::optional<std::regex> regex;
  };
  std::string text_, kind_, word_;
  std::vector<Field> fields_;
};

}  // namespace squall::scenarios
