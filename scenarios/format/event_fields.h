#pragma once
// The fields of journal events by name, as text: what `wait` and checks match on.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/event.h"

namespace squall::scenarios {

// The names that stand in the journal's JSON, with "source" in front; empty for an unknown kind.
std::vector<std::string> EventFields(std::string_view kind);

// The field as text: numbers in decimal, durations in nanoseconds, an optional without a value as
// "", lists joined by ",". Nothing when the event has no such field.
std::optional<std::string> EventField(const journal::Event& event, std::string_view field);

}  // namespace squall::scenarios
