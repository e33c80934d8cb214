#include "scenarios/checks/judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "scenarios/checks/registry.h"
#include "scenarios/checks/tracks.h"
#include "scenarios/engine/step_machine.h"
#include "scenarios/format/values.h"

namespace squall::scenarios {

using journal::AssertionEvent;
using journal::Event;
using journal::RunEvent;

StatusOr<std::unique_ptr<ChecksJudge>> ChecksJudge::Create(std::span<const CheckSpec> checks,
                                                           double timeout_scale) {
  auto judge = std::make_unique<ChecksJudge>();
  // That a check speaks of.
  std::vector<std::string> processes, faults, polling, ending, workflows;
  std::set<std::string> asked;  // names of checks
  enum class As { kCheck, kOracle, kQuietOracle };
  const auto add = [&](const std::string& id, const std::string& name, const Params& params,
                       As as) -> Status {
    const bool oracle = as != As::kCheck;
    auto checker =
        MakeChecker({.name = name, .id = id, .params = params, .pos = {}}, timeout_scale);
    if (!checker.ok())
      return oracle || id == name ? checker.status() : Annotate(checker.status(), id);
    Entry entry{.id = id,
                .needs = FindCheck(name)->definition.needs,
                .oracle = oracle,
                .only_when_broken = as == As::kQuietOracle,
                .checker = *std::move(checker)};
    for (std::string& kind : entry.checker->Needs()) {
      if (std::find(entry.needs.begin(), entry.needs.end(), kind) == entry.needs.end())
        entry.needs.push_back(std::move(kind));
    }
    judge->entries_.push_back(std::move(entry));
    return absl::OkStatus();
  };
  for (const CheckSpec& spec : checks) {
    SQUALL_RETURN_IF_ERROR(
        add(spec.id.empty() ? spec.name : spec.id, spec.name, spec.params, As::kCheck));
    if (spec.name == "exits" || spec.name == "stays_up" || spec.name == "same_process" ||
        spec.name == "graceful_stop" || spec.name == "no_crash_loop") {
      processes.push_back(spec.params.Text("worker"));
    }
    if (spec.name == "nothing_left_running") {
      for (std::string& name : spec.params.Texts("processes")) {
        ending.push_back(name);
        processes.push_back(std::move(name));
      }
    }
    if (spec.name == "exits" || spec.name == "graceful_stop")
      ending.push_back(spec.params.Text("worker"));
    if (spec.name == "not_zombie") polling.push_back(spec.params.Text("worker"));
    if (spec.name == "workflow_completed") {
      const std::string id = spec.params.Text("workflow");
      const std::int64_t count = spec.params.Int("count", 1);
      for (std::int64_t i = 1; i <= count; ++i)
        workflows.push_back(count == 1 ? id : fmt::format("{}-{}", id, i));
      if (id.empty()) asked.insert("work_once");  // it speaks of all
    }
    asked.insert(spec.name);
    if (spec.name == "fault_hit") faults.push_back(spec.params.Text("fault"));
  }
  const auto oracle = [](std::string_view name) {
    return std::string(kOraclePrefix) + std::string(name);
  };
  const auto watch = [&](std::string_view name, As as, std::vector<std::string> except) -> Status {
    if (asked.contains(std::string(name))) return absl::OkStatus();
    Params params;
    params.Set("except", std::move(except));
    return add(oracle(name), std::string(name), params, as);
  };
  SQUALL_RETURN_IF_ERROR(watch("no_unexpected_exit", As::kOracle, std::move(processes)));
  SQUALL_RETURN_IF_ERROR(watch("no_zombie", As::kQuietOracle, std::move(polling)));
  SQUALL_RETURN_IF_ERROR(watch("no_hung_shutdown", As::kQuietOracle, std::move(ending)));
  if (!asked.contains("no_workflow_lost"))  // of all as well
    SQUALL_RETURN_IF_ERROR(watch("work_once", As::kQuietOracle, std::move(workflows)));
  Params params;
  params.Set("fault", std::string());  // all
  params.Set("except", std::move(faults));
  params.Set("oracle", true);
  SQUALL_RETURN_IF_ERROR(add(oracle("fault_hit"), "fault_hit", params, As::kOracle));
  return judge;
}

void ChecksJudge::Observe(const Event& event) {
  if (finished_) return;
  if (const auto* run = event.As<RunEvent>()) {
    if (run->what == "started") {
      begun_ = true;
      observes_.insert(run->observes.begin(), run->observes.end());
    }
    if (run->what == "finished") {
      finished_ = true;
      return;
    }
  }
  for (const Entry& entry : entries_) entry.checker->Observe(event);
}

std::optional<SteadyTime> ChecksJudge::NextDeadline() const {
  std::optional<SteadyTime> latest;
  for (const Entry& entry : entries_) {
    // What the world cannot see is not worth waiting for.
    if (!std::all_of(entry.needs.begin(), entry.needs.end(),
                     [&](const auto& kind) { return Observed(kind); }))
      continue;
    if (const auto deadline = entry.checker->NextDeadline())
      latest = std::max(latest.value_or(*deadline), *deadline);
  }
  return latest;
}

std::vector<CheckResult> ChecksJudge::Finish(SteadyTime end) {
  std::vector<CheckResult> results;
  for (const Entry& entry : entries_) {
    Verdict verdict = entry.checker->Finish(end);
    std::vector<std::string> missing;
    for (const std::string& kind : entry.needs) {
      if (!Observed(kind)) missing.push_back(kind);
    }
    // Nothing to watch, or no way to watch it: an oracle stays silent rather than spoil the
    // verdict.
    if (entry.oracle && (!missing.empty() || !entry.checker->SawAnything())) continue;
    if (entry.only_when_broken && verdict.outcome == Outcome::kPass) continue;
    if (!missing.empty()) {
      verdict.outcome = Outcome::kUnknown;
      verdict.happened =
          begun_ ? fmt::format("this world does not see {} events", Listed(missing, missing.size()))
                 : "the journal does not say what its world could see";
    }
    results.push_back(
        {entry.id, verdict.outcome, std::move(verdict.expected), std::move(verdict.happened)});
  }
  return results;
}

SubjectJudgement JudgeSubject(std::span<const CheckResult> results,
                              const Expectation& expectation) {
  SubjectJudgement judgement;
  if (results.empty()) {
    judgement.explanation = "nothing was checked";
    return judgement;
  }
  if (expectation.pass()) {
    judgement.verdict = Outcome::kPass;
    std::vector<std::string> worst;
    for (const CheckResult& result : results) {
      if (result.outcome > judgement.verdict) worst.clear();
      judgement.verdict = Worst(judgement.verdict, result.outcome);
      if (result.outcome == judgement.verdict && result.outcome != Outcome::kPass)
        worst.push_back(result.check);
    }
    if (judgement.verdict == Outcome::kFail) judgement.explanation = "failed: " + Listed(worst);
    if (judgement.verdict == Outcome::kUnknown)
      judgement.explanation = "cannot be told: " + Listed(worst);
    return judgement;
  }
  const auto named = [&](const std::string& check) {
    return std::find(expectation.fail.begin(), expectation.fail.end(), check) !=
           expectation.fail.end();
  };
  std::vector<std::string> also, passed, unknown;
  for (const std::string& check : expectation.fail) {
    if (std::none_of(results.begin(), results.end(),
                     [&](const auto& r) { return r.check == check; }))
      unknown.push_back(check);
  }
  for (const CheckResult& result : results) {
    const bool expected = named(result.check);
    if (result.outcome == Outcome::kFail && !expected && result.check != kStepsCheck)
      also.push_back(result.check);
    if (result.outcome == Outcome::kPass && expected) passed.push_back(result.check);
    // What else cannot be told of a broken subject is no news; whether the fault worked is.
    if (result.outcome != Outcome::kUnknown) continue;
    if (expected || result.check.starts_with(kOraclePrefix) || result.check == kInfrastructureCheck)
      unknown.push_back(result.check);
  }
  if (!passed.empty()) {
    judgement.verdict = Outcome::kFail;
    judgement.explanation =
        fmt::format("this subject is broken, but {} did not fail", Listed(passed));
  } else if (!also.empty()) {
    judgement.verdict = Outcome::kFail;
    judgement.explanation = fmt::format("failed as well, which was not expected: {}", Listed(also));
  } else if (!unknown.empty()) {
    judgement.verdict = Outcome::kUnknown;
    judgement.explanation = "cannot be told: " + Listed(unknown);
  } else {
    judgement.verdict = Outcome::kPass;
    judgement.caught = true;
  }
  return judgement;
}

StatusOr<double> TimeoutScaleOf(std::span<const Event> events) {
  double timeout_scale = 1;
  for (const Event& event : events) {
    const auto* run = event.As<RunEvent>();
    if (run == nullptr || run->what != "started") continue;
    const auto found = run->versions.find(std::string(kTimeoutScaleVersion));
    if (found == run->versions.end()) continue;
    const std::optional<double> number = ParseNumber(found->second);
    if (!number || !(*number >= 1))
      return MakeStatus(StatusCode::kInvalidArgument, "the journal's timeout_scale is '{}'",
                        found->second);
    timeout_scale = *number;
  }
  return timeout_scale;
}

StatusOr<JournalJudgement> JudgeJournal(std::span<const Event> events,
                                        std::span<const CheckSpec> checks,
                                        const Expectation& expectation) {
  SQUALL_ASSIGN_OR_RETURN(const double timeout_scale, TimeoutScaleOf(events));
  SQUALL_ASSIGN_OR_RETURN(const std::unique_ptr<ChecksJudge> judge,
                          ChecksJudge::Create(checks, timeout_scale));
  std::optional<SteadyTime> end;
  SteadyTime last{};
  JournalJudgement judgement;
  for (const Event& event : events) {
    judge->Observe(event);
    last = event.time;
    const auto* run = event.As<RunEvent>();
    const auto* assertion = event.As<AssertionEvent>();
    if (!end && (assertion != nullptr || (run != nullptr && run->what == "finished")))
      end = event.time;
    if (assertion != nullptr &&
        (assertion->check == kStepsCheck || assertion->check == kInfrastructureCheck)) {
      judgement.machine.push_back({assertion->check,
                                   OutcomeFromName(assertion->what).value_or(Outcome::kUnknown),
                                   assertion->expected, assertion->happened});
    }
  }
  judgement.results = judge->Finish(end.value_or(last));
  if (!end) {
    judgement.results.push_back({std::string(kInfrastructureCheck), Outcome::kUnknown,
                                 "the run is judged",
                                 fmt::format("the journal ends after {}, before that", At(last))});
  }
  std::vector<CheckResult> all = judgement.results;
  all.insert(all.end(), judgement.machine.begin(), judgement.machine.end());
  judgement.subject = JudgeSubject(all, expectation);
  return judgement;
}

}  // namespace squall::scenarios
