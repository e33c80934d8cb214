#pragma once
// What schedules do over time: find what is due, apply the policies for overlaps, start workflows,
// follow them to their end. The rules, and their order, are those of the real server's scheduler
// workflow (service/worker/scheduler/workflow.go, version 12 of its logic).

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"
#include "fakes/engine/schedules.h"

namespace squall::fakes::engine {

class Scheduler {
 public:
  explicit Scheduler(Core& core) : core_(core) {}

  // One pass: what became due since the last one, then the patch or the update, then starts. Sets
  // the timer for the next pass.
  void Wake(Schedule& schedule, const schedulepb::SchedulePatch* patch = nullptr,
            const ws::UpdateScheduleRequest* update = nullptr);
  // A run ended; a schedule may wait for it.
  void RunClosed(const Run& run);
  void Close(Schedule& schedule);

  // At most `count` of the coming action times.
  static std::vector<WallTime> FutureTimes(const Schedule& schedule, int count);
  // Fills in defaults of the schedule and compiles its (canonical) spec.
  static Status Adopt(Schedule& schedule);
  // Whether a workflow that a schedule started still runs, in whatever run of its chain.
  static bool Runs(Namespace& ns, const common::WorkflowExecution& started);

 private:
  struct Outcome {
    enums::WorkflowExecutionStatus status = enums::WORKFLOW_EXECUTION_STATUS_UNSPECIFIED;
    std::optional<common::Payloads> result;
    std::optional<failure::Failure> failure;
  };
  struct Range {
    std::optional<WallTime> next;  // the first action after the range
    WallTime last_action{};
  };

  static Outcome Observe(Namespace& ns, const common::WorkflowExecution& started);
  Range ProcessRange(Schedule& schedule, WallTime start, WallTime end,
                     enums::ScheduleOverlapPolicy overlap, bool manual, int* limit);
  void AddStart(Schedule& schedule, BufferedStart start);
  void ApplyPatch(Schedule& schedule, const schedulepb::SchedulePatch& patch);
  void ApplyUpdate(Schedule& schedule, const ws::UpdateScheduleRequest& update);
  void ProcessBackfills(Schedule& schedule);
  // True when there may be more to do at once.
  bool ProcessBuffer(Schedule& schedule);
  bool Start(Schedule& schedule, const BufferedStart& start, bool track);
  void Refresh(Schedule& schedule);
  void Ended(Schedule& schedule, const std::string& workflow_id, const Outcome& outcome);
  void Watch(Schedule& schedule, const common::WorkflowExecution& started);
  void CheckWatched(Schedule& schedule);
  void Sleep(Schedule& schedule, std::optional<WallTime> next);
  std::optional<WallTime> IdleEnd(const Schedule& schedule, std::optional<WallTime> next) const;

  Core& core_;
  // Who waits for which workflow: (namespace id, workflow id) -> schedule.
  std::multimap<std::pair<std::string, std::string>, std::weak_ptr<Schedule>> watched_;
};

}  // namespace squall::fakes::engine
