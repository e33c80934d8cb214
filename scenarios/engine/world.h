#pragma once
// What a scenario is played on: everything the step machine can ask for, as asynchronous actions.
//
// Implemented by harness/runner (processes and sockets) and sim (virtual time). All calls and all
// completions happen on the machine's Executor; a completion is never called inline and is called
// exactly once, unless the World is destroyed first. A World reports what happens in journal
// events, never through these completions alone: checkers see only the journal.
//
// Errors: kInternal means that the world itself failed (cannot start a server, a fault cannot be
// armed) and makes the verdict unknown; every other code is what the subject did (a workflow
// refused, a worker that exits while it starts).

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "scenarios/format/scenario.h"

namespace squall::scenarios {

using Done = std::function<void(Status)>;

// A fault in force. Heal is called at most once; the destructor heals what was not, without
// waiting.
class FaultHandle {
 public:
  virtual ~FaultHandle() = default;
  virtual void Heal(Done done) = 0;
};

struct InjectRequest {
  std::string fault_id;  // label of the scenario: FaultEvent::fault_id
  std::string fault;     // name in the catalogue
  std::string target;    // name of a link, server or worker
  Params params;         // checked against the catalogue, defaults filled in
};

struct RestartRequest {
  std::string node;
  bool keep_data = true;
  Duration down_for{};
  bool kill = false;
};

struct WorkflowRequest {
  std::string id, type, input /* JSON */, task_queue, ns, client;
  Duration execution_timeout{};  // zero = none
};

// How a workflow ended: `status` is a word of journal::WorkflowEvent.
struct WorkflowEnd {
  std::string status;
  std::string result;  // JSON, when completed
  std::string detail;  // failure text
};

struct CallRequest {
  std::string client, method, request /* JSON */;
};
struct CallOutcome {
  int code = 0;        // gRPC
  std::string detail;  // message
};

class World {
 public:
  virtual ~World() = default;

  // Kinds of event that this world can see, and versions of what takes part; valid after Prepare.
  virtual std::vector<std::string> Observes() const = 0;
  virtual std::map<std::string, std::string> Versions() const = 0;

  // Everything that stands before the first node: work folder, certificates, links listening.
  virtual void Prepare(Done done) = 0;

  // Servers and ingresses are done when they serve (namespaces registered), workers when their
  // process runs.
  virtual void Start(const std::string& node, Done done) = 0;
  // Asks with `signal` ("" = SIGTERM) and waits for the end. A node that is not up is done at once.
  virtual void Stop(const std::string& node, const std::string& signal, Done done) = 0;
  virtual void Kill(const std::string& node, Done done) = 0;
  virtual void Restart(const RestartRequest& request, Done done) = 0;
  virtual void Pause(const std::string& node, Done done) = 0;
  virtual void Resume(const std::string& node, Done done) = 0;
  virtual void Signal(const std::string& node, int number, Done done) = 0;
  // Done when the worker's process is up and a poll of its task queue is seen. Dropped at the next
  // CancelWaits().
  virtual void WaitHealthy(const std::string& worker, Done done) = 0;

  virtual void StartWorkflow(const WorkflowRequest& request, Done done) = 0;
  virtual void AwaitWorkflow(const std::string& id, const std::string& ns,
                             const std::string& client,
                             std::function<void(StatusOr<WorkflowEnd>)> done) = 0;
  virtual void SignalWorkflow(const SignalWorkflowStep& step, Done done) = 0;
  virtual void Call(const CallRequest& request,
                    std::function<void(StatusOr<CallOutcome>)> done) = 0;
  virtual void CloseClient(const std::string& client, Done done) = 0;
  virtual void RegisterNamespace(const std::string& server, const std::string& ns, Done done) = 0;
  virtual void DeleteNamespace(const std::string& server, const std::string& ns, Done done) = 0;

  virtual void Inject(const InjectRequest& request,
                      std::function<void(StatusOr<std::unique_ptr<FaultHandle>>)> done) = 0;

  // The step that waited has timed out: drop its pending WaitHealthy, AwaitWorkflow and Call
  // without completing them.
  virtual void CancelWaits() = 0;

  // Stops everything that runs, in reverse order of start. Called once, last; must complete
  // whatever the state.
  virtual void CleanUp(Done done) = 0;
};

}  // namespace squall::scenarios
