#pragma once
// Core's own assertions, as further invariants and as coverage.
//
// Core says in some twenty places what must always hold, what must never be reached, and what a
// good test sees sometimes. They are compiled in where SQUALL_CORE_ASSERTIONS is on (its feature
// `antithesis_assertions`), and written, each way the first time only, to a file that a variable
// names. In the simulation that file is nobody's: lines go to whoever listens here.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "scenarios/format/verdict.h"

namespace squall::sim {

// What simulated processes find in their environment, and the file's name.
inline constexpr const char* kCoreAssertionsVariable = "ANTITHESIS_SDK_LOCAL_OUTPUT";
inline constexpr const char* kCoreAssertionsFile = "/squall/core-assertions";

struct CoreAssertion {
  std::string kind;  // Always, AlwaysOrUnreachable, Sometimes, Reachable, Unreachable
  std::uint64_t held = 0, failed = 0;  // runs in which its condition was seen to be true, false
  std::string details;                 // of the first time that it failed, as JSON

  // Something that must not be was.
  bool Violated() const;
};
// By what they say.
using CoreAssertionTable = std::map<std::string, CoreAssertion>;

void Add(CoreAssertionTable& sum, const CoreAssertionTable& more);
// A Markdown table, a row for each that core has; "" when it has none compiled in.
std::string ToMarkdown(const CoreAssertionTable& table);

// Listens from its making on; time must be virtual already, and it stays as long as the run.
class CoreAssertions {
 public:
  CoreAssertions();
  CoreAssertions(const CoreAssertions&) = delete;
  CoreAssertions& operator=(const CoreAssertions&) = delete;

  // One line of the file.
  void Take(std::string_view line);
  const CoreAssertionTable& table() const { return table_; }
  // The oracle `core_assertions`, when one is violated.
  std::optional<scenarios::CheckResult> Violation() const;

 private:
  CoreAssertionTable table_;
};

}  // namespace squall::sim
