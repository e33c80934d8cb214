#pragma once
// New runs: by a client's start, with a signal, as a child, or as the continuation of a run that
// ended.

#include <memory>
#include <optional>
#include <string>

#include "base/util/status.h"
#include "fakes/engine/calls.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

// All that a run begins with.
struct NewRun {
  std::shared_ptr<Namespace> ns;
  std::string workflow_id;
  std::string run_id;  // "" : a new one
  std::string request_id;
  historypb::WorkflowExecutionStartedEventAttributes attributes;  // run ids are filled in
  std::optional<::temporal::api::sdk::v1::UserMetadata> user_metadata;
  google::protobuf::RepeatedPtrField<common::Link> links;
  // Signal-with-start: the first event after the started one.
  std::optional<historypb::HistoryEvent> signal;
  // The first workflow task goes to the starter instead of the queue.
  bool eager = false;
};

// A start as the rules for duplicate ids see it.
struct StartRequest {
  NewRun run;
  enums::WorkflowIdReusePolicy reuse = enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE;
  enums::WorkflowIdConflictPolicy conflict = enums::WORKFLOW_ID_CONFLICT_POLICY_FAIL;
  // Whether the id of the request that made the current run is answered with that run, before any
  // policy. The real server (1.32.0) does not look at it for SignalWithStart.
  bool idempotent = true;
};

struct StartOutcome {
  std::shared_ptr<Run> run;
  bool started = false;  // by this request (or by this request's first try)
  bool created = false;  // just now
};

class Starts {
 public:
  explicit Starts(Core& core) : core_(core) {}

  StatusOr<ws::StartWorkflowExecutionResponse> Start(ws::StartWorkflowExecutionRequest& request);
  StatusOr<ws::SignalWithStartWorkflowExecutionResponse> SignalWithStart(
      ws::SignalWithStartWorkflowExecutionRequest& request);
  // Update-with-start: answered when the update has reached its stage.
  void MultiOperation(CallId call, ws::ExecuteMultiOperationRequest& request);
  // The same for one whose update was aborted because its run closed: it may start another run.
  void CombineAgain(CallId call, ws::ExecuteMultiOperationRequest& request);

  // Applies the policies for ids in use, then creates.
  StatusOr<StartOutcome> StartOrReuse(StartRequest request);
  std::shared_ptr<Run> Create(NewRun start);
  // Ends the run when it or the whole execution takes too long.
  void ArmExpiry(Run& run);

  // Checks a client's request and turns it into a StartRequest.
  StatusOr<StartRequest> Prepare(ws::StartWorkflowExecutionRequest& request);

 private:
  void Combine(CallId call, StartRequest start, const ws::UpdateWorkflowExecutionRequest& update,
               std::shared_ptr<ws::ExecuteMultiOperationRequest> again);

  Core& core_;
};

// The real server's rules: the run lasts no longer than the execution, the task no longer than the
// run.
Duration EffectiveRunTimeout(Duration run, Duration execution);
Duration EffectiveTaskTimeout(Duration task, Duration run, Duration usual);
// Checks the name and fills in the kind.
Status NormalizeQueue(taskqueue::TaskQueue* queue, const std::string& default_name);
common::Link StartedLink(const Run& run);
common::Link RequestLink(const Run& run, const std::string& request_id, enums::EventType type);

}  // namespace squall::fakes::engine
