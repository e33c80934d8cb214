#include "reports/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/util/text.h"

namespace squall::reports {

using journal::Outcome;

std::string SubjectReport::Label() const {
  std::string label = fmt::format("{}/{}", scenario, subject);
  if (repetition > 1) label += fmt::format("#{}", repetition);
  return label;
}

StatusWord StatusOf(const SubjectReport& subject) {
  if (!subject.ran()) return StatusWord::kSkip;
  if (subject.verdict == Outcome::kFail)
    return subject.broken() ? StatusWord::kMissed : StatusWord::kFail;
  if (subject.verdict == Outcome::kUnknown) return StatusWord::kUnknown;
  if (!subject.leaks.empty()) return StatusWord::kLeak;
  if (subject.flaky) return StatusWord::kFlaky;
  return subject.caught ? StatusWord::kCaught : StatusWord::kPass;
}

std::string_view StatusWordText(StatusWord word) {
  switch (word) {
    case StatusWord::kPass:
      return "PASS";
    case StatusWord::kCaught:
      return "CAUGHT";
    case StatusWord::kFail:
      return "FAIL";
    case StatusWord::kMissed:
      return "MISSED";
    case StatusWord::kUnknown:
      return "UNKNOWN";
    case StatusWord::kSkip:
      return "SKIP";
    case StatusWord::kFlaky:
      return "FLAKY";
    case StatusWord::kLeak:
      return "LEAK";
  }
  return "UNKNOWN";
}

Counts CountOf(std::span<const SubjectReport> subjects) {
  Counts counts;
  for (const SubjectReport& subject : subjects) {
    if (!subject.ran()) {
      ++counts.skipped;
      continue;
    }
    ++counts.ran;
    if (subject.flaky) ++counts.flaky;
    if (!subject.leaks.empty()) ++counts.leaky;
    if (subject.verdict == Outcome::kPass) ++(subject.caught ? counts.caught : counts.passed);
    if (subject.verdict == Outcome::kUnknown) ++counts.unknown;
    if (subject.verdict == Outcome::kFail) ++(subject.broken() ? counts.missed : counts.failed);
  }
  return counts;
}

std::map<std::string, std::string> VersionsOf(std::span<const SubjectReport> subjects) {
  std::map<std::string, std::vector<std::string>> seen;
  for (const SubjectReport& subject : subjects) {
    for (const auto& [name, version] : subject.versions) {
      auto& versions = seen[name];
      if (std::find(versions.begin(), versions.end(), version) == versions.end())
        versions.push_back(version);
    }
  }
  std::map<std::string, std::string> joined;
  for (const auto& [name, versions] : seen)
    joined[name] = fmt::format("{}", fmt::join(versions, ", "));
  return joined;
}

bool NaturalLess(std::string_view a, std::string_view b) {
  const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  while (!a.empty() && !b.empty()) {
    if (digit(a.front()) && digit(b.front())) {
      const auto take = [&](std::string_view& text) {
        std::size_t n = 0;
        while (n < text.size() && digit(text[n])) ++n;
        std::string_view number = text.substr(0, n);
        text.remove_prefix(n);
        while (number.size() > 1 && number.front() == '0') number.remove_prefix(1);
        return number;
      };
      const std::string_view na = take(a), nb = take(b);
      if (na.size() != nb.size()) return na.size() < nb.size();
      if (na != nb) return na < nb;
      continue;
    }
    if (a.front() != b.front()) return a.front() < b.front();
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  return a.empty() && !b.empty();
}

std::vector<std::string> LastLines(std::span<const journal::Event> events, std::size_t count,
                                   std::string_view of) {
  std::vector<std::string> lines;
  for (auto it = events.rbegin(); it != events.rend() && lines.size() < count; ++it) {
    const auto* log = it->As<journal::LogEvent>();
    if (log == nullptr || (!of.empty() && log->process != of)) continue;
    lines.push_back(fmt::format("{} | {}", log->process, EscapeControl(log->line)));
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

}  // namespace squall::reports
