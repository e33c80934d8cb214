#pragma once
// The versioning of one run: which version it is on, how it moves to another, what it hands down.
// After mutable_state_impl.go and workflow_task_state_machine.go of the real server. Runs that
// never met a versioned worker have no such state (Run::versioning is null).

#include <memory>
#include <string>

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"
#include "fakes/engine/version.h"

namespace squall::fakes::engine {

// A target that a pinned run was told of, or whose predecessor declined it.
struct NotedTarget {
  MaybeVersion version;
  std::int64_t revision = 0;
};

struct RunVersioning {
  workflowpb::WorkflowExecutionVersioningInfo info;
  bool deployments = false;  // `info` counts: some deployment or override came into play
  std::optional<NotedTarget> notified, declined;
  common::WorkerVersionStamp stamp;  // of the last workflow task, by the older versioning
};

// What matching knows about the poll that takes a task.
struct TaskRoute {
  MaybeVersion poller, target;
  std::int64_t revision = 0;
  bool matched = false;  // false: handed to the worker without matching
};

class Versioning {
 public:
  explicit Versioning(Core& core) : core_(core) {}

  static enums::VersioningBehavior Behavior(const Run& run);
  static MaybeVersion Effective(const Run& run);
  static bool Pinned(const Run& run) { return Behavior(run) == enums::VERSIONING_BEHAVIOR_PINNED; }
  static bool InTransition(const Run& run);
  // The first task of a continued run that asked for the ramping version.
  static bool UseRamping(const Run& run);
  // What the started event of a workflow task tells.
  static bool TargetChanged(const Run& run);

  // From the started event.
  void Started(Run& run);
  // A workflow task starts: before and after its event is written.
  void TaskStarting(Run& run, const TaskRoute& route);
  void TaskStarted(Run& run, const TaskRoute& route);
  // Fills in the completed event, then takes over what it says.
  static void FillCompleted(const ws::RespondWorkflowTaskCompletedRequest& request,
                            historypb::WorkflowTaskCompletedEventAttributes* attributes);
  void TaskCompleted(Run& run, const historypb::WorkflowTaskCompletedEventAttributes& attributes);
  // Whether an activity may start on that poller. When not, its task is dropped and comes back when
  // the run's move to another version is over.
  bool ActivityMayStart(Run& run, const TaskRoute& route);

  // Overrides.
  static Status CheckStructure(const workflowpb::VersioningOverride& override);
  // Also asks whether the version has the task queue.
  Status CheckOverride(const Namespace& ns, const std::string& queue,
                       const workflowpb::VersioningOverride& override);
  static workflowpb::VersioningOverride Modern(const workflowpb::VersioningOverride& override);
  static MaybeVersion TargetOf(const workflowpb::VersioningOverride& override);
  // After a start or an update with this override: a drained version has work again.
  void Overridden(const Namespace& ns, const workflowpb::VersioningOverride& override);
  // Applies the event; used for new events and when a history is rebuilt.
  void OptionsUpdated(Run& run,
                      const historypb::WorkflowExecutionOptionsUpdatedEventAttributes& attributes);
  StatusOr<ws::UpdateWorkflowExecutionOptionsResponse> UpdateOptions(
      const ws::UpdateWorkflowExecutionOptionsRequest& request);
  // The same for a run at hand (batches, resets): merges `options` by `mask` and writes the event
  // when something changes.
  StatusOr<workflowpb::WorkflowExecutionOptions> MergeOptions(
      Run& run, const workflowpb::WorkflowExecutionOptions& options,
      const google::protobuf::FieldMask& mask, const std::string& identity);

  // What a new run gets from the one before it, or above it.
  void InheritByChild(const Run& parent,
                      const historypb::StartChildWorkflowExecutionInitiatedEventAttributes& child,
                      historypb::WorkflowExecutionStartedEventAttributes* started);
  void InheritByContinue(const Run& run,
                         const command::ContinueAsNewWorkflowExecutionCommandAttributes& command,
                         historypb::WorkflowExecutionStartedEventAttributes* next);
  void InheritByRetry(const Run& run, enums::ContinueAsNewInitiator initiator,
                      historypb::WorkflowExecutionStartedEventAttributes* next);

  static void Describe(const Run& run, workflowpb::WorkflowExecutionInfo* info);
  // An open run is pinned to that version.
  bool AnyPinned(const Namespace& ns, const Version& version) const;

 private:
  static workflowpb::WorkflowExecutionVersioningInfo& Info(Run& run);
  void StartTransition(Run& run, const MaybeVersion& to, std::int64_t revision);
  void RescheduleTask(Run& run);
  void SetOverride(Run& run, const workflowpb::VersioningOverride* override);
  void UpdateSearchAttributes(Run& run, const MaybeVersion& used);
  bool HasWorkflowQueue(const std::string& ns_id, const std::string& queue,
                        const MaybeVersion& version) const;
  static std::optional<historypb::DeclinedTargetVersionUpgrade> Declined(const Run& run);

  Core& core_;
};

}  // namespace squall::fakes::engine
