#pragma once
// The RPCs that the doctor makes, as bytes: nothing else of it knows the protocol's messages.
//
// All of them leave the server as it is. Polls name a queue that is the doctor's own, answers a
// task token that nobody was given.

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "harness/doctor/sdk.h"

namespace squall::doctor {

StatusOr<ServerFacts> ReadSystemInfo(const std::string& answer);

// RPCs without which a worker does not work, each with a harmless request.
struct WorkerCall {
  std::string_view method;
  std::string request;
  bool poll = false;  // held by the server, where it is allowed
};
std::vector<WorkerCall> WorkerCalls(const std::string& ns, const std::string& own_queue,
                                    const std::string& identity);

std::string DescribeNamespaceRequest(const std::string& ns);
enum class NamespaceState { kRegistered, kDeprecated, kDeleted, kUnknown };
struct NamespaceInfo {
  std::string name;
  NamespaceState state = NamespaceState::kUnknown;
  Duration retention{};
  std::set<std::string> capabilities;  // that are true, of those that any SDK looks at
};
StatusOr<NamespaceInfo> ReadNamespace(const std::string& answer);

// Those that are there, and those that are deleted: servers rename them to NAME-deleted-xxxxx, and
// keep them until their workflows are gone.
struct NamespaceNames {
  std::vector<std::string> there, deleted;
};
std::string ListNamespacesRequest();
NamespaceNames ReadNamespaceNames(const std::string& answer);

std::string DescribeTaskQueueRequest(const std::string& ns, const std::string& queue,
                                     bool activities);
struct Poller {
  std::string identity;
  WallTime last_access;
  std::string version;  // "deployment.build"; "" of a worker that takes no part in versioning
};
struct QueueInfo {
  std::vector<Poller> pollers;
  std::int64_t backlog = 0;
  // Where tasks go: "" is workers without a version.
  std::string current_version, ramping_version;
  double ramping_share = 0;  // percent
};
StatusOr<QueueInfo> ReadQueue(const std::string& answer);

// Names of task queues that the namespace's latest executions use.
std::string ListExecutionsRequest(const std::string& ns);
std::vector<std::string> ReadQueueNames(const std::string& answer);

// grpc.health.v1: of the workflow service; true when it says SERVING.
std::string HealthRequest();
bool ReadServing(const std::string& answer);

// Of --deep: a poll on a queue of the doctor's own, and a heartbeat of that many bytes for a task
// token that nobody was given.
std::string PollRequest(const std::string& ns, const std::string& queue);
std::string LargeHeartbeat(const std::string& ns, const std::string& identity, std::size_t bytes);

// Of --canary.
std::string StartRequest(const std::string& ns, const std::string& id, const std::string& type,
                         const std::string& queue, Duration limit);
StatusOr<std::string> ReadRunId(const std::string& answer);
StatusOr<std::string> ReadTaskToken(const std::string& answer);
std::string CompleteRequest(const std::string& ns, const std::string& token);
// Answered when the workflow has ended.
std::string CloseEventRequest(const std::string& ns, const std::string& id, const std::string& run);
// OK when it completed; else how it ended.
Status ReadCloseEvent(const std::string& answer);

}  // namespace squall::doctor
