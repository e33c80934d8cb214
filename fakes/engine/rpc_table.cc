#include "fakes/engine/rpc_table.h"

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "health/v1/health.pb.h"

namespace squall::fakes::engine {
namespace {

using Level = RpcSupport::Level;

// The fields that most requests have, found by name: the journal's view of a call.
class Described {
 public:
  explicit Described(const google::protobuf::Descriptor& type)
      : ns_(Text(type, "namespace")),
        identity_(Text(type, "identity")),
        workflow_id_(Text(type, "workflow_id")),
        workflow_(type, "workflow_execution", "workflow_id"),
        execution_(type, "execution", "workflow_id"),
        task_queue_(type, "task_queue", "name") {}

  CallInfo Of(const google::protobuf::Message& message) const {
    CallInfo info;
    info.ns = Read(message, ns_);
    info.identity = Read(message, identity_);
    info.workflow_id = Read(message, workflow_id_);
    if (info.workflow_id.empty()) info.workflow_id = workflow_.Read(message);
    if (info.workflow_id.empty()) info.workflow_id = execution_.Read(message);
    info.task_queue = task_queue_.Read(message);
    return info;
  }

 private:
  using Field = google::protobuf::FieldDescriptor;

  static const Field* Text(const google::protobuf::Descriptor& type, const char* name) {
    const Field* field = type.FindFieldByName(name);
    const bool text =
        field != nullptr && !field->is_repeated() && field->type() == Field::TYPE_STRING;
    return text ? field : nullptr;
  }
  static std::string Read(const google::protobuf::Message& message, const Field* text) {
    return text == nullptr ? "" : message.GetReflection()->GetString(message, text);
  }

  struct Nested {
    Nested(const google::protobuf::Descriptor& type, const char* name, const char* inner)
        : message(type.FindFieldByName(name)) {
      if (message == nullptr || message->is_repeated() || message->message_type() == nullptr)
        return;
      text = Text(*message->message_type(), inner);
    }
    std::string Read(const google::protobuf::Message& in) const {
      if (text == nullptr || !in.GetReflection()->HasField(in, message)) return {};
      return Described::Read(in.GetReflection()->GetMessage(in, message), text);
    }
    const Field* message;
    const Field* text = nullptr;
  };

