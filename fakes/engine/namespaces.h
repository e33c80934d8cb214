#pragma once
// Namespaces, and the workflow executions in them.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

struct Batch;
struct Schedule;

// All runs of one workflow id.
struct Execution {
  std::shared_ptr<Run> current;
  std::map<std::string, std::shared_ptr<Run>> runs;
};

// Lists show open runs first, then the latest closed; within both the latest started (as the real
// SQL stores do).
using VisibilityKey =
    std::tuple<std::int64_t, std::int64_t, std::string>;  // -close, -start, run id

struct Namespace {
  std::string id, name, description, owner_email;
  enums::NamespaceState state = enums::NAMESPACE_STATE_REGISTERED;
  Duration retention{};
  std::map<std::string, std::string> data;
  std::map<std::string, enums::IndexedValueType> search_attributes;  // custom ones
  std::map<std::string, Execution> executions;
  std::map<VisibilityKey, std::shared_ptr<Run>> by_visibility;
  std::size_t open_runs = 0;
  struct Worker {
    workerpb::WorkerHeartbeat heartbeat;
    SteadyTime seen{};
  };
  std::map<std::string, std::shared_ptr<Schedule>> schedules;  // closed ones too
  std::map<std::string, std::shared_ptr<Batch>> batches;       // by job id
  std::map<std::string, Worker> workers;                       // by worker instance key
};

class Namespaces {
 public:
  explicit Namespaces(Core& core) : core_(core) {}
  ~Namespaces();
  Namespaces(const Namespaces&) = delete;
  Namespaces& operator=(const Namespaces&) = delete;

  std::shared_ptr<Namespace> Add(const std::string& name);
  // "KeywordList"; INDEXED_VALUE_TYPE_UNSPECIFIED: there is none of that name.
  static enums::IndexedValueType AttributeType(std::string_view name);
  void Clear();

  // The namespace of a request: NOT_FOUND, or FAILED_PRECONDITION when it is deleted.
  StatusOr<std::shared_ptr<Namespace>> Get(const std::string& name) const;
  StatusOr<std::shared_ptr<Namespace>> GetById(const std::string& id) const;
  // The current run when `run_id` is empty. NOT_FOUND with the real server's texts.
  static StatusOr<std::shared_ptr<Run>> FindRun(Namespace& ns, const std::string& workflow_id,
                                                const std::string& run_id);
  // From a request: checks the ids first.
  StatusOr<std::shared_ptr<Run>> FindRun(const std::string& ns,
                                         const common::WorkflowExecution& execution) const;

  void Insert(const std::shared_ptr<Run>& run, bool current);
  // After a change of the run's start or close time.
  void Reindex(Run& run, const VisibilityKey& old_key);
  static VisibilityKey KeyOf(const Run& run);

  const std::map<std::string, std::shared_ptr<Namespace>>& by_name() const { return by_name_; }

  StatusOr<ws::RegisterNamespaceResponse> Register(const ws::RegisterNamespaceRequest& request);
  StatusOr<ws::DescribeNamespaceResponse> Describe(const ws::DescribeNamespaceRequest& request);
  StatusOr<ws::ListNamespacesResponse> List(const ws::ListNamespacesRequest& request);
  StatusOr<ws::UpdateNamespaceResponse> Update(const ws::UpdateNamespaceRequest& request);
  StatusOr<ws::DeprecateNamespaceResponse> Deprecate(const ws::DeprecateNamespaceRequest& request);
  StatusOr<op::DeleteNamespaceResponse> Delete(const op::DeleteNamespaceRequest& request);
  StatusOr<op::AddSearchAttributesResponse> AddSearchAttributes(
      const op::AddSearchAttributesRequest& request);
  StatusOr<op::RemoveSearchAttributesResponse> RemoveSearchAttributes(
      const op::RemoveSearchAttributesRequest& request);
  StatusOr<op::ListSearchAttributesResponse> ListSearchAttributes(
      const op::ListSearchAttributesRequest& request);
  StatusOr<ws::GetSearchAttributesResponse> GetSearchAttributes(
      const ws::GetSearchAttributesRequest& request);

 private:
  Core& core_;
  std::map<std::string, std::shared_ptr<Namespace>> by_name_;
  std::map<std::string, std::shared_ptr<Namespace>> by_id_;
};

}  // namespace squall::fakes::engine
