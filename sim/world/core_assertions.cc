// Adapter to nlohmann's JSON, whose exceptions end here.
#include "sim/world/core_assertions.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sim/kernel/files.h"
#include "sim/kernel/scheduler.h"

namespace squall::sim {

bool CoreAssertion::Violated() const {
  if (kind == "Unreachable") return held + failed > 0;
  return kind.starts_with("Always") && failed > 0;
}

void Add(CoreAssertionTable& sum, const CoreAssertionTable& more) {
  for (const auto& [says, assertion] : more) {
    CoreAssertion& total = sum[says];
    total.kind = assertion.kind;
    total.held += std::min<std::uint64_t>(assertion.held, 1);
    total.failed += std::min<std::uint64_t>(assertion.failed, 1);
    if (total.details.empty()) total.details = assertion.details;
  }
}

std::string ToMarkdown(const CoreAssertionTable& table) {
  if (table.empty()) return "";
  std::string text =
      "| core's assertion | kind | runs in which it held | runs in which it did not "
      "|\n|---|---|---|---|\n";
  for (const auto& [says, assertion] : table)
    text += fmt::format("| {} | {} | {} | {} |\n", says, assertion.kind, assertion.held,
                        assertion.failed);
  return text;
}

CoreAssertions::CoreAssertions() {
  AddOutput(kCoreAssertionsFile, [this](std::string_view line) { Take(line); });
  TheScheduler().process()->environment[kCoreAssertionsVariable] = kCoreAssertionsFile;
}

void CoreAssertions::Take(std::string_view line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  // The first line tells who writes.
  const auto entry = json.is_object() ? json.find("antithesis_assert") : json.end();
  if (entry == json.end() || !entry->is_object()) return;
  CoreAssertion& assertion = table_[entry->value("message", "")];
  assertion.kind = entry->value("display_type", "");
  // At first all there are are told, as not met yet.
  if (!entry->value("hit", false)) return;
  if (entry->value("condition", false)) {
    ++assertion.held;
  } else if (++assertion.failed == 1) {
    assertion.details = entry->value("details", nlohmann::json())
                            .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
}

std::optional<scenarios::CheckResult> CoreAssertions::Violation() const {
  std::string expected, happened;
  for (const auto& [says, assertion] : table_) {
    if (!assertion.Violated()) continue;
    expected +=
        fmt::format("{}core's own: {} ({})", expected.empty() ? "" : "; ", says, assertion.kind);
    happened += fmt::format("{}{}", happened.empty() ? "" : "; ", assertion.details);
  }
  if (expected.empty()) return std::nullopt;
  return scenarios::CheckResult{"oracle:core_assertions", scenarios::Outcome::kFail, expected,
                                happened};
}

}  // namespace squall::sim
