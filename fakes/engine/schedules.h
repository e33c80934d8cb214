#pragma once
// Schedules: the RPCs around them, and their lists. What a schedule does over time is in
// scheduler.h.
//
// The real server 1.32 keeps each schedule in a workflow of its own ("temporal-sys-scheduler:<id>",
// service/worker/scheduler); here it is plain data. What shows of that workflow are the texts of
// some errors; the workflow itself is in no list.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/util/executor.h"
#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"
#include "fakes/engine/schedule_spec.h"

namespace squall::fakes::engine {

// An action that is due, or that waits for others to end.
struct BufferedStart {
  WallTime nominal{}, actual{};
  // Unspecified: the schedule's policy at the time of the start.
  enums::ScheduleOverlapPolicy overlap = enums::SCHEDULE_OVERLAP_POLICY_UNSPECIFIED;
  bool manual = false;  // triggered or backfilled
};

struct Schedule : std::enable_shared_from_this<Schedule> {
  std::weak_ptr<Namespace> ns;
  std::string id;
  std::string jitter_seed;  // "<namespace id>-<id>"
  std::string create_request_id;
  std::uint64_t serial = 0;  // order of creation
  bool closed = false;       // deleted, or idle for a week

  schedulepb::Schedule schedule;  // with defaults filled in
  schedulepb::ScheduleInfo info;
  std::optional<CompiledSpec> spec;
  std::int64_t conflict_token = 1;
  WallTime last_processed{};  // the last action, or the end of a time without actions
  std::deque<BufferedStart> buffer;
  std::deque<schedulepb::BackfillRequest> backfills;
  bool need_refresh = false;  // look whether the running workflows still run
  // Of the last workflow that ended (and was looked at).
  std::optional<common::Payloads> last_result;
  std::optional<failure::Failure> continued_failure;
  // The workflow whose end wakes the schedule; none unless starts wait in the buffer.
  std::optional<common::WorkflowExecution> watched;
  TimerId wakeup = 0;

  std::map<std::string, common::Payload> memo;
  std::set<std::string> request_ids;       // of updates and patches
  schedulepb::ScheduleListInfo list_info;  // as of the last wake-up
  // The schedule as a row that visibility queries can be asked about: its workflow id is the
  // schedule id, its search attributes are the schedule's.
  std::shared_ptr<Run> row = std::make_shared<Run>();
};

class Schedules {
 public:
  explicit Schedules(Core& core) : core_(core) {}

  StatusOr<ws::CreateScheduleResponse> Create(const ws::CreateScheduleRequest& request);
  StatusOr<ws::DescribeScheduleResponse> Describe(const ws::DescribeScheduleRequest& request);
  StatusOr<ws::UpdateScheduleResponse> Update(const ws::UpdateScheduleRequest& request);
  StatusOr<ws::PatchScheduleResponse> Patch(const ws::PatchScheduleRequest& request);
  StatusOr<ws::ListScheduleMatchingTimesResponse> MatchingTimes(
      const ws::ListScheduleMatchingTimesRequest& request);
  StatusOr<ws::DeleteScheduleResponse> Delete(const ws::DeleteScheduleRequest& request);
  StatusOr<ws::ListSchedulesResponse> List(const ws::ListSchedulesRequest& request);
  StatusOr<ws::CountSchedulesResponse> Count(const ws::CountSchedulesRequest& request);

 private:
  // Also finds closed ones.
  StatusOr<std::shared_ptr<Schedule>> Find(const std::string& ns, const std::string& id) const;
  StatusOr<std::shared_ptr<Schedule>> FindOpen(const std::string& ns, const std::string& id) const;
  // The checks of Create and Update; `schedule` gets its canonical spec.
  Status CheckAction(const Namespace& ns, workflowpb::NewWorkflowExecutionInfo* action) const;
  // The schedules that match, the latest first.
  StatusOr<std::vector<std::shared_ptr<Schedule>>> Matching(const std::string& ns,
                                                            const std::string& query) const;

  Core& core_;
  std::uint64_t serial_ = 0;
};

}  // namespace squall::fakes::engine
