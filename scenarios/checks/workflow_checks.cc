// What became of workflows and of their side effects.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "scenarios/checks/builders.h"
#include "scenarios/checks/execution.h"
#include "scenarios/checks/tracks.h"
#include "scenarios/format/json_text.h"

namespace squall::scenarios {
namespace {

using journal::Event;
using journal::RunEvent;
using journal::WorkerEvent;
using journal::WorkflowEvent;
using enum ParamType;

// ------------------------------------------------------------------------------------------------------
// workflow_completed

class WorkflowCompleted final : public Checker {
 public:
  explicit WorkflowCompleted(const Params& params)
      : workflow_(params.Text("workflow")), status_(params.Text("status", "completed")) {
    const std::int64_t count = params.Int("count", 1);
    for (std::int64_t i = 1; i <= count && !workflow_.empty(); ++i) {
      executions_[count == 1 ? workflow_ : fmt::format("{}-{}", workflow_, i)] = {};
    }
    if (params.Has("result")) result_ = params.Text("result");
    if (params.Has("within")) within_ = params.Time("within");
  }

  void Observe(const Event& event) override {
    const auto* w = event.As<WorkflowEvent>();
    if (w == nullptr) return;
    // Without a name: all that squall's clients start.
    if (workflow_.empty() && w->what == "requested") executions_.try_emplace(w->workflow_id);
    if (const auto it = executions_.find(w->workflow_id); it != executions_.end())
      it->second.Observe(event, *w);
  }

  std::optional<SteadyTime> NextDeadline() const override {
    std::optional<SteadyTime> latest;
    if (!within_) return latest;
    for (const auto& [id, execution] : executions_) {
      if (!execution.start() || execution.closed() || execution.lost) continue;
      latest = std::max(latest.value_or(SteadyTime{}), *execution.start() + *within_);
    }
    return latest;
  }

  Verdict Finish(SteadyTime end) const override {
    const std::string expected = Expected();
    if (executions_.empty()) return Unknown(expected, "nobody started a workflow");
    Verdict worst = Pass(expected, "");
    std::vector<std::string> problems;
    Duration slowest{};
    for (const auto& [id, execution] : executions_) {
      const auto [outcome, text] = Judge(id, execution, end);
      if (outcome > worst.outcome) {
        worst.outcome = outcome;
        problems.clear();
      }
      if (outcome == worst.outcome && outcome != Outcome::kPass) problems.push_back(text);
      if (execution.closed()) slowest = std::max(slowest, execution.took());
    }
    if (worst.outcome == Outcome::kPass) {
      worst.happened = executions_.size() == 1
                           ? fmt::format("{} after {}", status_, FormatDuration(slowest))
                           : fmt::format("all {} {}, the slowest after {}", executions_.size(),
                                         status_, FormatDuration(slowest));
    } else {
      worst.happened = Listed(problems);
    }
    return worst;
  }

 private:
  std::string Expected() const {
    std::string text =
        workflow_.empty()
            ? fmt::format("every workflow that is started is {} exactly once", status_)
        : executions_.size() == 1
            ? fmt::format("workflow {} is {} exactly once", workflow_, status_)
            : fmt::format("workflows {0}-1 to {0}-{1} are {2} exactly once each", workflow_,
                          executions_.size(), status_);
    if (result_) text += fmt::format(", with result {}", *result_);
    if (within_) text += fmt::format(", within {}", FormatDuration(*within_));
    return text;
  }

  std::pair<Outcome, std::string> Judge(const std::string& id, const Execution& execution,
                                        SteadyTime end) const {
    if (!execution.seen())
      return {Outcome::kUnknown, fmt::format("nobody started workflow {}", id)};
    if (execution.lost)
      return {Outcome::kFail, fmt::format("{} was lost: the server does not know it any more", id)};
    if (const std::string duplicates = execution.Duplicates(); !duplicates.empty()) {
      return {Outcome::kFail, fmt::format("{} {}", id, duplicates)};
    }
    for (const Execution::End& e : execution.ends) {
      if (e.what != status_) {
        return {Outcome::kFail,
                fmt::format("{} {}{}{}", id, e.what, e.detail.empty() ? "" : ": ", e.detail)};
      }
      if (result_ && !e.result.empty() && !SameJson(*result_, e.result)) {
        return {Outcome::kFail, fmt::format("{} completed with {}", id, e.result)};
      }
    }
    if (result_ && execution.closed() &&
        std::all_of(execution.ends.begin(), execution.ends.end(),
                    [](const auto& e) { return e.result.empty(); })) {
      return {Outcome::kUnknown, fmt::format("{} {}, but nobody saw its result", id, status_)};
    }
    if (execution.closed()) {
      const Duration took = execution.took();
      if (within_ && took > *within_) {
        return {Outcome::kFail,
                fmt::format("{} {} only after {}", id, status_, FormatDuration(took))};
      }
      return {Outcome::kPass, ""};
    }
    if (!execution.accepted && execution.refused && execution.ends.empty()) {
      const auto& w = *execution.refused->As<WorkflowEvent>();
      return {Outcome::kFail,
              fmt::format("{} was refused: {}{}{}", id, CodeName(w.code.value_or(2)),
                          w.detail.empty() ? "" : ": ", w.detail)};
    }
    const Duration open = end - execution.start().value_or(end);
    if (within_ && open < *within_) {
      return {Outcome::kUnknown, fmt::format("{} was still open when observation ended after {}",
                                             id, FormatDuration(open))};
    }
    return {Outcome::kFail,
            fmt::format("{} was {} and is still open after {}", id,
                        execution.accepted ? "accepted" : "requested", FormatDuration(open))};
  }

