#pragma once
// The simulated world: one subject's servers, links, workers and clients in virtual time, under the
// step machine's control.
//
// Workers are simulated processes with the production core in them; calls reach the engine in
// process, through links whose faults act on calls (CallPath). What only real processes or bytes
// can show is refused by Unsupported, and the scenario is skipped with the reason. Loop thread
// only; OnEvent must be given every event of the journal.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/rng.h"
#include "base/wire/certificates.h"
#include "scenarios/engine/worker_book.h"
#include "scenarios/engine/world.h"
#include "scenarios/format/scenario.h"
#include "sim/net/network.h"
#include "sim/world/client.h"
#include "sim/world/ingress.h"
#include "sim/world/loop.h"
#include "sim/world/net_link.h"
#include "sim/world/path.h"
#include "sim/world/server.h"
#include "sim/world/worker.h"

namespace squall::sim {

enum class Transport { kCalls, kSockets };

// Why this subject cannot be simulated; empty when it can.
std::string Unsupported(const scenarios::Subject& subject, Transport transport);

// Whether somebody speaks TLS: then there are certificates (sim/world/certificates.h).
bool UsesTls(const scenarios::Topology& topology);

struct SimWorldOptions {
  Transport transport = Transport::kSockets;
  std::uint64_t seed = 1;
  int core_threads = 2;  // of each worker's core
  // EngineOptions::complete_polls_on_shutdown of every server: core then leaves it to the server to
  // end its polls.
  bool complete_polls_on_shutdown = false;
  Duration workflow_limit = std::chrono::minutes(5);
  // Misbehaviour of every server on the wire (docs/misbehaviour.md), as JSON; sockets only.
  std::string rules;
  // Workers find their servers by name; after so long each moves: the name leads to another
  // address, nobody listens at the old one any more, and its connections are reset.
  std::optional<Duration> move_after;
};

class SimWorld final : public scenarios::World {
 public:
  SimWorld(WorldLoop& loop, journal::Sink& journal, const scenarios::Subject& subject,
           SimWorldOptions options);
  ~SimWorld() override;

  void OnEvent(const journal::Event& event);

  std::vector<std::string> Observes() const override;
  std::map<std::string, std::string> Versions() const override;
  void Prepare(scenarios::Done done) override;
  void Start(const std::string& node, scenarios::Done done) override;
  void Stop(const std::string& node, const std::string& signal, scenarios::Done done) override;
  void Kill(const std::string& node, scenarios::Done done) override;
  void Restart(const scenarios::RestartRequest& request, scenarios::Done done) override;
  void Pause(const std::string& node, scenarios::Done done) override;
  void Resume(const std::string& node, scenarios::Done done) override;
  void Signal(const std::string& node, int number, scenarios::Done done) override;
  void WaitHealthy(const std::string& worker, scenarios::Done done) override;
  void StartWorkflow(const scenarios::WorkflowRequest& request, scenarios::Done done) override;
  void AwaitWorkflow(const std::string& id, const std::string& ns, const std::string& client,
                     std::function<void(StatusOr<scenarios::WorkflowEnd>)> done) override;
  void SignalWorkflow(const scenarios::SignalWorkflowStep& step, scenarios::Done done) override;
  void Call(const scenarios::CallRequest& request,
            std::function<void(StatusOr<scenarios::CallOutcome>)> done) override;
  void CloseClient(const std::string& client, scenarios::Done done) override;
  void RegisterNamespace(const std::string& server, const std::string& ns,
                         scenarios::Done done) override;
  void DeleteNamespace(const std::string& server, const std::string& ns,
                       scenarios::Done done) override;
  void Inject(const scenarios::InjectRequest& request,
              std::function<void(StatusOr<std::unique_ptr<scenarios::FaultHandle>>)> done) override;
  void CancelWaits() override;
  void CleanUp(scenarios::Done done) override;

  // For faults.
  struct Link {
    std::shared_ptr<LinkState> state;
    std::vector<std::weak_ptr<CallPath>> paths;
    std::shared_ptr<NetLink> net;  // with sockets only
    Endpoint at;
    bool named = false;  // workers know it by name, and that has an IPv6 address as well
    // What faults make of its name, by their ids; the latest one counts.
    std::vector<std::pair<std::string, Network::Name>> meanings;
  };
  Network* network() { return network_.get(); }
  Link* FindLink(const std::string& name);
  // Tells the network what the link's name means now.
  void SetMeaning(const std::string& link);
  Server* FindServer(const std::string& name);
  Worker* FindWorker(const std::string& name);
  Worker& MakeWorkerNamed(const std::string& name);  // it need not run
  void StartWorkerNamed(const std::string& name);
  // As an injection: asked by `number`, killed after its grace.
  void EndWorker(const std::string& name, int number, scenarios::Done done);
  // What workers call a link that has a name.
  static std::string NameOf(const std::string& link) { return link + ".sim"; }
  Executor& loop() { return loop_; }
  journal::Sink& journal() { return journal_; }
  const scenarios::Topology& topology() const { return topology_; }
  // Calls `done` from the loop, unless the world is gone by then.
  void Later(scenarios::Done done, Status status);

 private:
  struct WorkerNode {
    const scenarios::WorkerSpec* spec = nullptr;
    std::unique_ptr<Worker> worker;
    std::vector<std::shared_ptr<CallPath>> paths;
    TimerId stop_timer = 0;
    std::vector<scenarios::Done> ended;
  };

  Status PrepareNow();
  Status MakeServers();
  bool AnyInjected(const std::string& link, bool (*is)(const scenarios::InjectStep&)) const;
  bool IsNamed(const std::string& link) const;  // workers know it by a name
  bool IsRuled(const std::string& link) const;  // the server's front end has rules for it
  void MakeIngresses();
  StatusOr<std::shared_ptr<Callee>> WayOf(const scenarios::ClientSpec& spec);
  Link& LinkTo(const std::string& name);
  void MoveAll();
  static std::string Filled(std::string text, const std::string& address);
  Status SetRules(Server& server);
  std::string AddressOf(const std::string& name, const Link& link) const;
  void SetTls(const WorkerNode& node, std::map<std::string, std::string>& environment) const;
  void MakeWorker(WorkerNode& node);
  void StartWorker(WorkerNode& node);
  static bool Runs(const WorkerNode& node);
  void OnWorkerExit(WorkerNode& node, Process& process, const std::string& reason);
  void StopWorker(WorkerNode& node, int number, Duration grace, const std::string& reason,
                  scenarios::Done done);
  StatusOr<Client*> ClientNamed(const std::string& name);
  void CallServer(const std::string& method, const std::string& request, scenarios::Done done);

  WorldLoop& loop_;
  journal::Sink& journal_;
  const scenarios::Subject& subject_;
  const scenarios::Topology& topology_;
  const SimWorldOptions options_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<Network> network_;
  const wire::CertificateSet* certificates_ = nullptr;  // where anybody speaks TLS
  std::map<std::string, std::unique_ptr<Server>> servers_;
  std::map<std::string, std::unique_ptr<IngressNode>> ingresses_;
  std::map<std::string, Link>
      links_;  // one for each way to a server, also without a link in the scenario
  std::map<std::string, WorkerNode> workers_;
  scenarios::WorkerBook book_;
  std::map<std::string, std::unique_ptr<Client>> clients_;
  std::map<std::string, std::string> run_ids_;
};

}  // namespace squall::sim