  const Field *ns_, *identity_, *workflow_id_;
  Nested workflow_, execution_, task_queue_;
};

template <typename Request>
CallInfo DescribeBytes(const std::string& bytes, ParsedRequest& parsed) {
  auto request = std::make_unique<Request>();
  if (!request->ParseFromString(bytes)) return {};
  static const Described fields(*Request::descriptor());
  CallInfo info = fields.Of(*request);
  parsed = std::move(request);
  return info;
}

// What grpc-go answers to bytes that are no message of the type.
Status Unparsable() {
  return {StatusCode::kInternal,
          "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data"};
}

template <typename T>
struct Handler;
// Answers at once.
template <typename C, typename Response, typename Request>
struct Handler<StatusOr<Response> (C::*)(Request)> {
  using Message = std::remove_cvref_t<Request>;
  template <auto Part, auto Function>
  static void Handle(Core& core, CallId call, const std::string& bytes,
                     const ParsedRequest& parsed) {
    Message own;
    if (parsed == nullptr && !own.ParseFromString(bytes))
      return core.calls.Fail(call, Unparsable());
    Message& request = parsed == nullptr ? own : static_cast<Message&>(*parsed);
    core.limits.TakeError();  // of work that was nobody's call
    auto response = ((core.*Part).*Function)(request);
    if (auto refused = core.limits.TakeError()) {
      core.calls.Fail(call, *refused);
    } else if (response.ok()) {
      core.calls.Reply(call, *response);
    } else {
      core.calls.Fail(call, response.status());
    }
  }
};
// Answers when it is ready.
template <typename C, typename Request>
struct Handler<void (C::*)(CallId, Request)> {
  using Message = std::remove_cvref_t<Request>;
  template <auto Part, auto Function>
  static void Handle(Core& core, CallId call, const std::string& bytes,
                     const ParsedRequest& parsed) {
    Message own;
    if (parsed == nullptr && !own.ParseFromString(bytes))
      return core.calls.Fail(call, Unparsable());
    Message& request = parsed == nullptr ? own : static_cast<Message&>(*parsed);
    ((core.*Part).*Function)(call, request);
  }
};

template <auto Part, auto Function>
RpcEntry Entry(std::string_view service, std::string_view method, Level level,
               std::string_view note = {}) {
  using H = Handler<decltype(Function)>;
  return {.support = {service, method, level, note},
          .describe = &DescribeBytes<typename H::Message>,
          .handle = &H::template Handle<Part, Function>};
}

template <auto Part, auto Function>
RpcEntry Full(std::string_view method, std::string_view note = {}) {
  return Entry<Part, Function>(kWorkflowService, method,
                               note.empty() ? Level::kFull : Level::kPartial, note);
}

// Answered with UNIMPLEMENTED here because the real server does so, whatever its settings.
template <auto Part, auto Function>
RpcEntry Gone(std::string_view method) {
  return Entry<Part, Function>(kWorkflowService, method, Level::kFull,
                               "answers UNIMPLEMENTED, as the real server always does");
}

RpcEntry None(std::string_view method, std::string_view why,
              std::string_view service = kWorkflowService) {
  return {.support = {service, method, Level::kRefused, why}};
}

void HealthCheck(Core& core, CallId call, const std::string& bytes, const ParsedRequest&) {
  grpc::health::v1::HealthCheckRequest request;
  if (!request.ParseFromString(bytes)) return core.calls.Fail(call, Unparsable());
  const std::string& service = request.service();
  if (!service.empty() && service != kWorkflowService && service != kOperatorService &&
      service != kHealthService) {
    return core.calls.Fail(call, Status(StatusCode::kNotFound, "unknown service"));
  }
  grpc::health::v1::HealthCheckResponse response;
  response.set_status(grpc::health::v1::HealthCheckResponse::SERVING);
  core.calls.Reply(call, response);
}

// What the real server answers where the feature is not enabled.
void NoTimeSkipping(Core& core, CallId call, const std::string& bytes, const ParsedRequest&) {
  ws::PollWorkflowExecutionTimeSkippingRequest request;
  if (!request.ParseFromString(bytes)) return core.calls.Fail(call, Unparsable());
  if (auto ns = core.namespaces.Get(request.namespace_()); !ns.ok())
    return core.calls.Fail(call, ns.status());
  core.calls.Fail(call, Status(StatusCode::kUnimplemented,
                               "The Time-Skipping feature is not enabled for namespace."));
}

std::vector<RpcEntry> MakeTable() {
  constexpr std::string_view kDisabled = "answered as disabled, the real server's default";
  constexpr std::string_view kRulesOff = "UNIMPLEMENTED as from the dev server: rules are off";
  return {
      Full<&Core::namespaces, &Namespaces::Register>("RegisterNamespace",
                                                     "clusters and archival are ignored"),
      Full<&Core::namespaces, &Namespaces::Describe>("DescribeNamespace"),
      Full<&Core::namespaces, &Namespaces::List>("ListNamespaces"),
      Full<&Core::namespaces, &Namespaces::Update>(
          "UpdateNamespace", "archival and aliases of search attributes are ignored"),
      Full<&Core::namespaces, &Namespaces::Deprecate>("DeprecateNamespace"),
      Full<&Core::starts, &Starts::Start>("StartWorkflowExecution"),
      Full<&Core::starts, &Starts::MultiOperation>("ExecuteMultiOperation",
                                                   "start and update, in this order"),
      Full<&Core::reads, &Reads::History>("GetWorkflowExecutionHistory"),
      Full<&Core::reads, &Reads::HistoryReverse>("GetWorkflowExecutionHistoryReverse"),
      Full<&Core::matching, &Matching::PollWorkflow>("PollWorkflowTaskQueue"),
      Full<&Core::commands, &Commands::RespondCompleted>("RespondWorkflowTaskCompleted"),
      Full<&Core::tasks, &WorkflowTasks::RespondFailed>("RespondWorkflowTaskFailed"),
      Full<&Core::matching, &Matching::PollActivity>("PollActivityTaskQueue"),
      Full<&Core::activities, &Activities::Heartbeat>("RecordActivityTaskHeartbeat"),
      Full<&Core::activities, &Activities::HeartbeatById>("RecordActivityTaskHeartbeatById"),
      Full<&Core::activities, &Activities::Completed>("RespondActivityTaskCompleted"),
      Full<&Core::activities, &Activities::CompletedById>("RespondActivityTaskCompletedById"),
      Full<&Core::activities, &Activities::Failed>("RespondActivityTaskFailed"),
      Full<&Core::activities, &Activities::FailedById>("RespondActivityTaskFailedById"),
      Full<&Core::activities, &Activities::Canceled>("RespondActivityTaskCanceled"),
      Full<&Core::activities, &Activities::CanceledById>("RespondActivityTaskCanceledById"),
      Full<&Core::signals, &Signals::RequestCancel>("RequestCancelWorkflowExecution"),
      Full<&Core::signals, &Signals::Signal>("SignalWorkflowExecution"),
      Full<&Core::starts, &Starts::SignalWithStart>("SignalWithStartWorkflowExecution"),
      Full<&Core::resets, &Resets::Reset>("ResetWorkflowExecution"),
      Full<&Core::signals, &Signals::Terminate>("TerminateWorkflowExecution"),
      Full<&Core::signals, &Signals::Delete>("DeleteWorkflowExecution"),
      Full<&Core::visibility, &Visibility::ListOpen>("ListOpenWorkflowExecutions"),
      Full<&Core::visibility, &Visibility::ListClosed>("ListClosedWorkflowExecutions"),
      Full<&Core::visibility, &Visibility::List>(
          "ListWorkflowExecutions", "a part of the query language: visibility_query.h"),
      Full<&Core::clusters, &Clusters::ListArchived>("ListArchivedWorkflowExecutions"),
      Full<&Core::visibility, &Visibility::Scan>(
          "ScanWorkflowExecutions", "a part of the query language: visibility_query.h"),
      Full<&Core::visibility, &Visibility::Count>(
          "CountWorkflowExecutions", "a part of the query language: visibility_query.h"),
      Full<&Core::namespaces, &Namespaces::GetSearchAttributes>("GetSearchAttributes"),
      Full<&Core::matching, &Matching::RespondQuery>("RespondQueryTaskCompleted"),
      Full<&Core::tasks, &WorkflowTasks::ResetSticky>("ResetStickyTaskQueue"),
      Full<&Core::matching, &Matching::ShutdownWorker>("ShutdownWorker"),
      Full<&Core::queries, &Queries::Query>("QueryWorkflow"),
      Full<&Core::reads, &Reads::Describe>("DescribeWorkflowExecution"),
      Full<&Core::matching, &Matching::Describe>("DescribeTaskQueue"),
      Full<&Core::workers, &Workers::ClusterInfo>("GetClusterInfo"),
      Full<&Core::workers, &Workers::SystemInfo>("GetSystemInfo"),
      Full<&Core::matching, &Matching::ListPartitions>("ListTaskQueuePartitions"),
      Full<&Core::schedules, &Schedules::Create>("CreateSchedule"),
      Full<&Core::schedules, &Schedules::Describe>("DescribeSchedule"),
      Full<&Core::schedules, &Schedules::Update>("UpdateSchedule"),
      Full<&Core::schedules, &Schedules::Patch>("PatchSchedule"),
      Full<&Core::schedules, &Schedules::MatchingTimes>("ListScheduleMatchingTimes"),
      Full<&Core::schedules, &Schedules::Delete>("DeleteSchedule"),
      Full<&Core::schedules, &Schedules::List>("ListSchedules"),
      Full<&Core::schedules, &Schedules::Count>("CountSchedules"),
      Full<&Core::build_ids, &BuildIds::Update>("UpdateWorkerBuildIdCompatibility"),
      Full<&Core::build_ids, &BuildIds::Get>("GetWorkerBuildIdCompatibility"),
      Full<&Core::build_ids, &BuildIds::UpdateRules>("UpdateWorkerVersioningRules",
                                                     "disabled, as on the dev server"),
      Full<&Core::build_ids, &BuildIds::GetRules>("GetWorkerVersioningRules",
                                                  "disabled, as on the dev server"),
      Full<&Core::build_ids, &BuildIds::Reachability>("GetWorkerTaskReachability"),
      Gone<&Core::deployments, &Deployments::OldDescribe>("DescribeDeployment"),
      Full<&Core::deployments, &Deployments::DescribeVersion>("DescribeWorkerDeploymentVersion"),
      Gone<&Core::deployments, &Deployments::OldList>("ListDeployments"),
      Gone<&Core::deployments, &Deployments::OldReachability>("GetDeploymentReachability"),
      Gone<&Core::deployments, &Deployments::OldCurrent>("GetCurrentDeployment"),
      Gone<&Core::deployments, &Deployments::OldSetCurrent>("SetCurrentDeployment"),
      Full<&Core::deployments, &Deployments::SetCurrent>("SetWorkerDeploymentCurrentVersion"),
      Full<&Core::deployments, &Deployments::Describe>("DescribeWorkerDeployment"),
      Full<&Core::deployments, &Deployments::Delete>("DeleteWorkerDeployment"),
      Full<&Core::deployments, &Deployments::DeleteVersion>("DeleteWorkerDeploymentVersion"),
      Full<&Core::deployments, &Deployments::SetRamping>("SetWorkerDeploymentRampingVersion"),
      Full<&Core::deployments, &Deployments::List>("ListWorkerDeployments"),
      Full<&Core::deployments, &Deployments::Create>("CreateWorkerDeployment"),
      Full<&Core::deployments, &Deployments::CreateVersion>("CreateWorkerDeploymentVersion"),
      Full<&Core::deployments, &Deployments::UpdateComputeConfig>(
          "UpdateWorkerDeploymentVersionComputeConfig",
          "no compute provider: refuses as the dev server does"),
      Full<&Core::deployments, &Deployments::ValidateComputeConfig>(
          "ValidateWorkerDeploymentVersionComputeConfig",
          "no compute provider: refuses as the dev server does"),
      Full<&Core::deployments, &Deployments::UpdateMetadata>(
          "UpdateWorkerDeploymentVersionMetadata"),
      Full<&Core::deployments, &Deployments::SetManager>("SetWorkerDeploymentManager"),
      Full<&Core::updates, &Updates::UpdateWorkflow>(
          "UpdateWorkflowExecution", "callbacks are not called, the real server's default"),
      Full<&Core::updates, &Updates::Poll>("PollWorkflowExecutionUpdate"),
      Full<&Core::batches, &Batches::Start>("StartBatchOperation"),
      Full<&Core::batches, &Batches::Stop>("StopBatchOperation"),
      Full<&Core::batches, &Batches::Describe>("DescribeBatchOperation"),
      Full<&Core::batches, &Batches::List>("ListBatchOperations"),
      Full<&Core::matching, &Matching::PollNexus>("PollNexusTaskQueue"),
      Full<&Core::nexus_tasks, &NexusTasks::Completed>("RespondNexusTaskCompleted"),
      Full<&Core::nexus_tasks, &NexusTasks::Failed>("RespondNexusTaskFailed"),
      Full<&Core::operators, &ActivityOperators::UpdateOptions>("UpdateActivityOptions"),
      Full<&Core::versioning, &Versioning::UpdateOptions>("UpdateWorkflowExecutionOptions",
                                                          "no time skipping"),
      Full<&Core::operators, &ActivityOperators::Pause>("PauseActivity"),
      Full<&Core::operators, &ActivityOperators::Unpause>("UnpauseActivity"),
      Full<&Core::operators, &ActivityOperators::Reset>("ResetActivity"),
      Full<&Core::clusters, &Clusters::CreateRule>("CreateWorkflowRule", kRulesOff),
      Full<&Core::clusters, &Clusters::DescribeRule>("DescribeWorkflowRule", kRulesOff),
      Full<&Core::clusters, &Clusters::DeleteRule>("DeleteWorkflowRule", kRulesOff),
      Full<&Core::clusters, &Clusters::ListRules>("ListWorkflowRules", kRulesOff),
      Gone<&Core::clusters, &Clusters::TriggerRule>("TriggerWorkflowRule"),
      Full<&Core::workers, &Workers::Record>("RecordWorkerHeartbeat"),
      Full<&Core::workers, &Workers::List>("ListWorkers"),
      Full<&Core::workers, &Workers::Count>("CountWorkers"),
      Full<&Core::matching, &Matching::UpdateConfig>(
          "UpdateTaskQueueConfig", "rate limits of fairness keys are stored, not applied"),
      Gone<&Core::workers, &Workers::FetchConfig>("FetchWorkerConfig"),
      Gone<&Core::workers, &Workers::UpdateConfig>("UpdateWorkerConfig"),
      Full<&Core::workers, &Workers::Describe>("DescribeWorker"),
      Full<&Core::pauses, &Pauses::Pause>("PauseWorkflowExecution",
                                          "only where the options enable it"),
      Full<&Core::pauses, &Pauses::Unpause>("UnpauseWorkflowExecution",
                                            "only where the options enable it"),
      Full<&Core::standalone, &StandaloneActivities::Start>("StartActivityExecution"),
      Entry<&Core::nexus_standalone, &NexusStandalone::Start>(
          kWorkflowService, "StartNexusOperationExecution", Level::kPartial, kDisabled),
      Full<&Core::standalone, &StandaloneActivities::Describe>("DescribeActivityExecution"),
      Entry<&Core::nexus_standalone, &NexusStandalone::Describe>(
          kWorkflowService, "DescribeNexusOperationExecution", Level::kPartial, kDisabled),
      Full<&Core::standalone, &StandaloneActivities::Poll>("PollActivityExecution"),
      Entry<&Core::nexus_standalone, &NexusStandalone::Poll>(
          kWorkflowService, "PollNexusOperationExecution", Level::kPartial, kDisabled),
      Full<&Core::standalone, &StandaloneActivities::List>(
          "ListActivityExecutions", "a part of the query language: visibility_query.h"),
      Entry<&Core::nexus_standalone, &NexusStandalone::List>(
          kWorkflowService, "ListNexusOperationExecutions", Level::kPartial, kDisabled),
      Full<&Core::standalone, &StandaloneActivities::Count>(
          "CountActivityExecutions", "a part of the query language: visibility_query.h"),
      Entry<&Core::nexus_standalone, &NexusStandalone::Count>(
          kWorkflowService, "CountNexusOperationExecutions", Level::kPartial, kDisabled),
      Full<&Core::standalone, &StandaloneActivities::RequestCancel>(
          "RequestCancelActivityExecution"),
      Entry<&Core::nexus_standalone, &NexusStandalone::RequestCancel>(
          kWorkflowService, "RequestCancelNexusOperationExecution", Level::kPartial, kDisabled),
      Full<&Core::standalone, &StandaloneActivities::Terminate>("TerminateActivityExecution"),
      Full<&Core::standalone, &StandaloneActivities::Delete>("DeleteActivityExecution"),
      Full<&Core::standalone, &StandaloneActivities::Pause>("PauseActivityExecution"),
      Full<&Core::standalone, &StandaloneActivities::Reset>("ResetActivityExecution"),
      Full<&Core::standalone, &StandaloneActivities::Unpause>("UnpauseActivityExecution"),
      Full<&Core::standalone, &StandaloneActivities::UpdateOptions>(
          "UpdateActivityExecutionOptions"),
      Entry<&Core::nexus_standalone, &NexusStandalone::Terminate>(
          kWorkflowService, "TerminateNexusOperationExecution", Level::kPartial, kDisabled),
      Entry<&Core::nexus_standalone, &NexusStandalone::Delete>(
          kWorkflowService, "DeleteNexusOperationExecution", Level::kPartial, kDisabled),
      {.support = {kWorkflowService, "PollWorkflowExecutionTimeSkipping", Level::kPartial,
                   "not enabled, as on the real server unless configured"},
       .describe = &DescribeBytes<ws::PollWorkflowExecutionTimeSkippingRequest>,
       .handle = &NoTimeSkipping},

      Entry<&Core::namespaces, &Namespaces::AddSearchAttributes>(
          kOperatorService, "AddSearchAttributes", Level::kFull),
      Entry<&Core::namespaces, &Namespaces::RemoveSearchAttributes>(
          kOperatorService, "RemoveSearchAttributes", Level::kFull),
      Entry<&Core::namespaces, &Namespaces::ListSearchAttributes>(
          kOperatorService, "ListSearchAttributes", Level::kFull),
      Entry<&Core::namespaces, &Namespaces::Delete>(kOperatorService, "DeleteNamespace",
                                                    Level::kFull),
      Entry<&Core::clusters, &Clusters::AddOrUpdate>(kOperatorService, "AddOrUpdateRemoteCluster",
                                                     Level::kPartial,
                                                     "every remote cluster is out of reach"),
      Entry<&Core::clusters, &Clusters::Remove>(kOperatorService, "RemoveRemoteCluster",
                                                Level::kFull),
      Entry<&Core::clusters, &Clusters::List>(kOperatorService, "ListClusters", Level::kPartial,
                                              "without addresses"),
      Entry<&Core::nexus_endpoints, &NexusEndpoints::Get>(kOperatorService, "GetNexusEndpoint",
                                                          Level::kFull),
      Entry<&Core::nexus_endpoints, &NexusEndpoints::Create>(kOperatorService,
                                                             "CreateNexusEndpoint", Level::kFull),
      Entry<&Core::nexus_endpoints, &NexusEndpoints::Update>(kOperatorService,
                                                             "UpdateNexusEndpoint", Level::kFull),
      Entry<&Core::nexus_endpoints, &NexusEndpoints::Delete>(kOperatorService,
                                                             "DeleteNexusEndpoint", Level::kFull),
      Entry<&Core::nexus_endpoints, &NexusEndpoints::List>(kOperatorService, "ListNexusEndpoints",
                                                           Level::kFull),

      {.support = {kHealthService, "Check", Level::kFull, {}},
       .describe = &DescribeBytes<grpc::health::v1::HealthCheckRequest>,
       .handle = &HealthCheck},
      None("Watch", "a stream: answered by the front end", kHealthService),
  };
}

}  // namespace

const std::vector<RpcEntry>& RpcTable() {
  static const std::vector<RpcEntry>* const table = new std::vector<RpcEntry>(MakeTable());
  return *table;
}

const RpcEntry* FindRpc(std::string_view service, std::string_view method) {
  using Key = std::pair<std::string_view, std::string_view>;
  static const std::map<Key, const RpcEntry*>* const index = [] {
    auto* made = new std::map<Key, const RpcEntry*>;
    for (const RpcEntry& entry : RpcTable())
      (*made)[{entry.support.service, entry.support.method}] = &entry;
    return made;
  }();
  const auto it = index->find({service, method});
  return it == index->end() ? nullptr : it->second;
}

}  // namespace squall::fakes::engine