  std::string workflow_, status_;
  std::optional<std::string> result_;
  std::optional<Duration> within_;
  std::map<std::string, Execution> executions_;
};

// --------------------------------------------------------------------------------------------------------
// no_workflow_lost

class NoWorkflowLost final : public Checker {
 public:
  explicit NoWorkflowLost(const Params& params)
      : pattern_(params.Text("workflows", "")),
        regex_(pattern_),
        within_(params.Time("within")),
        min_(static_cast<std::size_t>(params.Int("min", 1))) {}

  void Observe(const Event& event) override {
    disturbances_.Observe(event);
    if (const auto* r = event.As<RunEvent>(); r != nullptr && r->what == "judging")
      base_ = std::max(base_, event.time);
    if (disturbances_.restored()) base_ = std::max(base_, *disturbances_.restored());
    const auto* w = event.As<WorkflowEvent>();
    if (w == nullptr || !std::regex_search(w->workflow_id, regex_)) return;
    executions_[w->workflow_id].Observe(event, *w);
    if (w->what == "accepted") base_ = std::max(base_, event.time);
  }

  std::optional<SteadyTime> NextDeadline() const override {
    for (const auto& [id, execution] : executions_) {
      if (execution.accepted && !execution.closed() && !execution.lost) return base_ + within_;
    }
    return std::nullopt;
  }

  Verdict Finish(SteadyTime end) const override {
    const std::string expected = fmt::format(
        "every accepted workflow{} closes within {} of the last disturbance",
        pattern_.empty() ? "" : fmt::format(" /{}/", pattern_), FormatDuration(within_));
    std::size_t accepted = 0;
    std::vector<std::string> lost, open, twice;
    for (const auto& [id, execution] : executions_) {
      if (!execution.accepted) continue;
      ++accepted;
      if (execution.lost)
        lost.push_back(id);
      else if (!execution.closed())
        open.push_back(id);
      if (const std::string duplicates = execution.Duplicates(); !duplicates.empty()) {
        twice.push_back(fmt::format("{} {}", id, duplicates));
      }
    }
    if (!lost.empty()) return Fail(expected, "the server lost " + Listed(lost));
    if (!twice.empty()) return Fail(expected, Listed(twice));
    if (!open.empty() && end < base_ + within_) {
      return Unknown(expected,
                     fmt::format("observation ended {} after the last disturbance, with {} open",
                                 FormatDuration(end - base_), Listed(open)));
    }
    if (!open.empty()) {
      return Fail(expected, fmt::format("{} of {} still open: {}", open.size(),
                                        Counted(accepted, "accepted workflow"), Listed(open)));
    }
    if (accepted < min_) {
      return Unknown(
          expected, fmt::format("{} of at least {} accepted", Counted(accepted, "workflow"), min_));
    }
    return Pass(expected, fmt::format("all {} closed", Counted(accepted, "accepted workflow")));
  }

 private:
  std::string pattern_;
  std::regex regex_;
  Duration within_;
  std::size_t min_;
  Disturbances disturbances_;
  SteadyTime base_{};
  std::map<std::string, Execution> executions_;
};

// ------------------------------------------------------------------------------------------------------------
// effects_once

class EffectsOnce final : public Checker {
 public:
  explicit EffectsOnce(const Params& params)
      : key_(params.Text("key")),
        at_least_(static_cast<std::size_t>(params.Int("at_least", 1))),
        at_most_(static_cast<std::size_t>(params.Int("at_most", 1))),
        workflows_(params.Int("workflows", 1)) {}

  void Observe(const Event& event) override {
    const auto* w = event.As<WorkerEvent>();
    if (w == nullptr || w->what != "effect" || (!key_.empty() && w->task != key_)) return;
    ++effects_[{w->task, w->workflow_id}];
  }

