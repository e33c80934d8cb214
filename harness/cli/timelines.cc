#include "harness/cli/timelines.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "base/journal/journal.h"
#include "reports/work_folder.h"
#include "scenarios/checks/breaking_point.h"
#include "scenarios/checks/registry.h"
#include "scenarios/engine/secrets.h"
#include "scenarios/format/loader.h"

namespace squall::harness {
namespace {

namespace fs = std::filesystem;
using journal::Event;

// Finding where a rule broke folds a journal about twenty times; beyond this it would be waited
// for.
constexpr std::size_t kMostEventsToBisect = 400'000;

// Of names of environment variables.
constexpr std::array<std::string_view, 4> kSecretEndings = {"_KEY", "_TOKEN", "_SECRET",
                                                            "_PASSWORD"};

std::string JournalPath(const std::string& path) {
  return fs::is_directory(path) ? path + "/" + reports::kJournalFile : path;
}

std::string Beside(const std::string& path, const char* name) {
  return (fs::path(JournalPath(path)).parent_path() / name).string();
}

const journal::RunEvent* Started(const std::vector<Event>& events) {
  for (const Event& event : events) {
    const auto* run = event.As<journal::RunEvent>();
    if (run != nullptr && run->what == "started") return run;
  }
  return nullptr;
}

}  // namespace

StatusOr<FolderTimeline> ReadTimeline(const std::string& path) {
  SQUALL_ASSIGN_OR_RETURN(const std::vector<Event> events, journal::ReadFile(JournalPath(path)));
  FolderTimeline out;
  reports::TimelineOptions options;
  // Without its scenario (an old one that no longer loads, a journal alone) the picture is the
  // same, and what broke stands where it was judged.
  const auto scenario =
      scenarios::LoadScenarioFile(Beside(path, reports::kScenarioFile), scenarios::Checks());
  const journal::RunEvent* run = Started(events);
  const scenarios::Subject* subject =
      scenario.ok() && run != nullptr ? scenario->FindSubject(run->subject) : nullptr;
  if (subject != nullptr) {
    out.secrets = scenarios::SecretsOf(subject->topology);
    if (events.size() <= kMostEventsToBisect) {
      auto points = scenarios::BreakingPoints(events, subject->checks);
      if (points.ok()) options.broke_at = *std::move(points);
    }
  }
  out.timeline = reports::TimelineOf(events, options);
  return out;
}

StatusOr<reports::SubjectReport> ReadSubject(const std::string& path) {
  auto result = reports::ReadResult(fs::path(JournalPath(path)).parent_path().string());
  if (result.ok() || result.status().code() != StatusCode::kNotFound) return result;
  SQUALL_ASSIGN_OR_RETURN(const std::vector<Event> events, journal::ReadFile(JournalPath(path)));
  reports::SubjectReport subject;
  subject.scenario = fs::path(path).filename().string();
  subject.subject = "journal";
  subject.work_directory = fs::path(JournalPath(path)).parent_path().string();
  subject.explanation = "the run was cut off before it had a verdict";
  if (const journal::RunEvent* run = Started(events)) {
    subject.scenario = run->scenario;
    subject.subject = run->subject;
    subject.world = run->world;
    subject.seed = run->seed;
    subject.versions = run->versions;
  }
  for (const Event& event : events) {
    if (const auto* assertion = event.As<journal::AssertionEvent>()) {
      subject.checks.push_back(
          {assertion->check,
           journal::OutcomeFromName(assertion->what).value_or(journal::Outcome::kUnknown),
           assertion->expected, assertion->happened});
    }
    const auto* run = event.As<journal::RunEvent>();
    if (run == nullptr || run->what != "finished") continue;
    subject.verdict = journal::OutcomeFromName(run->verdict).value_or(journal::Outcome::kUnknown);
    subject.explanation = run->detail;
  }
  if (!events.empty()) {
    subject.began = events.front().wall;
    subject.took = events.back().time - events.front().time;
  }
  return subject;
}

std::vector<std::string> SecretsOfEnvironment(const std::string& also) {
  std::vector<std::string> secrets;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t sign = text.find('=');
    if (sign == std::string_view::npos) continue;
    const std::string_view name = text.substr(0, sign), value = text.substr(sign + 1);
    const bool named = !also.empty() && name == also;
    const bool telling =
        std::any_of(kSecretEndings.begin(), kSecretEndings.end(),
                    [name](std::string_view ending) { return name.ends_with(ending); });
    // A path to a secret is none, and would hide much.
    constexpr std::size_t kShortest = 8;
    if (named || (telling && value.size() >= kShortest && !value.starts_with('/')))
      secrets.emplace_back(value);
  }
  return secrets;
}

Status TimelinePage::Add(const reports::SubjectReport& subject, const std::string& path) {
  SQUALL_ASSIGN_OR_RETURN(FolderTimeline read, ReadTimeline(path));
  secrets_.insert(read.secrets.begin(), read.secrets.end());
  shelf_.Add(reports::TimelineKey(subject), reports::TimelineJson(read.timeline, Redactor()),
             subject.good());
  return absl::OkStatus();
}

std::string TimelinePage::Html(const reports::RunReport& run) const {
  return reports::HtmlPage(run, shelf_, Redactor());
}

}  // namespace squall::harness
