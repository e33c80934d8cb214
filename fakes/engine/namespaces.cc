#include "fakes/engine/namespaces.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

constexpr Duration kDefaultRetention = std::chrono::hours(24);
constexpr Duration kMinRetention = std::chrono::hours(24);

void Fill(const Namespace& ns, const EngineOptions& options, namespacepb::NamespaceInfo* info,
          namespacepb::NamespaceConfig* config,
          ::temporal::api::replication::v1::NamespaceReplicationConfig* replication) {
  info->set_name(ns.name);
  info->set_id(ns.id);
  info->set_state(ns.state);
  info->set_supports_schedules(true);
  info->set_description(ns.description);
  info->set_owner_email(ns.owner_email);
  for (const auto& [key, value] : ns.data) (*info->mutable_data())[key] = value;
  auto* capabilities = info->mutable_capabilities();
  capabilities->set_eager_workflow_start(true);
  capabilities->set_sync_update(true);
  capabilities->set_async_update(true);
  capabilities->set_worker_heartbeats(true);
  capabilities->set_poller_autoscaling(true);
  capabilities->set_worker_commands(options.worker_commands);
  capabilities->set_worker_poll_complete_on_shutdown(options.complete_polls_on_shutdown);
  capabilities->set_reported_problems_search_attribute(true);
  capabilities->set_workflow_pause(options.workflow_pause);
  capabilities->set_standalone_activities(true);
  capabilities->set_standalone_activity_operator_commands(true);
  capabilities->set_standalone_activity_batch_operations(true);
  capabilities->set_standalone_activity_start_delay(true);
  capabilities->set_workflow_task_completion_pagination(options.task_completion_pages);
  auto* limits = info->mutable_limits();
  limits->set_blob_size_limit_error(2 * 1024 * 1024);
  limits->set_memo_size_limit_error(2 * 1024 * 1024);
  if (options.task_completion_pages)
    limits->set_workflow_task_completion_size_limit_error(40 * 1024 * 1024);
  *config->mutable_workflow_execution_retention_ttl() = ToProto(ns.retention);
  config->mutable_bad_binaries();
  config->set_history_archival_state(enums::ARCHIVAL_STATE_DISABLED);
  config->set_visibility_archival_state(enums::ARCHIVAL_STATE_DISABLED);
  replication->set_active_cluster_name(options.cluster_name);
  // Those of the start were not made by RegisterNamespace.
  if (std::find(options.namespaces.begin(), options.namespaces.end(), ns.name) ==
      options.namespaces.end()) {
    replication->set_state(enums::REPLICATION_STATE_NORMAL);
  }
  replication->add_clusters()->set_cluster_name(options.cluster_name);
}

}  // namespace

enums::IndexedValueType Namespaces::AttributeType(std::string_view name) {
  std::string text =
      name == "KeywordList" ? "KEYWORD_LIST" : absl::AsciiStrToUpper(std::string(name));
  enums::IndexedValueType type = enums::INDEXED_VALUE_TYPE_UNSPECIFIED;
  enums::IndexedValueType_Parse("INDEXED_VALUE_TYPE_" + text, &type);
  return type;
}

std::shared_ptr<Namespace> Namespaces::Add(const std::string& name) {
  auto ns = std::make_shared<Namespace>();
  ns->id = core_.rng.Uuid();
  ns->name = name;
  ns->retention = kDefaultRetention;
  by_name_[name] = ns;
  by_id_[ns->id] = ns;
  return ns;
}

Namespaces::~Namespaces() { Clear(); }

void Namespaces::Clear() {
  // Namespaces own their runs and runs point back: without this neither would ever be freed.
  for (const auto& [name, ns] : by_name_) {
    ns->executions.clear();
    ns->by_visibility.clear();
  }
  by_name_.clear();
  by_id_.clear();
}

StatusOr<std::shared_ptr<Namespace>> Namespaces::Get(const std::string& name) const {
  if (name.empty()) return InvalidArgument("Namespace is empty.");
  const auto it = by_name_.find(name);
  if (it == by_name_.end()) return NamespaceNotFound(name);
  if (it->second->state == enums::NAMESPACE_STATE_DELETED)
    return NamespaceInvalidState(name, it->second->state);
  return it->second;
}

