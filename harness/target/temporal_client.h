#pragma once
// The harness as a client of any Temporal server: unary calls by name over grpc++, and on top the
// few that scenarios need.
//
// Loop thread only. Every call has a deadline and calls back exactly once, from the loop, unless
// the client is destroyed first: then it is cancelled and its callback never runs. Errors are
// absl::Status with gRPC's code (absl and gRPC number them alike) and the server's text. Calls
// write rpc events (side=client), those on workflows also workflow events.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/executor.h"
#include "base/util/status.h"

namespace squall::harness {

struct ClientTls {
  std::string ca_pem;                 // empty: the system's roots
  std::string certificate_chain_pem;  // with the key: mTLS
  std::string private_key_pem;
  std::string
      server_name;  // expected in the certificate and sent as SNI; empty: the address's host
};

struct TemporalClientOptions {
  std::string name = "client";  // in the journal
  std::string address;          // host:port
  std::string ns = "default";
  std::optional<ClientTls> tls;  // default: plaintext
  std::string api_key;           // sent as "authorization: Bearer ..."; never written anywhere
  std::map<std::string, std::string> headers;
  std::string identity = "squall";
  Duration deadline = std::chrono::seconds(10);  // of calls that name none
  // The channel's own reconnect back-off: short, so that the harness never is what is slow.
  Duration reconnect_min = std::chrono::milliseconds(100);
  Duration reconnect_max = std::chrono::seconds(1);
};

// How one call is made.
struct CallOptions {
  std::optional<Duration> deadline;  // default: the client's
  std::string ns;                    // default: the client's
  // Waits for the server, up to the deadline, instead of failing at once with UNAVAILABLE; also
  // when it was made on a connection that turned out to be dead. Each attempt is an rpc event.
  bool wait_for_ready = false;
  bool journal = true;  // write rpc events
};

struct SystemInfo {
  std::string server_version;
};

struct StartRequest {
  std::string workflow_id, type, task_queue;
  std::vector<std::string> arguments_json;  // each a JSON text; encoded json/plain
  Duration execution_timeout{};             // 0: none
  Duration run_timeout{};
  Duration task_timeout{};
  int max_attempts = 0;  // 0: no retry policy
};

// How a workflow ended.
struct WorkflowOutcome {
  std::string what;         // completed, failed, timed_out, cancelled, terminated
  std::string run_id;       // of the last run of the chain
  std::string result_json;  // at completed, of the first payload; "null" when there was none
  std::string detail;       // failure text
};

struct WorkflowDescription {
  std::string status;  // running, completed, ...
  std::string run_id, type, task_queue;
  std::uint64_t history_length = 0;
  struct PendingActivity {
    std::string id, type, state;
    int attempt = 0;
    std::string last_failure;
  };
  std::vector<PendingActivity> pending_activities;
};

struct Poller {
  std::string identity;
  Duration age{};  // since its last access, by the machine's calendar
};

struct TaskQueueDescription {
  std::vector<Poller> workflow_pollers, activity_pollers;
};

class TemporalClient {
 public:
  template <typename T>
  using Callback = std::function<void(StatusOr<T>)>;
  using Done = std::function<void(Status)>;

  // Connects lazily. INVALID_ARGUMENT for TLS material that does not load is reported by the first
  // call.
  TemporalClient(Executor& executor, journal::Sink& journal, TemporalClientOptions options);
  // Cancels what is open.
  ~TemporalClient();
  TemporalClient(const TemporalClient&) = delete;
  TemporalClient& operator=(const TemporalClient&) = delete;

  const TemporalClientOptions& options() const;
  // Drops the channel and makes a new one (to `address` when given): what a client does that is
  // closed and opened again.
  void Reconnect(std::optional<std::string> address = std::nullopt);
  // Forgets how long it was going to wait after failed connections: the next call connects at once.
  // Open calls go on.
  void ResetBackoff();

  // Any unary method: "StartWorkflowExecution" (of WorkflowService),
  // "operator/AddSearchAttributes",
  // "/grpc.health.v1.Health/Check". Request and response are serialized messages.
  void Call(std::string_view method, const std::string& request, const CallOptions& options,
            Callback<std::string> done);
  // The same with protobuf's JSON on both sides; INVALID_ARGUMENT for JSON that does not fit the
  // message.
  void CallJson(std::string_view method, std::string_view request_json, const CallOptions& options,
                Callback<std::string> done);

  void GetSystemInfo(const CallOptions& options, Callback<SystemInfo> done);
  void DescribeNamespace(std::string ns, CallOptions options, Done done);
  // OK also when it exists already.
  void RegisterNamespace(std::string ns, CallOptions options, Done done);
  void DeleteNamespace(std::string ns, CallOptions options, Done done);
  void DescribeTaskQueue(std::string task_queue, const CallOptions& options,
                         const Callback<TaskQueueDescription>& done);

  // Workflow events: requested, then accepted or refused. Calls back with the run id.
  void StartWorkflow(StartRequest request, const CallOptions& options, Callback<std::string> done);
  // Waits for the end, across outages of the server, for at most `limit`, following
  // continue-as-new. Workflow events: completed, failed, ..., or lost when the server does not know
  // it any more. DEADLINE_EXCEEDED tells the last error.
  void AwaitResult(std::string workflow_id, std::string run_id, Duration limit, CallOptions options,
                   Callback<WorkflowOutcome> done);
  void DescribeWorkflow(std::string workflow_id, const CallOptions& options,
                        Callback<WorkflowDescription> done);
  void SignalWorkflow(std::string workflow_id, std::string signal, const std::string& argument_json,
                      const CallOptions& options, Done done);
  // Calls back with the JSON of the result.
  void QueryWorkflow(std::string workflow_id, std::string query, const CallOptions& options,
                     Callback<std::string> done);
  void UpdateWorkflow(std::string workflow_id, std::string update, const std::string& argument_json,
                      const CallOptions& options, Callback<std::string> done);
  void CancelWorkflow(std::string workflow_id, const CallOptions& options, Done done);
  void TerminateWorkflow(std::string workflow_id, std::string reason, const CallOptions& options,
                         Done done);
  // All events of a run, as the JSON of a History message ({"events": [...]}): for the work folder
  // and for replay.
  void History(std::string workflow_id, std::string run_id, const CallOptions& options,
               Callback<std::string> done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace squall::harness
