#include "scenarios/engine/event_matcher.h"

#include "scenarios/format/event_fields.h"

namespace squall::scenarios {

EventMatcher::EventMatcher(const WaitStep& step) : kind_(step.kind), what_(step.event) {
  for (const auto& [field, text] : step.where) {
    if (text.size() >= 2 && text.front() == '/' && text.back() == '/') {
      where_.emplace_back(field,
                          std::regex(text.substr(1, text.size() - 2), std::regex::ECMAScript));
    } else {
      where_.emplace_back(field, text);
    }
  }
}

bool EventMatcher::Matches(const journal::Event& event) const {
  if (event.kind() != kind_ || event.what() != what_) return false;
  for (const auto& [field, wanted] : where_) {
    const std::optional<std::string> value = EventField(event, field);
    if (!value) return false;
    if (const auto* text = std::get_if<std::string>(&wanted)) {
      if (*value != *text) return false;
    } else if (!std::regex_search(*value, std::get<std::regex>(wanted))) {
      return false;
    }
  }
  return true;
}

}  // namespace squall::scenarios
