// Safety of work, whatever happens: what was accepted is not lost, and nothing is done twice.

#include <fmt/format.h>

#include <array>
#include <map>
#include <set>

#include "base/journal/words.h"
#include "scenarios/checks/builders.h"
#include "scenarios/checks/execution.h"
#include "scenarios/checks/tracks.h"

namespace squall::scenarios {
namespace {

using journal::ActivityEvent;
using journal::Event;
using journal::FaultEvent;
using journal::ProcessEvent;
using journal::WorkflowEvent;
using enum ParamType;

// ------------------------------------------------------------------------------------------------------------
// work_once
//
// A workflow that a server accepted is known to it as long as it keeps its data, closes once and in
// one way; an activity that completed is not started again. Time plays no part: this holds at every
// moment of every run.

class WorkOnce final : public Checker {
 public:
  explicit WorkOnce(const Params& params) {
    for (const std::string& name : params.Texts("except")) except_.insert(name);
  }

  void Observe(const Event& event) override {
    if (const auto* p = event.As<ProcessEvent>(); p != nullptr && p->role == "server") {
      if (p->what == "starting" && p->detail == journal::kWithoutItsData) data_lost_ = true;
      // What a server of a process of its own has kept, only it knows.
      if (p->what == "ready" && p->pid != 0 && !ready_.insert(p->process).second) data_lost_ = true;
    }
    if (const auto* f = event.As<FaultEvent>(); f != nullptr && f->fault == "data_lost")
      data_lost_ = true;
    if (const auto* w = event.As<WorkflowEvent>();
        w != nullptr && !except_.contains(w->workflow_id)) {
      Execution& execution = executions_[w->workflow_id];
      const bool was_lost = execution.lost;
      execution.Observe(event, *w);
      if (execution.lost && !was_lost && execution.accepted && !data_lost_)
        wrong_.push_back(fmt::format("{} was lost at {}", w->workflow_id, At(event.time)));
    }
    if (const auto* a = event.As<ActivityEvent>();
        a != nullptr && !except_.contains(a->workflow_id) && event.source.starts_with("server")) {
      ObserveActivity(event, *a);
    }
  }

  bool SawAnything() const override { return !executions_.empty(); }

  Verdict Finish(SteadyTime) const override {
    const std::string expected = "no accepted work is lost, none is done twice";
    if (executions_.empty()) return Unknown(expected, "nobody started a workflow");
    std::vector<std::string> wrong = wrong_;
    for (const auto& [id, execution] : executions_) {
      // Servers that forgot one may be given it anew.
      const std::string duplicates = data_lost_ ? "" : execution.Duplicates();
      if (!duplicates.empty()) wrong.push_back(fmt::format("{} {}", id, duplicates));
    }
    if (!wrong.empty()) return Fail(expected, Listed(wrong));
    return Pass(expected, Counted(executions_.size(), "workflow") + " watched");
  }

 private:
  void ObserveActivity(const Event& event, const ActivityEvent& a) {
    const std::array<std::string, 3> id = {a.workflow_id, a.run_id, a.activity_id};
    const bool done = completed_.contains(id);
    if (a.what == "completed") completed_.insert(id);
    // Of the same name in the same run: another schedule of it.
    if (a.what == "scheduled") completed_.erase(id);
    if (!done || data_lost_ || (a.what != "started" && a.what != "completed")) return;
    wrong_.push_back(fmt::format("activity {} of {} was {} again at {}, after it had completed",
                                 a.type.empty() ? a.activity_id : a.type, a.workflow_id, a.what,
                                 At(event.time)));
  }

  std::set<std::string> except_, ready_;
  bool data_lost_ = false;
  std::map<std::string, Execution> executions_;
  std::set<std::array<std::string, 3>> completed_;
  std::vector<std::string> wrong_;
};

}  // namespace

std::vector<CheckKind> WorkChecks() {
  return {
      {.definition =
           {.name = "work_once",
            .doc = "Every workflow that was accepted stays known to its server (while that keeps "
                   "its data), closes once and in one way, and no activity runs again after it "
                   "completed. Watches every run as an oracle, for the workflows that no "
                   "`workflow_completed` or `no_workflow_lost` speaks of.",
            .params = {{.name = "except", .type = kTextList, .doc = "Ids of workflows left out."}},
            .needs = {"workflow", "process"},
            .oracle = true},
       .nothing_seen = "unknown when nobody started a workflow",
       .example = "- work_once: {}",
       .make = Make<WorkOnce>},
  };
}

}  // namespace squall::scenarios
