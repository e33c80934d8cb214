#pragma once
// The step machine that all worlds share: prepare, start, steps, heal, judge, clean up; one subject
// of one scenario.
//
// It owns no thread and does no I/O: time comes from the Executor's clock, everything else is asked
// of the World and comes back as a completion or as an event of the journal. Loop thread only.
//
// What goes wrong is either the subject's (a workflow that does not complete, a wait that times
// out: the step has failed, the steps after it are left out and the checks are judged on what there
// is) or the infrastructure's (a server that does not start, a fault that cannot be healed: the
// verdict is unknown). In every case the faults are healed in reverse order and the world is
// cleaned up; the result comes after that.
//
// Journal (source "runner"): run.started, step.*, run.judging, assertion.* of all results,
// run.finished. Two results are the machine's own: `steps` (fail: a step that was not optional
// failed) and `infrastructure` (unknown).

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/executor.h"
#include "scenarios/engine/event_matcher.h"
#include "scenarios/engine/fault_driver.h"
#include "scenarios/engine/judge.h"
#include "scenarios/engine/world.h"
#include "scenarios/format/scenario.h"
#include "scenarios/format/verdict.h"

namespace squall::scenarios {

inline constexpr std::string_view kStepsCheck = "steps";
inline constexpr std::string_view kInfrastructureCheck = "infrastructure";

// What the results mean for the subject: the journal's run.finished carries it.
struct Conclusion {
  Outcome verdict = Outcome::kUnknown;
  std::string explanation;
};

struct MachineOptions {
  std::string world;  // fake, real, sim
  std::uint64_t seed = 0;
  SteadyTime journal_origin;  // when the journal was opened: its times count from here
  Duration timeout =
      std::chrono::seconds(60);  // scaled, as all limits below and those of the steps
  Duration prepare_limit = std::chrono::seconds(60);
  Duration heal_limit = std::chrono::seconds(30);  // of each fault
  Duration clean_limit = std::chrono::seconds(60);
  // Default: the worst of the results.
  std::function<Conclusion(std::span<const CheckResult>)> conclude;
};

struct MachineResult {
  std::vector<CheckResult> checks;  // the judge's, and the machine's own
  Conclusion conclusion;
  bool timed_out = false;  // the scenario's time-out struck
  bool aborted = false;
  Status clean_up;  // not OK: something may be left
};

class StepMachine {
 public:
  using Finished = std::function<void(MachineResult)>;

  // All outlive the machine. `judge` is given every event by the machine: feed the machine only.
  StepMachine(Executor& executor, World& world, Judge& judge, journal::Sink& journal,
              const Scenario& scenario, const Subject& subject, MachineOptions options);
  ~StepMachine();
  StepMachine(const StepMachine&) = delete;
  StepMachine& operator=(const StepMachine&) = delete;

  // Once. `finished` is called once, from the loop.
  void Start(Finished finished);
  // Every event of the journal in order, also the machine's own.
  void OnEvent(const journal::Event& event);
  // Ends it early: faults are dropped, the checks are judged at once, the world is cleaned up.
  // Idempotent.
  void Abort(const std::string& reason);

 private:
  enum class Phase { kIdle, kPreparing, kStarting, kSteps, kHealing, kJudging, kCleaning, kDone };
  struct WorkflowProgress {
    int started = 0, ended = 0;
  };

  // A completion that counts only while the step (or phase) that asked for it is current.
  Done Current(std::function<void(Status)> then);
  void SetLimit(Duration limit, std::function<void()> on_limit);
  void ClearLimit();

  void StartNodes(std::size_t index);
  void NextStep();
  void RunStep(const Step& step);
  void StepDone();
  // `blame`: whether a failure of this kind is the infrastructure's.
  void StepEnded(const Status& status, bool infrastructure);
  void StepFailed(std::string what, const std::string& detail);
  Done Ends(bool infrastructure);
  // Runs `action` for each node in turn, then ends the step.
  void ForEach(std::vector<std::string> nodes, std::function<void(const std::string&, Done)> action,
               std::function<bool(const std::string&)> infrastructure);
  void RunWorkflows(const WorkflowStep& step);
  void RunOneWorkflow(const WorkflowStep& step, int number);
  void WorkflowFinished(const WorkflowStep& step);
  void AwaitWorkflows(const AwaitStep& step, std::size_t index);
  Status CheckEnd(const std::string& id, const StatusOr<WorkflowEnd>& end,
                  const std::string& status, const std::optional<std::string>& result) const;
  void CheckWait();

  void Blame(const std::string& what, const Status& status);
  void EnterHealing();
  void HealNext();
  void EnterJudging();
  // Judges once what was posted or can be read by now has been delivered.
  void Settle(int turns);
  void LookAtJudge();
  void Conclude();
  void EnterCleaning();
  void Finish(Status clean_up);
  SteadyTime JournalNow() const;
  bool IsServerSide(const std::string& node) const;
  void Append(journal::Payload payload);

  Executor& executor_;
  World& world_;
  Judge& judge_;
  journal::Sink& journal_;
  const Scenario& scenario_;
  const Subject& subject_;
  MachineOptions options_;
  Finished finished_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  Phase phase_ = Phase::kIdle;
  std::uint64_t epoch_ =
      0;  // counts steps and phases: late completions of earlier ones are ignored
  TimerId limit_timer_ = 0, scenario_timer_ = 0, judge_timer_ = 0;
  std::vector<std::string> to_start_;
  std::size_t step_ = 0;
  SteadyTime step_began_{};
  FaultDriver faults_;
  std::set<std::string> paused_;
  WorkflowProgress workflows_;

  // The events that wait steps of this subject may want, and where each step began.
  std::set<std::string, std::less<>> waited_kinds_;
  std::vector<journal::Event> events_;
  std::map<std::uint64_t, std::uint64_t>
      begun_sequence_;  // step number -> sequence of its step.begun
  std::optional<EventMatcher> matcher_;
  std::size_t looked_ = 0;
  int matched_ = 0;

  bool judged_ = false, judge_look_posted_ = false;
  std::optional<CheckResult> steps_failure_, infrastructure_failure_;
  MachineResult result_;
};

}  // namespace squall::scenarios
