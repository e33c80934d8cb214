// Labelled cases: the doctor names the right cause first, and never says healthy of what is not.
//
// In `make test` a part of them: one case for each cause, and no more than a few that say nothing.
// `make prove-doctor` (SQUALL_DOCTOR_DRAWN) takes all of them and more from seeds, and writes the
// confusion matrix.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "base/util/text.h"
#include "tests/integration/doctor/cases.h"

namespace squall::doctor {
namespace {

using namespace std::chrono_literals;

std::size_t DrawnWanted() {
  const char* text = std::getenv("SQUALL_DOCTOR_DRAWN");
  return text != nullptr ? std::strtoul(text, nullptr, 10) : 0;
}
std::uint64_t DrawnSeed() {
  const char* text = std::getenv("SQUALL_DOCTOR_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
}

// PORT:PORT of a dev server's frontend and its web interface.
std::optional<RealServer> Real() {
  const char* text = std::getenv("SQUALL_DOCTOR_REAL");
  if (text == nullptr) return std::nullopt;
  RealServer real;
  SQUALL_CHECK(std::sscanf(text, "%hu:%hu", &real.port, &real.web_port) == 2, text);
  return real;
}

constexpr std::string_view kCouldNotTell = "could not tell: ";

std::string NamedCause(const DoctorCase& one, const Diagnosis& diagnosis) {
  if (diagnosis.verdict() == Verdict::kHealthy) {
    const auto noticed = std::ranges::find(diagnosis.findings, one.expected, &Finding::cause);
    return one.notice && noticed != diagnosis.findings.end() ? one.expected : "healthy";
  }
  const Finding* cause = diagnosis.cause();
  if (cause == nullptr) return "unknown";
  return diagnosis.verdict() == Verdict::kUnknown ? fmt::format("{}{}", kCouldNotTell, cause->cause)
                                                  : cause->cause;
}

// What is to be in the catalogue.
std::string_view CauseOf(const DoctorCase& one) {
  std::string_view cause = one.expected;
  if (cause.starts_with(kCouldNotTell)) cause.remove_prefix(kCouldNotTell.size());
  return cause;
}

struct Tally {
  std::map<std::string, std::map<std::string, std::size_t>> got;  // by what was expected
  std::vector<std::string> wrong, slow;
  std::size_t cases = 0, right = 0, healthy_wrongly = 0;
  Duration slowest_definite{}, slowest_silent{}, slowest_healthy{};
};

void Count(const DoctorCase& one, Tally& tally) {
  DoctorBed bed(tally.cases + 1);
  one.prepare(bed);
  const Diagnosis diagnosis = bed.Examine();
  const std::string named = NamedCause(one, diagnosis);
  ++tally.cases;
  ++tally.got[one.expected][named];
  if (named == one.expected) {
    ++tally.right;
  } else {
    std::string all;
    for (const Finding& finding : diagnosis.findings)
      all += fmt::format("\n    {} ({})", finding.cause, finding.evidence);
    tally.wrong.push_back(
        fmt::format("{}: expected {}, named {}{}", one.name, one.expected, named, all));
  }
  if (named == "healthy" && one.expected != "healthy") ++tally.healthy_wrongly;
  Duration& slowest = one.silent                  ? tally.slowest_silent
                      : one.expected == "healthy" ? tally.slowest_healthy
                                                  : tally.slowest_definite;
  // What is drawn runs behind links that are slow on purpose.
  if (!one.name.starts_with("drawn")) slowest = std::max(slowest, diagnosis.took);
  if (!one.silent && diagnosis.took > std::chrono::milliseconds(300))
    tally.slow.push_back(fmt::format("{}: {}", one.name, FormatDuration(diagnosis.took)));
}

std::string Matrix(const Tally& tally) {
  std::string text = "| expected | cases | named first | otherwise |\n|---|---|---|---|\n";
  for (const auto& [expected, got] : tally.got) {
    std::size_t all = 0;
    std::string others;
    for (const auto& [named, count] : got) {
      all += count;
      if (named != expected)
        others += fmt::format("{}{} x {}", others.empty() ? "" : ", ", count, named);
    }
    const auto right = got.find(expected);
    text += fmt::format("| `{}` | {} | {} | {} |\n", expected, all,
                        right != got.end() ? right->second : 0, others);
  }
  return text;
}

// One for each cause, and every third of the rest; of the silent ones a few.
std::vector<DoctorCase> QuickPart(std::vector<DoctorCase> all) {
  std::vector<DoctorCase> chosen;
  std::set<std::string> causes;
  std::size_t number = 0;
  for (DoctorCase& one : all) {
    const bool first = causes.insert(one.expected).second;
    if (first || (!one.silent && ++number % 4 == 0)) chosen.push_back(std::move(one));
  }
  return chosen;
}

TEST(DoctorCasesTest, TheRightCauseIsNamedFirst) {
  const std::size_t drawn = DrawnWanted();
  std::vector<DoctorCase> cases = SettingsCases();
  for (DoctorCase& one : TargetCases()) cases.push_back(std::move(one));
  for (DoctorCase& one : WayCases()) cases.push_back(std::move(one));
  if (drawn == 0) cases = QuickPart(std::move(cases));
  if (const auto real = Real()) {
    for (DoctorCase& one : RealCases(*real)) cases.push_back(std::move(one));
  }
  for (DoctorCase& one : DrawnCases(DrawnSeed(), drawn == 0 ? 10 : drawn))
    cases.push_back(std::move(one));

  // SQUALL_DOCTOR_ONLY: those whose name has this in it.
  const char* only = std::getenv("SQUALL_DOCTOR_ONLY");
  if (only != nullptr)
    std::erase_if(cases, [only](const DoctorCase& one) { return !Contains(one.name, only); });

  Tally tally;
  std::set<std::string> causes;
  for (const DoctorCase& one : cases) {
    ASSERT_TRUE(one.expected == "healthy" || FindCause(CauseOf(one)) != nullptr)
        << one.name << ": no cause " << one.expected;
    causes.insert(one.expected);
    Count(one, tally);
  }
  causes.erase("healthy");
  const auto drawn_ones = std::ranges::count_if(
      cases, [](const DoctorCase& one) { return one.name.starts_with("drawn "); });
  const std::string sum = fmt::format(
      "{} cases ({} drawn from seed {}), {} causes: {} right ({:.1f} %), {} wrongly healthy; "
      "slowest: definite {}, silent {}, healthy {}",
      tally.cases, drawn_ones, DrawnSeed(), causes.size(), tally.right,
      100.0 * static_cast<double>(tally.right) / static_cast<double>(tally.cases),
      tally.healthy_wrongly, FormatDuration(tally.slowest_definite),
      FormatDuration(tally.slowest_silent), FormatDuration(tally.slowest_healthy));
  std::printf("%s\n", sum.c_str());
  if (const char* file = std::getenv("SQUALL_DOCTOR_MATRIX")) {
    std::ofstream(file) << sum << ".\n\n" << Matrix(tally);
  }
  std::string wrong;
  for (const std::string& one : tally.wrong) wrong += "\n  " + one;
  EXPECT_EQ(tally.healthy_wrongly, 0u);
  if (only == nullptr) {
    EXPECT_GE(causes.size(), 31u);
  }
  for (const std::string& one : tally.slow) std::printf("slow: %s\n", one.c_str());
  EXPECT_GE(static_cast<double>(tally.right), 0.99 * static_cast<double>(tally.cases)) << wrong;
  EXPECT_LE(tally.slowest_silent, Scaled(3s));
  if (!wrong.empty()) std::printf("not named:%s\n", wrong.c_str());
}

}  // namespace
}  // namespace squall::doctor