StatusOr<std::shared_ptr<Namespace>> Namespaces::GetById(const std::string& id) const {
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return NamespaceNotFound(id);
  return it->second;
}

StatusOr<std::shared_ptr<Run>> Namespaces::FindRun(Namespace& ns, const std::string& workflow_id,
                                                   const std::string& run_id) {
  const auto it = ns.executions.find(workflow_id);
  if (run_id.empty()) {
    if (it == ns.executions.end() || it->second.current == nullptr) {
      return NotFound(fmt::format("workflow not found for ID: {}", workflow_id));
    }
    return it->second.current;
  }
  if (it != ns.executions.end()) {
    if (const auto run = it->second.runs.find(run_id); run != it->second.runs.end())
      return run->second;
  }
  return NotFound(
      fmt::format("workflow execution not found for workflow ID \"{}\" and run ID \"{}\"",
                  workflow_id, run_id));
}

StatusOr<std::shared_ptr<Run>> Namespaces::FindRun(
    const std::string& ns_name, const common::WorkflowExecution& execution) const {
  SQUALL_ASSIGN_OR_RETURN(auto ns, Get(ns_name));
  if (execution.workflow_id().empty()) return InvalidArgument("WorkflowId is not set on request.");
  if (!execution.run_id().empty() && !IsUuid(execution.run_id()))
    return InvalidArgument("Invalid RunId.");
  return FindRun(*ns, execution.workflow_id(), execution.run_id());
}

VisibilityKey Namespaces::KeyOf(const Run& run) {
  constexpr std::int64_t kOpen = std::numeric_limits<std::int64_t>::min();
  return {run.open() ? kOpen : -run.closed.time_since_epoch().count(),
          -run.started.time_since_epoch().count(), run.run_id};
}

void Namespaces::Insert(const std::shared_ptr<Run>& run, bool current) {
  Execution& execution = run->ns->executions[run->workflow_id];
  execution.runs[run->run_id] = run;
  if (current) execution.current = run;
  run->ns->by_visibility[KeyOf(*run)] = run;
  if (run->open()) ++run->ns->open_runs;
}

void Namespaces::Reindex(Run& run, const VisibilityKey& old_key) {
  auto node = run.ns->by_visibility.extract(old_key);
  if (node.empty()) return;
  node.key() = KeyOf(run);
  run.ns->by_visibility.insert(std::move(node));
  if (!run.open()) --run.ns->open_runs;
}

StatusOr<ws::RegisterNamespaceResponse> Namespaces::Register(
    const ws::RegisterNamespaceRequest& request) {
  if (request.namespace_().empty()) return InvalidArgument("Namespace not set on request.");
  if (request.is_global_namespace())
    return InvalidArgument("Cannot register global namespace when not enabled");
  const Duration retention = FromProto(request.workflow_execution_retention_period());
  if (!request.has_workflow_execution_retention_period()) {
    return InvalidArgument("A valid retention period is not set on request.");
  }
  if (retention < kMinRetention)
    return InvalidArgument("A valid retention period is not set on request.");
  if (request.namespace_().size() > 1000)  // limit.maxIDLength
    return InvalidArgument("Namespace length exceeds limit.");
  if (by_name_.contains(request.namespace_())) return NamespaceExists(request.namespace_());
  auto ns = Add(request.namespace_());
  ns->description = request.description();
  ns->owner_email = request.owner_email();
  ns->retention = retention;
  for (const auto& [key, value] : request.data()) ns->data[key] = value;
  return ws::RegisterNamespaceResponse();
}

StatusOr<ws::DescribeNamespaceResponse> Namespaces::Describe(
    const ws::DescribeNamespaceRequest& request) {
  if (request.namespace_().empty() && request.id().empty())
    return InvalidArgument("Namespace not set on request.");
  std::shared_ptr<Namespace> ns;
  if (!request.namespace_().empty()) {
    const auto it = by_name_.find(request.namespace_());
    if (it == by_name_.end()) return NamespaceNotFound(request.namespace_());
    ns = it->second;
  } else {
    SQUALL_ASSIGN_OR_RETURN(ns, GetById(request.id()));
  }
  ws::DescribeNamespaceResponse response;
  Fill(*ns, core_.options, response.mutable_namespace_info(), response.mutable_config(),
       response.mutable_replication_config());
  return response;
}

