#pragma once
// The fake and the real world: one subject's servers, ingresses, links, workers and clients as
// processes and sockets on this machine, under the step machine's control.
//
// Owns everything that it starts, with its ports and files below the work folder; the destructor
// stops what CleanUp did not. Loop thread only. All events go to the journal; OnEvent must be given
// every event of it, for WaitHealthy.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/wire/certificates.h"
#include "harness/fault/fault.h"
#include "harness/net/asio_executor.h"
#include "harness/net/name_server.h"
#include "harness/net/port.h"
#include "harness/net/tcp_proxy.h"
#include "harness/process/private_wire.h"
#include "harness/runner/connect.h"
#include "harness/runner/environment.h"
#include "harness/runner/health_probe.h"
#include "harness/runner/poller_observer.h"
#include "harness/runner/untagging_sink.h"
#include "harness/target/grpc_link.h"
#include "harness/target/target.h"
#include "harness/target/temporal_client.h"
#include "scenarios/engine/worker_book.h"
#include "scenarios/engine/world.h"
#include "scenarios/format/scenario.h"

namespace squall::harness {

// The world's own failures carry kInternal, whatever they were below: the step machine reads them
// as the infrastructure's.
Status AsInfrastructure(const Status& status, std::string_view what);

struct HarnessWorldOptions {
  scenarios::WorldKind kind = scenarios::WorldKind::kFake;  // kFake or kReal
  std::uint64_t seed = 1;
  std::string work_directory;                         // exists; absolute
  std::optional<ExternalServer> external;             // kReal only
  Duration workflow_limit = std::chrono::minutes(5);  // how long the end of a workflow is observed
};

class HarnessWorld final : public scenarios::World, private FaultTargets {
 public:
  // `subject` outlives the world.
  HarnessWorld(AsioExecutor& executor, journal::Sink& journal, const scenarios::Subject& subject,
               HarnessWorldOptions options);
  ~HarnessWorld() override;

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

 private:
  struct ServerNode {
    const scenarios::ServerSpec* spec = nullptr;
    std::unique_ptr<ServerUnderTest> server;
    bool started = false;
  };
  struct IngressNode {
    const scenarios::IngressSpec* spec = nullptr;
    std::unique_ptr<IngressUnderTest> ingress;
  };
  struct LinkNode {
    const scenarios::LinkSpec* spec = nullptr;
    PortLease closed;  // of a link that leads nowhere, or until its ingress is there
    std::unique_ptr<GrpcProxy> frames;  // behind `proxy`, where a step injects what needs it
    std::unique_ptr<TcpProxy> proxy;
    // Where one of the subject's faults needs them: its workers live at the far end of the wire, or
    // know the link by its name.
    std::unique_ptr<PrivateWire> wire;
    bool named = false;
    void SetUpstream(const HostPort& upstream);
  };
  struct WorkerNode {
    const scenarios::WorkerSpec* spec = nullptr;
    std::unique_ptr<WorkerUnderTest> worker;
    PortLease port;  // {port}
    std::unique_ptr<HealthProbe> probe;
  };

  // FaultTargets
  TcpProxy* Link(std::string_view name) override;
  GrpcProxy* Frames(std::string_view name) override;
  WorkerUnderTest* Worker(std::string_view name) override;
  ServerUnderTest* Server(std::string_view name) override;
  PrivateWire* Wire(std::string_view link) override;
  NameServer* NamesOf(std::string_view link) override;
  std::vector<std::string> Names() override;

  Status PrepareNow();
  Status MakeServers();
  Status MakeLinks();
  Status MakeFrames(LinkNode& node, HostPort upstream);
  StatusOr<HostPort> AddressOf(const std::string& node) const;
  void ApplySurroundings(const std::string& node, HostPort* address, WorkerOptions* options) const;
  StatusOr<WorkerOptions> OptionsOf(WorkerNode& node);
  Status MakeWorker(WorkerNode& node);
  void StartServer(ServerNode& node, std::optional<bool> keep_data, scenarios::Done done);
  Status StartIngress(IngressNode& node);
  void StartWorker(WorkerNode& node, scenarios::Done done);
  bool Runs(const WorkerNode& node) const;
  void ObservePollers();
  StatusOr<TemporalClient*> ClientNamed(const std::string& name);
  void Later(scenarios::Done done, Status status);
  void StopWorkers(scenarios::Done done);
  void StopServers(scenarios::Done done);

  AsioExecutor& executor_;
  const std::string tag_;  // behind task queues and workflow ids; empty on servers of our own
  UntaggingSink journal_;
  const scenarios::Subject& subject_;
  const scenarios::Topology& topology_;
  const HarnessWorldOptions options_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  std::optional<wire::CertificateSet> certificates_;
  CertificateFiles files_;
  std::map<std::string, std::string> versions_;
  // In the order of destruction, last first: clients and workers go before links, links before
  // ingresses and servers.
  std::unique_ptr<NameServer> names_;
  std::map<std::string, ServerNode, std::less<>> servers_;
  std::map<std::string, IngressNode, std::less<>> ingresses_;
  std::map<std::string, LinkNode, std::less<>> links_;
  std::map<std::string, WorkerNode, std::less<>> workers_;
  scenarios::WorkerBook book_;
  std::map<std::string, std::unique_ptr<TemporalClient>, std::less<>> clients_;
  std::vector<std::unique_ptr<PollerObserver>> observers_;
  std::map<std::string, std::string>
      run_ids_;  // by workflow id: the run that StartWorkflow started
};

}  // namespace squall::harness
