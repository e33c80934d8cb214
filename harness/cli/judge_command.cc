// squall judge: the checks of a scenario over a saved journal, as if it were the run itself.

#include <cstdio>
#include <filesystem>

#include "base/journal/journal.h"
#include "harness/cli/options.h"
#include "harness/runner/exit_codes.h"
#include "reports/work_folder.h"
#include "scenarios/checks/conclusion.h"
#include "scenarios/checks/judge.h"
#include "scenarios/checks/registry.h"
#include "scenarios/format/loader.h"

namespace squall::harness {
namespace {

namespace fs = std::filesystem;
using scenarios::CheckResult;
using journal::Outcome;

struct Judged {
  std::string name;
  std::string recorded;  // verdict of the run, "" when it was cut off before it had one
  std::vector<CheckResult> results;
  scenarios::SubjectConclusion conclusion;
};

StatusOr<Judged> JudgeFolder(const std::string& folder) {
  if (!fs::is_directory(folder))
    return MakeStatus(StatusCode::kNotFound, "{}: no such folder", folder);
  SQUALL_ASSIGN_OR_RETURN(const std::vector<journal::Event> events,
                          journal::ReadFile(folder + "/" + reports::kJournalFile));
  SQUALL_ASSIGN_OR_RETURN(
      const scenarios::Scenario scenario,
      scenarios::LoadScenarioFile(folder + "/" + reports::kScenarioFile, scenarios::Checks()));
  Judged judged;
  std::string subject_name;
  for (const journal::Event& event : events) {
    if (const auto* run = event.As<journal::RunEvent>()) {
      if (run->what == "started") {
        subject_name = run->subject;
        judged.name = fmt::format("{}/{}@{}", run->scenario, run->subject, run->world);
      } else if (run->what == "finished") {
        judged.recorded = run->verdict;
      }
    }
  }
  const scenarios::Subject* subject = scenario.FindSubject(subject_name);
  if (subject == nullptr) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "{}: the journal is of a subject '{}' that the scenario does not have",
                      folder, subject_name);
  }
  SQUALL_ASSIGN_OR_RETURN(const scenarios::JournalJudgement judgement,
                          scenarios::JudgeJournal(events, subject->checks, subject->expect));
  judged.results = judgement.results;
  judged.results.insert(judged.results.end(), judgement.machine.begin(), judgement.machine.end());
  judged.conclusion = scenarios::ConcludeSubject(judged.results, subject->expect);
  return judged;
}

}  // namespace

int JudgeFolders(const JudgeCommand& command) {
  int code = kExitOk;
  for (const std::string& folder : command.folders) {
    const auto judged = JudgeFolder(folder);
    if (!judged.ok()) {
      fmt::print(stderr, "{}\n", Message(judged.status()));
      code = std::max<int>(code, kExitBadScenario);
      continue;
    }
    const std::string verdict(OutcomeName(judged->conclusion.verdict));
    fmt::print("{}: {}{}\n", judged->name, verdict,
               judged->conclusion.caught ? " (caught, as expected)" : "");
    for (const CheckResult& result : judged->results) {
      fmt::print("  {:<8} {:<24} expected: {}\n", OutcomeName(result.outcome), result.check,
                 result.expected);
      fmt::print("           {:<24} happened: {}\n", "", result.happened);
    }
    if (!judged->conclusion.explanation.empty())
      fmt::print("  {}\n", judged->conclusion.explanation);
    if (judged->recorded.empty()) {
      fmt::print("  the run was cut off before it had a verdict\n");
    } else if (judged->recorded != verdict) {
      fmt::print("  the run itself said: {}\n", judged->recorded);
    }
    if (judged->conclusion.verdict == Outcome::kFail) code = kExitScenarioFailed;
    if (judged->conclusion.verdict == Outcome::kUnknown && code == kExitOk) code = kExitUnknown;
  }
  return code;
}

}  // namespace squall::harness
