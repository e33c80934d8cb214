#pragma once
// Judges a subject: all checks that its scenario asks for, and the oracles that watch every run,
// over one journal, live or saved.

#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/event.h"
#include "base/util/status.h"
#include "scenarios/checks/checker.h"
#include "scenarios/engine/judge.h"
#include "scenarios/format/check_spec.h"
#include "scenarios/format/scenario.h"
#include "scenarios/format/verdict.h"

namespace squall::scenarios {

// Among the versions of what took part in a run (RunEvent::versions): what upper limits of elapsed
// time were multiplied by, where it is not 1. So reports tell it, and a saved journal knows it.
inline constexpr std::string_view kTimeoutScaleVersion = "timeout_scale";

// What the limits of the run were scaled by, from its journal; 1 where it does not say.
StatusOr<double> TimeoutScaleOf(std::span<const journal::Event> events);

// The checks of a scenario as one Judge, plus the oracles:
//   no_unexpected_exit  no process ended unasked; leaves out processes that a check of the scenario
//   speaks of (exits, stays_up,
//                       same_process, graceful_stop, nothing_left_running), which then judges their
//                       end
//   no_zombie, no_hung_shutdown, work_once
//                       the checks of these names, without the workers and workflows that a check
//                       of the scenario judges in that respect
//   fault_hit           every injected fault worked and was met by traffic; unknown otherwise,
//   since then nothing was tested.
//                       Leaves out faults that a check of the scenario names.
// An oracle that had nothing to watch has no result. A check whose kinds of event the world does
// not observe (RunEvent::observes) is unknown, whatever it saw. Events after the run was finished
// are clean-up and do not count.
class ChecksJudge final : public Judge {
 public:
  // Errors as of MakeChecker, with the check's id in front; `timeout_scale` as there.
  static StatusOr<std::unique_ptr<ChecksJudge>> Create(std::span<const CheckSpec> checks,
                                                       double timeout_scale = 1);

  void Observe(const journal::Event& event) override;
  // The latest of the checkers' deadlines: until then at least one is undecided.
  std::optional<SteadyTime> NextDeadline() const override;
  // In the order of the scenario, then the oracles.
  std::vector<CheckResult> Finish(SteadyTime end) override;

 private:
  struct Entry {
    std::string id;
    std::vector<std::string> needs;
    bool oracle = false;
    bool only_when_broken = false;  // it says nothing where all is well
    std::unique_ptr<Checker> checker;
  };
  // The machine's own kinds are in every journal.
  bool Observed(const std::string& kind) const {
    return observes_.contains(kind) ||
           (begun_ && (kind == journal::RunEvent::kKind || kind == journal::StepEvent::kKind ||
                       kind == journal::AssertionEvent::kKind));
  }

  std::vector<Entry> entries_;
  std::set<std::string, std::less<>> observes_;
  bool begun_ = false, finished_ = false;
};

// What the results say of a subject of which `expectation` was expected.
struct SubjectJudgement {
  Outcome verdict = Outcome::kUnknown;
  bool caught = false;      // expected to fail, and exactly the named checks did
  std::string explanation;  // one line, empty where all is as it should be
};

// Expected to pass: the worst result. Expected to fail: pass (caught) when exactly the named checks
// fail; fail when a named check passes or another one fails; unknown when a named check, an oracle
// or the infrastructure is unknown. A failed step of a broken subject (`steps`) is no check of its
// own, unless it is named: what is broken seldom gets through. No result at all is unknown.
SubjectJudgement JudgeSubject(std::span<const CheckResult> results, const Expectation& expectation);

struct JournalJudgement {
  std::vector<CheckResult> results;  // of the checks and oracles
  std::vector<CheckResult>
      machine;  // the step machine's own, as the journal has them: steps, infrastructure
  SubjectJudgement subject;  // of both together
};

// The same over a saved journal: what `squall judge` does. The end of observation is the time of
// the first conclusion in the journal, else of its last event. A journal that ends before anything
// was concluded has an unknown `infrastructure` among the results. Limits are scaled as they were
// in the run (kTimeoutScaleVersion).
StatusOr<JournalJudgement> JudgeJournal(std::span<const journal::Event> events,
                                        std::span<const CheckSpec> checks,
                                        const Expectation& expectation);

}  // namespace squall::scenarios
