#include "reports/junit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/util/text.h"
#include "reports/xml.h"

namespace squall::reports {
namespace {

std::string Seconds(Duration d) {
  return fmt::format("{:.3f}", static_cast<double>(d.count()) / 1e9);
}

std::string Explanation(const SubjectReport& subject) {
  std::string text = fmt::format("{}\n", subject.title);
  if (subject.broken())
    text += fmt::format("expected to fail: {}\n", fmt::join(subject.expected_failures, ", "));
  for (const journal::CheckResult& check : subject.checks) {
    if (check.outcome == journal::Outcome::kPass &&
        std::find(subject.expected_failures.begin(), subject.expected_failures.end(),
                  check.check) == subject.expected_failures.end()) {
      continue;
    }
    text += fmt::format("\n{}: {}\n  expected: {}\n  happened: {}\n", check.check,
                        journal::OutcomeName(check.outcome), check.expected, check.happened);
  }
  for (const std::string& leak : subject.leaks) text += fmt::format("\nleft behind: {}\n", leak);
  text += fmt::format("\nseed: {}\nrepeat: {}\n", subject.seed, subject.repeat_command);
  if (!subject.work_directory.empty())
    text += fmt::format("work folder: {}\n", subject.work_directory);
  return text;
}

std::string Result(std::string_view tag, std::string_view type, const std::string& message,
                   const std::string& text) {
  return fmt::format("      <{0}{1}{2}>{3}</{0}>\n", tag, XmlAttribute("message", message),
                     XmlAttribute("type", type), XmlText(text));
}

std::string Case(const SubjectReport& subject) {
  std::string out = fmt::format(
      "    <testcase{}{}{}>\n", XmlAttribute("name", subject.Label()),
      XmlAttribute("classname", fmt::format("squall.{}.{}", subject.world, subject.scenario)),
      XmlAttribute("time", Seconds(subject.took)));
  const std::string message = subject.explanation.empty() ? subject.title : subject.explanation;
  const StatusWord word = StatusOf(subject);
  // In the order of Surefire's schema: failure, flakyFailure, skipped, error, system-out.
  if (word == StatusWord::kFail || word == StatusWord::kMissed) {
    out += Result("failure", word == StatusWord::kFail ? "fail" : "missed", message,
                  Explanation(subject));
  }
  if (word == StatusWord::kFlaky) {
    out += fmt::format("      <flakyFailure{}{}><stackTrace>{}</stackTrace></flakyFailure>\n",
                       XmlAttribute("message", "its repetitions differ"),
                       XmlAttribute("type", "flaky"), XmlText(Explanation(subject)));
  }
  if (word == StatusWord::kSkip)
    out += fmt::format("      <skipped{}/>\n", XmlAttribute("message", subject.skipped));
  if (word == StatusWord::kUnknown) {
    const char* type = subject.aborted ? "aborted" : subject.timed_out ? "timeout" : "unknown";
    out += Result("error", type, message, Explanation(subject));
  }
  if (word == StatusWord::kLeak) {
    out += Result("error", "leaky", fmt::format("left behind: {}", fmt::join(subject.leaks, ", ")),
                  Explanation(subject));
  }
  if (!subject.last_lines.empty()) {
    out += fmt::format("      <system-out>{}</system-out>\n",
                       XmlText(fmt::format("{}\n", fmt::join(subject.last_lines, "\n"))));
  }
  return out + "    </testcase>\n";
}

struct Tally {
  std::size_t tests = 0, failures = 0, errors = 0, skipped = 0;
  Duration took{};

  void Add(const SubjectReport& subject) {
    ++tests;
    took += subject.took;
    switch (StatusOf(subject)) {
      case StatusWord::kFail:
      case StatusWord::kMissed:
        ++failures;
        break;
      case StatusWord::kUnknown:
      case StatusWord::kLeak:
        ++errors;
        break;
      case StatusWord::kSkip:
        ++skipped;
        break;
      default:
        break;
    }
  }
  std::string Attributes() const {
    return fmt::format(" tests=\"{}\" failures=\"{}\" errors=\"{}\"", tests, failures, errors);
  }
};

std::string Property(std::string_view name, std::string_view value) {
  return fmt::format("      <property{}{}/>\n", XmlAttribute("name", name),
                     XmlAttribute("value", value));
}

}  // namespace

std::string JUnitXml(const RunReport& run, const std::string& hostname) {
  std::vector<std::string> worlds = run.worlds;
  Tally all;
  for (const SubjectReport& subject : run.subjects) {
    all.Add(subject);
    if (std::find(worlds.begin(), worlds.end(), subject.world) == worlds.end())
      worlds.push_back(subject.world);
  }
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += fmt::format("<testsuites name=\"squall\"{} time=\"{}\">\n", all.Attributes(),
                     Seconds(run.took));
  for (const std::string& world : worlds) {
    std::vector<SubjectReport> subjects;
    Tally tally;
    for (const SubjectReport& subject : run.subjects) {
      if (subject.world != world) continue;
      tally.Add(subject);
      subjects.push_back(subject);
    }
    out += fmt::format("  <testsuite{}{} skipped=\"{}\" time=\"{}\"{}{}>\n",
                       XmlAttribute("name", "squall." + world), tally.Attributes(), tally.skipped,
                       Seconds(tally.took), XmlAttribute("timestamp", FormatSecond(run.began)),
                       XmlAttribute("hostname", hostname));
    out += "    <properties>\n" + Property("world", world) +
           Property("seed", std::to_string(run.seed)) + Property("jobs", std::to_string(run.jobs)) +
           Property("squall", run.version);
    for (const auto& [name, version] : VersionsOf(subjects))
      out += Property("version." + name, version);
    if (run.aborted) out += Property("aborted", "true");
    out += "    </properties>\n";
    for (const SubjectReport& subject : subjects) out += Case(subject);
    out += "  </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

}  // namespace squall::reports
