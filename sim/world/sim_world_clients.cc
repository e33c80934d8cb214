// SimWorld's clients and namespaces.

#include <utility>

#include "scenarios/engine/tls_plan.h"
#include "sim/world/sim_world.h"

namespace squall::sim {

using scenarios::Done;

// The one that every scenario has stands beside its server; those that a scenario names connect as
// it says.
StatusOr<std::shared_ptr<Callee>> SimWorld::WayOf(const scenarios::ClientSpec& spec) {
  if (network_ == nullptr || &spec == topology_.Client("direct")) {
    const auto* server = topology_.ServerBehind(spec.connect.to);
    if (server == nullptr) server = &topology_.servers.front();
    return std::shared_ptr<Callee>(std::shared_ptr<void>(), servers_.at(server->name).get());
  }
  ChannelOptions options;
  options.to = LinkTo(spec.connect.to).at;
  const scenarios::TlsPlan plan = scenarios::PlanTls(topology_, spec.connect);
  if (plan.on) {
    wire::TlsClientOptions tls;
    if (!plan.ca.empty())
      tls.ca_pem = plan.ca == "wrong_ca" ? certificates_->wrong_ca_pem : certificates_->ca_pem;
    if (const wire::TlsIdentity* identity = certificates_->Find(plan.identity))
      tls.identity = *identity;
    tls.server_name = plan.server_name.empty() ? "127.0.0.1" : plan.server_name;
    tls.require_alpn = true;
    SQUALL_ASSIGN_OR_RETURN(options.tls, wire::TlsContext::Client(std::move(tls)));
  }
  return std::shared_ptr<Callee>(std::make_shared<Channel>(loop_, *network_, std::move(options)));
}

StatusOr<Client*> SimWorld::ClientNamed(const std::string& name) {
  auto& client = clients_[name];
  if (client == nullptr) {
    const auto* spec = topology_.Client(name);
    SQUALL_CHECK(spec != nullptr, "the loader checked the names");
    SQUALL_ASSIGN_OR_RETURN(std::shared_ptr<Callee> way, WayOf(*spec));
    client = std::make_unique<Client>(loop_, journal_, std::move(way), *spec);
  }
  return client.get();
}

void SimWorld::StartWorkflow(const scenarios::WorkflowRequest& request, Done done) {
  const auto client = ClientNamed(request.client);
  if (!client.ok()) return Later(std::move(done), client.status());
  (*client)->StartWorkflow(request, [this, alive = alive_, id = request.id,
                                     done = std::move(done)](const StatusOr<std::string>& run) {
    if (!*alive) return;
    if (run.ok()) run_ids_[id] = *run;
    done(run.status());
  });
}

void SimWorld::AwaitWorkflow(const std::string& id, const std::string& ns,
                             const std::string& client_name,
                             std::function<void(StatusOr<scenarios::WorkflowEnd>)> done) {
  const auto client = ClientNamed(client_name);
  if (!client.ok()) return Later([done](const Status& status) { done(status); }, client.status());
  (*client)->AwaitWorkflow(id, run_ids_[id], ns, options_.workflow_limit, std::move(done));
}

void SimWorld::SignalWorkflow(const scenarios::SignalWorkflowStep& step, Done done) {
  const auto client = ClientNamed(step.client);
  if (!client.ok()) return Later(std::move(done), client.status());
  (*client)->SignalWorkflow(step, std::move(done));
}

void SimWorld::Call(const scenarios::CallRequest& request,
                    std::function<void(StatusOr<scenarios::CallOutcome>)> done) {
  const auto client = ClientNamed(request.client);
  if (!client.ok()) return Later([done](const Status& status) { done(status); }, client.status());
  (*client)->CallJson(request.method, request.request,
                      [done = std::move(done)](const StatusOr<std::string>& answer) {
                        done(scenarios::CallOutcome{answer.status().raw_code(),
                                                    std::string(Message(answer.status()))});
                      });
}

void SimWorld::CallServer(const std::string& method, const std::string& request,
                          std::function<void(Status)> done) {
  const auto client = ClientNamed("direct");
  if (!client.ok()) return Later(std::move(done), client.status());
  (*client)->CallJson(
      method, request,
      [done = std::move(done)](const StatusOr<std::string>& answer) { done(answer.status()); });
}

void SimWorld::CloseClient(const std::string& client, Done done) {
  clients_.erase(client);
  Later(std::move(done), absl::OkStatus());
}

void SimWorld::RegisterNamespace(const std::string&, const std::string& ns, Done done) {
  CallServer("RegisterNamespace",
             fmt::format(R"({{"namespace":"{}","workflowExecutionRetentionPeriod":"86400s"}})", ns),
             [done = std::move(done)](const Status& status) {
               done(status.code() == StatusCode::kAlreadyExists ? absl::OkStatus() : status);
             });
}

void SimWorld::DeleteNamespace(const std::string&, const std::string& ns, Done done) {
  CallServer("operator/DeleteNamespace", fmt::format(R"({{"namespace":"{}"}})", ns),
             std::move(done));
}

}  // namespace squall::sim
