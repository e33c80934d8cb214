#pragma once
// What a judgement can be, from a single check to a whole run: pass < unknown < fail, the worst
// wins.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace squall::journal {

// kUnknown: the infrastructure, not the subject, kept the check from being judged (an event kind
// that the world does not observe, a heal that failed, a child that crashed). Never read as pass.
enum class Outcome { kPass, kUnknown, kFail };

// "pass", "unknown", "fail": the words of AssertionEvent.
constexpr std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPass:
      return "pass";
    case Outcome::kUnknown:
      return "unknown";
    case Outcome::kFail:
      return "fail";
  }
  return "unknown";
}

constexpr std::optional<Outcome> OutcomeFromName(std::string_view name) {
  for (const Outcome outcome : {Outcome::kPass, Outcome::kUnknown, Outcome::kFail}) {
    if (OutcomeName(outcome) == name) return outcome;
  }
  return std::nullopt;
}

constexpr Outcome Worst(Outcome a, Outcome b) { return std::max(a, b); }

// What one check concluded. `check` is unique within a scenario (CheckSpec::id).
struct CheckResult {
  std::string check;
  Outcome outcome = Outcome::kUnknown;
  std::string expected, happened;
};

}  // namespace squall::journal