StatusOr<ws::ListNamespacesResponse> Namespaces::List(const ws::ListNamespacesRequest& request) {
  std::int64_t skip = 0;
  if (!request.next_page_token().empty()) {
    const auto token = PageToken::Parse(request.next_page_token());
    if (!token) return InvalidArgument("Invalid NextPageToken.");
    skip = token->first;
  }
  const int page_size = request.page_size() <= 0 ? 100 : request.page_size();
  ws::ListNamespacesResponse response;
  std::int64_t at = 0;
  for (const auto& [name, ns] : by_name_) {
    if (ns->state == enums::NAMESPACE_STATE_DELETED &&
        !request.namespace_filter().include_deleted())
      continue;
    if (at++ < skip) continue;
    if (response.namespaces_size() == page_size) {
      response.set_next_page_token(PageToken{.first = at - 1}.Serialize());
      break;
    }
    auto* described = response.add_namespaces();
    Fill(*ns, core_.options, described->mutable_namespace_info(), described->mutable_config(),
         described->mutable_replication_config());
  }
  return response;
}

StatusOr<ws::UpdateNamespaceResponse> Namespaces::Update(
    const ws::UpdateNamespaceRequest& request) {
  if (request.namespace_().empty()) return InvalidArgument("Namespace not set on request.");
  const auto it = by_name_.find(request.namespace_());
  if (it == by_name_.end()) return NamespaceNotFound(request.namespace_());
  const std::shared_ptr<Namespace> ns = it->second;
  // All is checked before anything is changed.
  if (request.has_config()) {
    const auto& config = request.config();
    if (config.has_workflow_execution_retention_ttl() &&
        FromProto(config.workflow_execution_retention_ttl()) < kMinRetention) {
      return InvalidArgument("A valid retention period is not set on request.");
    }
  }
  if (!request.delete_bad_binary().empty()) {
    return InvalidArgument(
        fmt::format("Bad binary checksum {} doesn't exists.", request.delete_bad_binary()));
  }
  const auto next = request.update_info().state();
  if (next != enums::NAMESPACE_STATE_UNSPECIFIED && next != ns->state &&
      !(ns->state == enums::NAMESPACE_STATE_REGISTERED &&
        (next == enums::NAMESPACE_STATE_DEPRECATED || next == enums::NAMESPACE_STATE_DELETED)) &&
      !(ns->state == enums::NAMESPACE_STATE_DEPRECATED && next == enums::NAMESPACE_STATE_DELETED)) {
    return InvalidArgument("Invalid namespace state update.");
  }
  const std::string& cluster = request.replication_config().active_cluster_name();
  if (!cluster.empty() && cluster != core_.options.cluster_name)
    return InvalidArgument(fmt::format("Invalid cluster name: {}", cluster));
  for (const auto& named : request.replication_config().clusters()) {
    if (named.cluster_name() != core_.options.cluster_name)
      return InvalidArgument(fmt::format("Invalid cluster name: {}", named.cluster_name()));
  }
  if (request.promote_namespace()) {
    return InvalidArgument(
        fmt::format("global namespace is not enabled on this cluster, cannot update global "
                    "namespace or promote local namespace: {}",
                    ns->name));
  }
  const auto& info = request.update_info();
  if (!info.description().empty()) ns->description = info.description();
  if (!info.owner_email().empty()) ns->owner_email = info.owner_email();
  for (const auto& [key, value] : info.data()) ns->data[key] = value;
  if (next != enums::NAMESPACE_STATE_UNSPECIFIED) ns->state = next;
  if (request.config().has_workflow_execution_retention_ttl())
    ns->retention = FromProto(request.config().workflow_execution_retention_ttl());
  ws::UpdateNamespaceResponse response;
  Fill(*ns, core_.options, response.mutable_namespace_info(), response.mutable_config(),
       response.mutable_replication_config());
  // As on the real server these are told once and not kept.
  for (const auto& [checksum, binary] : request.config().bad_binaries().binaries()) {
    auto& told = (*response.mutable_config()->mutable_bad_binaries()->mutable_binaries())[checksum];
    told = binary;
    *told.mutable_create_time() = ToProto(core_.now.wall);
  }
  return response;
}

