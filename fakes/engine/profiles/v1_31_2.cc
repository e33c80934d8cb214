// Written by tests/differential/record_profile.py from the release's own answers; not to be edited.

#include <array>

#include "fakes/engine/profile.h"

namespace squall::fakes::engine {
namespace {

// clang-format off
constexpr auto kUnknownMethods = std::to_array<std::string_view>({
    "temporal.api.workflowservice.v1.WorkflowService/CountNexusOperationExecutions",
    "temporal.api.workflowservice.v1.WorkflowService/CountWorkers",
    "temporal.api.workflowservice.v1.WorkflowService/DeleteNexusOperationExecution",
    "temporal.api.workflowservice.v1.WorkflowService/DescribeNexusOperationExecution",
    "temporal.api.workflowservice.v1.WorkflowService/ListNexusOperationExecutions",
    "temporal.api.workflowservice.v1.WorkflowService/PauseActivityExecution",
    "temporal.api.workflowservice.v1.WorkflowService/PollNexusOperationExecution",
    "temporal.api.workflowservice.v1.WorkflowService/PollWorkflowExecutionTimeSkipping",
    "temporal.api.workflowservice.v1.WorkflowService/RequestCancelNexusOperationExecution",
    "temporal.api.workflowservice.v1.WorkflowService/ResetActivityExecution",
    "temporal.api.workflowservice.v1.WorkflowService/StartNexusOperationExecution",
    "temporal.api.workflowservice.v1.WorkflowService/TerminateNexusOperationExecution",
    "temporal.api.workflowservice.v1.WorkflowService/UnpauseActivityExecution",
    "temporal.api.workflowservice.v1.WorkflowService/UpdateActivityExecutionOptions",
});
constexpr std::span<const RefusedMethod> kRefusedMethods;
constexpr auto kAbsentFields = std::to_array<std::string_view>({
    "temporal.api.activity.v1.ActivityExecutionInfo.execution_time",
    "temporal.api.activity.v1.ActivityExecutionInfo.sdk_name",
    "temporal.api.activity.v1.ActivityExecutionInfo.sdk_version",
    "temporal.api.activity.v1.ActivityExecutionInfo.start_delay",
    "temporal.api.activity.v1.ActivityExecutionInfo.total_heartbeat_count",
    "temporal.api.activity.v1.ActivityExecutionListInfo.execution_time",
    "temporal.api.activity.v1.ActivityExecutionOutcome.retry_state",
    "temporal.api.activity.v1.ActivityOptions.start_delay",
    "temporal.api.batch.v1.BatchOperationInfo.operation_type",
    "temporal.api.command.v1.Command.event_group_markers",
    "temporal.api.command.v1.StartChildWorkflowExecutionCommandAttributes.versioning_override",
    "temporal.api.common.v1.Link.nexus_operation",
    "temporal.api.common.v1.Link.workflow",
    "temporal.api.deployment.v1.WorkerDeploymentInfo.WorkerDeploymentVersionSummary.compute_status",
    "temporal.api.errordetails.v1.WorkflowExecutionAlreadyStartedFailure.first_execution_run_id",
    "temporal.api.history.v1.DeclinedTargetVersionUpgrade.revision_number",
    "temporal.api.history.v1.HistoryEvent.event_group_markers",
    "temporal.api.history.v1.StartChildWorkflowExecutionInitiatedEventAttributes.time_skipping_config",
    "temporal.api.history.v1.StartChildWorkflowExecutionInitiatedEventAttributes.time_skipping_state_propagation",
    "temporal.api.history.v1.StartChildWorkflowExecutionInitiatedEventAttributes.versioning_override",
    "temporal.api.history.v1.WorkflowExecutionOptionsUpdatedEventAttributes.time_skipping_config_updated",
    "temporal.api.history.v1.WorkflowExecutionOptionsUpdatedEventAttributes.workflow_update_options",
    "temporal.api.history.v1.WorkflowExecutionStartedEventAttributes.time_skipping_state_propagation",
    "temporal.api.history.v1.WorkflowExecutionTimeSkippingTransitionedEventAttributes.disabled_after_fast_forward",
    "temporal.api.namespace.v1.NamespaceInfo.Capabilities.poller_autoscaling_auto_enroll",
    "temporal.api.namespace.v1.NamespaceInfo.Capabilities.standalone_activity_batch_operations",
    "temporal.api.namespace.v1.NamespaceInfo.Capabilities.standalone_activity_operator_commands",
    "temporal.api.namespace.v1.NamespaceInfo.Capabilities.standalone_activity_start_delay",
    "temporal.api.namespace.v1.NamespaceInfo.Capabilities.standalone_nexus_operation",
    "temporal.api.namespace.v1.NamespaceInfo.Capabilities.worker_commands",
    "temporal.api.namespace.v1.NamespaceInfo.Capabilities.workflow_task_completion_pagination",
    "temporal.api.namespace.v1.NamespaceInfo.Capabilities.workflow_update_callbacks",
    "temporal.api.namespace.v1.NamespaceInfo.Limits.workflow_task_completion_size_limit_error",
    "temporal.api.schedule.v1.ScheduleInfo.state_size_bytes",
    "temporal.api.schedule.v1.ScheduleListInfo.state_size_bytes",
    "temporal.api.taskqueue.v1.TaskQueueStats.rate_limiting_active",
    "temporal.api.update.v1.Request.completion_callbacks",
    "temporal.api.update.v1.Request.links",
    "temporal.api.update.v1.Request.request_id",
    "temporal.api.worker.v1.WorkerHeartbeat.environment",
    "temporal.api.workflow.v1.CallbackInfo.Trigger.update_workflow_execution_completed",
    "temporal.api.workflow.v1.VersioningOverride.one_time",
    "temporal.api.workflow.v1.WorkflowExecutionExtendedInfo.time_skipping_info",
    "temporal.api.workflowservice.v1.DescribeActivityExecutionRequest.include_heartbeat_details",
    "temporal.api.workflowservice.v1.DescribeActivityExecutionRequest.include_last_failure",
    "temporal.api.workflowservice.v1.DescribeBatchOperationResponse.executions",
    "temporal.api.workflowservice.v1.DescribeBatchOperationResponse.query",
    "temporal.api.workflowservice.v1.DescribeNamespaceRequest.weak_consistency",
    "temporal.api.workflowservice.v1.DescribeNamespaceResponse.poller_group_infos",
    "temporal.api.workflowservice.v1.DescribeNamespaceResponse.poller_groups_info",
    "temporal.api.workflowservice.v1.GetSystemInfoResponse.Capabilities.server_scaled_provider_cloud_run",
    "temporal.api.workflowservice.v1.ListWorkersRequest.include_system_workers",
    "temporal.api.workflowservice.v1.PauseActivityRequest.request_id",
    "temporal.api.workflowservice.v1.PollActivityTaskQueueRequest.poller_group_id",
    "temporal.api.workflowservice.v1.PollActivityTaskQueueResponse.poller_group_infos",
    "temporal.api.workflowservice.v1.PollActivityTaskQueueResponse.poller_groups_info",
    "temporal.api.workflowservice.v1.PollNexusTaskQueueRequest.poller_group_id",
    "temporal.api.workflowservice.v1.PollNexusTaskQueueResponse.poller_group_id",
    "temporal.api.workflowservice.v1.PollNexusTaskQueueResponse.poller_group_infos",
    "temporal.api.workflowservice.v1.PollNexusTaskQueueResponse.poller_groups_info",
    "temporal.api.workflowservice.v1.PollWorkflowTaskQueueRequest.poller_group_id",
    "temporal.api.workflowservice.v1.PollWorkflowTaskQueueResponse.poller_group_id",
    "temporal.api.workflowservice.v1.PollWorkflowTaskQueueResponse.poller_group_infos",
    "temporal.api.workflowservice.v1.PollWorkflowTaskQueueResponse.poller_groups_info",
    "temporal.api.workflowservice.v1.QueryWorkflowResponse.link",
    "temporal.api.workflowservice.v1.RespondNexusTaskCompletedRequest.poller_group_id",
    "temporal.api.workflowservice.v1.RespondNexusTaskFailedRequest.poller_group_id",
    "temporal.api.workflowservice.v1.RespondQueryTaskCompletedRequest.poller_group_id",
    "temporal.api.workflowservice.v1.RespondWorkflowTaskCompletedRequest.intermediate_page",
    "temporal.api.workflowservice.v1.RespondWorkflowTaskCompletedRequest.page_number",
    "temporal.api.workflowservice.v1.SignalWithStartWorkflowExecutionResponse.first_execution_run_id",
    "temporal.api.workflowservice.v1.StartActivityExecutionRequest.on_conflict_options",
    "temporal.api.workflowservice.v1.StartActivityExecutionRequest.start_delay",
    "temporal.api.workflowservice.v1.StartBatchOperationRequest.cancel_activities_operation",
    "temporal.api.workflowservice.v1.StartBatchOperationRequest.delete_activities_operation",
    "temporal.api.workflowservice.v1.StartBatchOperationRequest.target_executions",
    "temporal.api.workflowservice.v1.StartBatchOperationRequest.terminate_activities_operation",
    "temporal.api.workflowservice.v1.StartWorkflowExecutionResponse.first_execution_run_id",
    "temporal.api.workflowservice.v1.UpdateWorkflowExecutionOptionsResponse.update_time",
    "temporal.api.workflowservice.v1.UpdateWorkflowExecutionResponse.link",
});
constexpr std::span<const std::string_view> kCapabilitiesOff;
// clang-format on

}  // namespace

extern const Profile k1_31_2;
const Profile k1_31_2 = {.version = "1.31.2",
                         .unknown_methods = kUnknownMethods,
                         .refused_methods = kRefusedMethods,
                         .absent_fields = kAbsentFields,
                         .capabilities_off = kCapabilitiesOff};

}  // namespace squall::fakes::engine
