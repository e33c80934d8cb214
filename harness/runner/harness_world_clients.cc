// HarnessWorld's clients, namespaces and faults.

#include <cstdlib>

#include "harness/runner/harness_world.h"

namespace squall::harness {
namespace {

class HarnessFault final : public scenarios::FaultHandle {
 public:
  explicit HarnessFault(std::unique_ptr<harness::FaultHandle> handle)
      : handle_(std::move(handle)) {}
  void Heal(scenarios::Done done) override { handle_->Heal(std::move(done)); }

 private:
  std::unique_ptr<harness::FaultHandle> handle_;
};

}  // namespace

// --- clients ---

StatusOr<TemporalClient*> HarnessWorld::ClientNamed(const std::string& name) {
  if (const auto it = clients_.find(name); it != clients_.end()) return it->second.get();
  const scenarios::ClientSpec* spec = topology_.Client(name);
  SQUALL_CHECK(spec != nullptr, "the loader checked the names");
  TemporalClientOptions options;
  options.name = name;
  options.ns = spec->ns;
  options.deadline = Scaled(spec->timeout);
  options.api_key = spec->connect.api_key;
  SQUALL_ASSIGN_OR_RETURN(const HostPort address, AddressOf(spec->connect.to));
  options.address = address.ToString();
  if (options_.external && topology_.ServerBehind(spec->connect.to) != nullptr &&
      ingresses_.empty()) {
    SQUALL_ASSIGN_OR_RETURN(options.tls, ExternalTls(*options_.external));
    if (const char* key = std::getenv(options_.external->api_key_variable.c_str()))
      options.api_key = key;
  } else {
    options.tls =
        MakeClientTls(PlanTls(topology_, spec->connect), certificates_ ? &*certificates_ : nullptr);
  }
  auto& client = clients_[name];
  client = std::make_unique<TemporalClient>(executor_, journal_, std::move(options));
  return client.get();
}

void HarnessWorld::StartWorkflow(const scenarios::WorkflowRequest& request, scenarios::Done done) {
  const auto client = ClientNamed(request.client);
  if (!client.ok()) return Later(std::move(done), client.status());
  StartRequest start;
  start.workflow_id = request.id + tag_;
  start.type = request.type;
  start.task_queue = request.task_queue + tag_;
  start.arguments_json = {request.input};
  start.execution_timeout = request.execution_timeout;
  CallOptions options;
  options.ns = request.ns;
  (*client)->StartWorkflow(std::move(start), options,
                           [this, alive = alive_, id = request.id,
                            done = std::move(done)](const StatusOr<std::string>& run) {
                             if (!*alive) return;
                             if (run.ok()) run_ids_[id] = *run;
                             done(run.status());
                           });
}

void HarnessWorld::AwaitWorkflow(const std::string& id, const std::string& ns,
                                 const std::string& client_name,
                                 std::function<void(StatusOr<scenarios::WorkflowEnd>)> done) {
  const auto client = ClientNamed(client_name);
  if (!client.ok()) return Later([done](const Status& status) { done(status); }, client.status());
  CallOptions options;
  options.ns = ns;
  (*client)->AwaitResult(
      id + tag_, run_ids_[id], options_.workflow_limit, options,
      [done = std::move(done)](const StatusOr<WorkflowOutcome>& outcome) {
        if (!outcome.ok()) return done(outcome.status());
        done(scenarios::WorkflowEnd{outcome->what, outcome->result_json, outcome->detail});
      });
}

void HarnessWorld::SignalWorkflow(const scenarios::SignalWorkflowStep& step, scenarios::Done done) {
  const auto client = ClientNamed(step.client);
  if (!client.ok()) return Later(std::move(done), client.status());
  CallOptions options;
  options.ns = step.ns;
  (*client)->SignalWorkflow(step.id + tag_, step.signal, step.input, options, std::move(done));
}

void HarnessWorld::Call(const scenarios::CallRequest& request,
                        std::function<void(StatusOr<scenarios::CallOutcome>)> done) {
  const auto client = ClientNamed(request.client);
  if (!client.ok()) return Later([done](const Status& status) { done(status); }, client.status());
  (*client)->CallJson(request.method, request.request, {},
                      [done = std::move(done)](const StatusOr<std::string>& answer) {
                        if (answer.status().code() == StatusCode::kInternal)
                          return done(answer.status());
                        done(scenarios::CallOutcome{answer.status().raw_code(),
                                                    std::string(Message(answer.status()))});
                      });
}

void HarnessWorld::CloseClient(const std::string& client, scenarios::Done done) {
  clients_.erase(client);
  Later(std::move(done), absl::OkStatus());
}

void HarnessWorld::RegisterNamespace(const std::string& server, const std::string& ns,
                                     scenarios::Done done) {
  servers_.find(server)->second.server->RegisterNamespace(ns, std::move(done));
}

void HarnessWorld::DeleteNamespace(const std::string& server, const std::string& ns,
                                   scenarios::Done done) {
  servers_.find(server)->second.server->DeleteNamespace(ns, std::move(done));
}

// --- faults ---

TcpProxy* HarnessWorld::Link(std::string_view name) {
  const auto it = links_.find(name);
  return it == links_.end() ? nullptr : it->second.proxy.get();
}
GrpcProxy* HarnessWorld::Frames(std::string_view name) {
  const auto it = links_.find(name);
  return it == links_.end() ? nullptr : it->second.frames.get();
}
WorkerUnderTest* HarnessWorld::Worker(std::string_view name) {
  const auto it = workers_.find(name);
  return it == workers_.end() ? nullptr : it->second.worker.get();
}
ServerUnderTest* HarnessWorld::Server(std::string_view name) {
  const auto it = servers_.find(name);
  return it == servers_.end() ? nullptr : it->second.server.get();
}
PrivateWire* HarnessWorld::Wire(std::string_view link) {
  const auto it = links_.find(link);
  return it == links_.end() ? nullptr : it->second.wire.get();
}
NameServer* HarnessWorld::NamesOf(std::string_view link) {
  const auto it = links_.find(link);
  return it == links_.end() || !it->second.named ? nullptr : names_.get();
}
std::vector<std::string> HarnessWorld::Names() {
  std::vector<std::string> names;
  for (const auto& [name, node] : links_) names.push_back(name);
  for (const auto& [name, node] : workers_) names.push_back(name);
  for (const auto& [name, node] : servers_) names.push_back(name);
  return names;
}

void HarnessWorld::Inject(
    const scenarios::InjectRequest& request,
    std::function<void(StatusOr<std::unique_ptr<scenarios::FaultHandle>>)> done) {
  auto created = FaultHandle::Create(executor_, journal_, *this,
                                     {.id = request.fault_id,
                                      .fault = request.fault,
                                      .target = request.target,
                                      .parameters = request.params});
  if (!created.ok()) {
    return Later([done](const Status& status) { done(status); },
                 AsInfrastructure(created.status(), "fault " + request.fault_id));
  }
  auto handle = std::make_shared<std::unique_ptr<FaultHandle>>(*std::move(created));
  (*handle)->Inject([handle, done = std::move(done)](const Status& status) {
    if (!status.ok()) return done(status);
    done(std::make_unique<HarnessFault>(std::move(*handle)));
  });
}

}  // namespace squall::harness