StatusOr<ws::DeprecateNamespaceResponse> Namespaces::Deprecate(
    const ws::DeprecateNamespaceRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, Get(request.namespace_()));
  ns->state = enums::NAMESPACE_STATE_DEPRECATED;
  return ws::DeprecateNamespaceResponse();
}

// As on the real server the name is free at once, the namespace lives on as "name-deleted-xxxxx",
// and polls that are held notice nothing. Its workflows are gone.
StatusOr<op::DeleteNamespaceResponse> Namespaces::Delete(
    const op::DeleteNamespaceRequest& request) {
  if (!request.namespace_().empty() && !request.namespace_id().empty()) {
    return InvalidArgument("Only one of namespace name or Id should be set on request.");
  }
  std::shared_ptr<Namespace> ns;
  if (!request.namespace_id().empty()) {
    SQUALL_ASSIGN_OR_RETURN(ns, GetById(request.namespace_id()));
  } else {
    SQUALL_ASSIGN_OR_RETURN(ns, Get(request.namespace_()));
  }
  std::vector<std::shared_ptr<Run>> open;
  for (const auto& [key, run] : ns->by_visibility) {
    if (run->open()) open.push_back(run);
  }
  for (const auto& run : open)
    core_.closing.Terminate(*run, "Delete namespace", nullptr, "history-service");
  by_name_.erase(ns->name);
  by_id_.erase(ns->id);
  ns->state = enums::NAMESPACE_STATE_DELETED;
  ns->name = fmt::format("{}-deleted-{}", ns->name, ns->id.substr(0, 5));
  core_.Defer([ns, this] {
    for (const auto& [key, run] : ns->by_visibility) core_.reads.Gone(*run);
    ns->executions.clear();
    ns->by_visibility.clear();
    core_.standalone.Clear(ns.get());
  });
  op::DeleteNamespaceResponse response;
  response.set_deleted_namespace(ns->name);
  return response;
}

StatusOr<op::AddSearchAttributesResponse> Namespaces::AddSearchAttributes(
    const op::AddSearchAttributesRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, Get(request.namespace_()));
  if (request.search_attributes().empty())
    return InvalidArgument("SearchAttributes are not set on request.");
  for (const auto& [name, type] : request.search_attributes()) ns->search_attributes[name] = type;
  return op::AddSearchAttributesResponse();
}

StatusOr<op::RemoveSearchAttributesResponse> Namespaces::RemoveSearchAttributes(
    const op::RemoveSearchAttributesRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, Get(request.namespace_()));
  if (request.search_attributes().empty())
    return InvalidArgument("SearchAttributes are not set on request.");
  for (const auto& name : request.search_attributes()) {
    if (ns->search_attributes.erase(name) == 0) {
      return NotFound(fmt::format("Search attribute {} doesn't exist.", name));
    }
  }
  return op::RemoveSearchAttributesResponse();
}

StatusOr<op::ListSearchAttributesResponse> Namespaces::ListSearchAttributes(
    const op::ListSearchAttributesRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, Get(request.namespace_()));
  op::ListSearchAttributesResponse response;
  for (const auto& [name, type] : ns->search_attributes)
    (*response.mutable_custom_attributes())[name] = type;
  for (const auto& [name, type] : SystemAttributes())
    (*response.mutable_system_attributes())[name] = type;
  return response;
}

StatusOr<ws::GetSearchAttributesResponse> Namespaces::GetSearchAttributes(
    const ws::GetSearchAttributesRequest&) {
  ws::GetSearchAttributesResponse response;
  for (const AttributeTypes* types : {&SystemAttributes(), &StoreColumns()}) {
    for (const auto& [key, type] : *types) (*response.mutable_keys())[key] = type;
  }
  return response;
}

}  // namespace squall::fakes::engine