  Verdict Finish(SteadyTime) const override {
    const std::string what =
        key_.empty() ? "every side effect" : fmt::format("side effect {}", key_);
    const std::string often = at_least_ == at_most_ ? Counted(at_most_, "time")
                              : at_least_ == 0
                                  ? fmt::format("at most {}", Counted(at_most_, "time"))
                                  : fmt::format("{} to {} times", at_least_, at_most_);
    const std::string expected = fmt::format("{} happens {} for each workflow", what, often);
    if (effects_.empty()) {
      if (key_.empty() || at_least_ == 0) return Unknown(expected, "no side effect was seen");
      return Fail(expected, "it never happened");
    }
    std::vector<std::string> wrong;
    for (const auto& [effect, count] : effects_) {
      if (count < at_least_ || count > at_most_) {
        wrong.push_back(fmt::format("{} happened {}{}", effect.first, Counted(count, "time"),
                                    effect.second.empty() ? "" : " in " + effect.second));
      }
    }
    if (!wrong.empty()) return Fail(expected, Listed(wrong));
    if (!key_.empty() && at_least_ > 0 && effects_.size() < static_cast<std::size_t>(workflows_)) {
      return Fail(expected, fmt::format("it happened in {} of {}", effects_.size(),
                                        Counted(static_cast<std::size_t>(workflows_), "workflow")));
    }
    return Pass(expected, fmt::format("so it did, {}", Counted(effects_.size(), "effect")));
  }

 private:
  std::string key_;
  std::size_t at_least_, at_most_;
  std::int64_t workflows_;
  std::map<std::pair<std::string, std::string>, std::size_t> effects_;  // (key, workflow) -> count
};

}  // namespace

std::vector<CheckKind> WorkflowChecks() {
  return {
      {.definition = {.name = "workflow_completed",
                      .doc = "The workflow closes exactly once, in the state and with the result "
                             "expected. Two closed runs of one start, "
                             "or reports that contradict each other, fail it.",
                      .params = {{.name = "workflow",
                                  .type = kText,
                                  .doc = "Workflow id; with `count`, what comes before -1, -2, ... "
                                         "Unset: every workflow that squall's "
                                         "clients start."},
                                 {.name = "count",
                                  .type = kInt,
                                  .doc = "How many workflows: ids WORKFLOW-1 to WORKFLOW-n.",
                                  .default_text = "1",
                                  .min = 1,
                                  .max = 100000},
                                 {.name = "status",
                                  .type = kWord,
                                  .doc = "How it closes.",
                                  .default_text = "completed",
                                  .words = {"completed", "failed", "timed_out", "cancelled",
                                            "terminated"}},
                                 {.name = "result",
                                  .type = kJson,
                                  .doc = "Its result, compared as JSON; unset: any."},
                                 {.name = "within",
                                  .type = kDuration,
                                  .doc = "Time allowed from acceptance to the end; the run is "
                                         "waited for until then. Unset: none.",
                                  .upper_limit = true}},
                      .needs = {"workflow"}},
       .nothing_seen = "unknown when nobody started it; fail when it was started and never closed",
       .example = "- workflow_completed: {workflow: ping, result: hello, within: 5s}",
       .make = Make<WorkflowCompleted>},
      {.definition =
           {.name = "no_workflow_lost",
            .doc =
                "Every workflow that the server accepted reaches an end, whichever, and only one.",
            .params = {{.name = "workflows",
                        .type = kRegex,
                        .doc = "Only ids in which this is found; unset: all.",
                        .default_text = ""},
                       {.name = "within",
                        .type = kDuration,
                        .doc = "Time allowed after the last acceptance, the last restoration and "
                               "the last step, whichever is "
                               "latest.",
                        .default_text = "10s",
                        .upper_limit = true},
                       {.name = "min",
                        .type = kInt,
                        .doc = "Fewer accepted workflows prove nothing.",
                        .default_text = "1",
                        .min = 1}},
            .needs = {"workflow"}},
       .nothing_seen = "unknown when fewer than `min` workflows were accepted",
       .example = "- no_workflow_lost: {within: 20s, min: 10}",
       .make = Make<NoWorkflowLost>},
      {.definition = {.name = "effects_once",
                      .doc = "Activities have their side effect as often as allowed: counts the "
                             "worker's `effect` lines for each key and "
                             "workflow.",
                      .params = {{.name = "key",
                                  .type = kText,
                                  .doc = "The effect's key; unset: every key.",
                                  .default_text = ""},
                                 {.name = "at_least",
                                  .type = kInt,
                                  .doc = "Lowest count.",
                                  .default_text = "1",
                                  .min = 0},
                                 {.name = "at_most",
                                  .type = kInt,
                                  .doc = "Highest count.",
                                  .default_text = "1",
                                  .min = 1},
                                 {.name = "workflows",
                                  .type = kInt,
                                  .doc = "In how many workflows it must be seen, with `key`.",
                                  .default_text = "1",
                                  .min = 1}},
                      .needs = {"worker"}},
       .nothing_seen = "fail with `key` and `at_least` above 0; unknown otherwise",
       .example = "- effects_once: {key: charge, at_most: 1}",
       .make = Make<EffectsOnce>},
  };
}

}  // namespace squall::scenarios
