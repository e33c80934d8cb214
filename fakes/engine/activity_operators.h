#pragma once
// What an operator does to activities of a workflow: pause, unpause, reset, change options. After
// service/history/workflow/activity.go and api/updateactivityoptions of the real server.

#include <google/protobuf/field_mask.pb.h>

#include <string>
#include <vector>

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

// Copies the options that `mask` names from `from` into `into`; INVALID_ARGUMENT with the real
// server's texts. Durations and priority that are absent in `from` are cleared.
Status MergeActivityOptions(const activitypb::ActivityOptions& from,
                            const google::protobuf::FieldMask& mask,
                            activitypb::ActivityOptions* into);
// The rules for time-outs that depend on each other. `run_timeout` 0: none.
Status NormalizeActivityTimeouts(const std::string& activity_id, const std::string& type,
                                 Duration run_timeout, activitypb::ActivityOptions* options);

class ActivityOperators {
 public:
  explicit ActivityOperators(Core& core) : core_(core) {}

  StatusOr<ws::PauseActivityResponse> Pause(const ws::PauseActivityRequest& request);
  StatusOr<ws::UnpauseActivityResponse> Unpause(const ws::UnpauseActivityRequest& request);
  StatusOr<ws::ResetActivityResponse> Reset(const ws::ResetActivityRequest& request);
  StatusOr<ws::UpdateActivityOptionsResponse> UpdateOptions(
      const ws::UpdateActivityOptionsRequest& request);

 private:
  // The open run; its activities by id (one, NOT_FOUND), by type, or all.
  StatusOr<std::shared_ptr<Run>> Find(const std::string& ns,
                                      const common::WorkflowExecution& execution);
  StatusOr<std::vector<std::int64_t>> Select(const Run& run, const std::string& id,
                                             const std::string& type, bool all);
  // The options that the activity was scheduled with.
  void Restore(Run& run, Activity& activity);
  Duration Jitter(const google::protobuf::Duration& most);

  Core& core_;
};

}  // namespace squall::fakes::engine
