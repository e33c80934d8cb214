#pragma once
// Standalone activities: executions of their own, without a workflow. After chasm/lib/activity of
// the real server.

#include <memory>
#include <optional>
#include <string>

#include "base/util/status.h"
#include "fakes/engine/calls.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

struct Namespace;
struct StandaloneActivity;

class StandaloneActivities {
 public:
  explicit StandaloneActivities(Core& core);
  ~StandaloneActivities();
  StandaloneActivities(const StandaloneActivities&) = delete;
  StandaloneActivities& operator=(const StandaloneActivities&) = delete;

  StatusOr<ws::StartActivityExecutionResponse> Start(ws::StartActivityExecutionRequest& request);
  // With a token: answered at the next change, or empty after a while.
  void Describe(CallId call, const ws::DescribeActivityExecutionRequest& request);
  // Answered with the outcome, or empty after a while.
  void Poll(CallId call, const ws::PollActivityExecutionRequest& request);
  StatusOr<ws::ListActivityExecutionsResponse> List(
      const ws::ListActivityExecutionsRequest& request);
  StatusOr<ws::CountActivityExecutionsResponse> Count(
      const ws::CountActivityExecutionsRequest& request);
  StatusOr<ws::RequestCancelActivityExecutionResponse> RequestCancel(
      const ws::RequestCancelActivityExecutionRequest& request);
  StatusOr<ws::TerminateActivityExecutionResponse> Terminate(
      const ws::TerminateActivityExecutionRequest& request);
  StatusOr<ws::DeleteActivityExecutionResponse> Delete(
      const ws::DeleteActivityExecutionRequest& request);
  // These four act on an activity of a workflow when the request names one.
  StatusOr<ws::PauseActivityExecutionResponse> Pause(
      const ws::PauseActivityExecutionRequest& request);
  StatusOr<ws::UnpauseActivityExecutionResponse> Unpause(
      const ws::UnpauseActivityExecutionRequest& request);
  StatusOr<ws::ResetActivityExecutionResponse> Reset(
      const ws::ResetActivityExecutionRequest& request);
  StatusOr<ws::UpdateActivityExecutionOptionsResponse> UpdateOptions(
      const ws::UpdateActivityExecutionOptionsRequest& request);

  // What workers say about attempts. Activities hands over what belongs here: a token without
  // workflow id, or a call by id that names no workflow.
  static bool Owns(const std::string& token);
  struct Ref {  // a token, or names
    std::string token, ns, activity_id, run_id;
  };
  Status Completed(const Ref& ref, const common::Payloads* result, const std::string& identity);
  Status Failed(const Ref& ref, const failure::Failure& failure, const common::Payloads* heartbeat,
                const std::string& identity);
  Status Canceled(const Ref& ref, const common::Payloads* details, const std::string& identity);
  StatusOr<ws::RecordActivityTaskHeartbeatResponse> Heartbeat(const Ref& ref,
                                                              const common::Payloads* details,
                                                              const std::string& identity);

  // For skipping time: attempts that a worker has or should take, and those that wait for their
  // moment.
  struct Work {
    bool pending = false, backing_off = false;
  };
  Work WorkNow() const;

  // The held calls are gone (restart).
  void ForgetWaiters();
  // All data is gone (restart without data, namespace deleted: only `ns`).
  void Clear(const Namespace* ns = nullptr);
  // The violated invariant, or "".
  std::string Check() const;

 private:
  struct State;
  Core& core_;
  std::unique_ptr<State> state_;
};

}  // namespace squall::fakes::engine
