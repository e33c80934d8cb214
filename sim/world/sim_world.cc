#include "sim/world/sim_world.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "base/wire/misbehaviour.h"
#include "base/wire/randomness.h"
#include "sim/kernel/files.h"
#include "sim/kernel/scheduler.h"
#include "sim/world/faults.h"

namespace squall::sim {
namespace {

using scenarios::Done;
using scenarios::WorkerSpec;

// Temporal's own port, of servers that are found by name.
constexpr std::uint16_t kPort = 7233;
// Where workers find certificates.
const std::string kFolder = "/sim/certificates/";
constexpr Duration kStopSlack = std::chrono::seconds(5);
constexpr Duration kCleanUpGrace = std::chrono::milliseconds(500);

Status NotRunning(const std::string& name) {
  return MakeStatus(StatusCode::kFailedPrecondition, "worker {} is not running", name);
}

std::string Seconds(Duration duration) {
  return fmt::format("{}s", std::chrono::duration<double>(duration).count());
}

}  // namespace

std::string Unsupported(const scenarios::Subject& subject, Transport transport) {
  const scenarios::Topology& topology = subject.topology;
  const bool calls = transport == Transport::kCalls;
  for (const WorkerSpec& worker : topology.workers) {
    if (worker.kind == WorkerSpec::Kind::kPython || worker.kind == WorkerSpec::Kind::kCommand)
      return fmt::format(
          "worker {} is a program of another kind: only a process of its own can run it",
          worker.name);
    if (calls && worker.connect.tls == scenarios::ConnectSpec::Tls::kOn)
      return fmt::format("worker {} speaks TLS", worker.name);
    for (const std::string& text : worker.args) {
      if (text.find('{') != std::string::npos)
        return fmt::format("worker {} has an argument that is filled in: {}", worker.name, text);
    }
  }
  if (!topology.ingresses.empty()) return "an ingress is not simulated yet";
  for (const auto& server : topology.servers) {
    if (calls && server.tls != scenarios::TlsMode::kNone)
      return fmt::format("server {} speaks TLS", server.name);
  }
  for (const scenarios::Step& step : subject.steps) {
    const auto* inject = std::get_if<scenarios::InjectStep>(&step.action);
    if (inject != nullptr && calls && !ActsOnCalls(inject->target, inject->fault))
      return fmt::format("the fault {} acts on bytes: calls are answered in process here",
                         inject->fault);
  }
  return "";
}

SimWorld::SimWorld(WorldLoop& loop, journal::Sink& journal, const scenarios::Subject& subject,
                   SimWorldOptions options)
    : loop_(loop),
      journal_(journal),
      subject_(subject),
      topology_(subject.topology),
      options_(options) {
  for (const WorkerSpec& spec : topology_.workers) workers_[spec.name].spec = &spec;
}

SimWorld::~SimWorld() { *alive_ = false; }

void SimWorld::Later(Done done, Status status) {
  loop_.Post([alive = alive_, done = std::move(done), status = std::move(status)] {
    if (*alive) done(status);
  });
}

std::vector<std::string> SimWorld::Observes() const {
  std::vector<std::string> kinds;
  for (const std::string_view kind : journal::AllKinds()) {
    if (kind != journal::ConnectionEvent::kKind || network_ != nullptr) kinds.emplace_back(kind);
  }
  return kinds;
}

std::map<std::string, std::string> SimWorld::Versions() const {
  return {{"core", std::string(core::CoreVersion())},
          {"server", "fake " + fakes::EngineOptions().server_version},
          {"time", "virtual"}};
}

void SimWorld::Prepare(Done done) {
  Status status = PrepareNow();
  if (!status.ok()) status = MakeStatus(StatusCode::kInternal, "prepare: {}", Message(status));
  Later(std::move(done), std::move(status));
}

Status SimWorld::PrepareNow() {
  const bool sockets = options_.transport == Transport::kSockets;
  if (sockets) network_ = std::make_unique<Network>(loop_, Rng(options_.seed).Split("network"));
  bool tls = false;
  for (const auto& server : topology_.servers) tls = tls || server.tls != scenarios::TlsMode::kNone;
  for (const WorkerSpec& worker : topology_.workers)
    tls = tls || worker.connect.tls == scenarios::ConnectSpec::Tls::kOn;
  if (tls) {
    wire::UseRandomness(
        [](void* bytes, std::size_t size) { TheScheduler().FillEntropy(bytes, size); });
    Rng rng = Rng(options_.seed).Split("certificates");
    certificates_ = wire::MintCatalogue(loop_.clock().WallNow(), rng);
    AddFile(kFolder + "ca.pem", certificates_->ca_pem);
    AddFile(kFolder + "wrong_ca.pem", certificates_->wrong_ca_pem);
    for (const std::string& name : wire::CertificateSet::Names()) {
      const wire::TlsIdentity* identity = certificates_->Find(name);
      AddFile(kFolder + name + ".pem", identity->certificate_chain_pem);
      AddFile(kFolder + name + ".key", identity->private_key_pem);
    }
  }
  for (const auto& spec : topology_.servers) {
    ServerOptions options;
    options.name = spec.name;
    options.namespaces = spec.namespaces;
    options.seed = Rng(options_.seed).Split("server " + spec.name).Next();
    options.frontend = sockets;
    if (spec.tls != scenarios::TlsMode::kNone) {
      wire::TlsServerOptions server_tls;
      server_tls.identity = *certificates_->Find(spec.certificate);
      if (spec.tls == scenarios::TlsMode::kMutual) {
        server_tls.client_ca_pem = certificates_->ca_pem;
        server_tls.require_client_certificate = true;
      }
      SQUALL_ASSIGN_OR_RETURN(options.tls, wire::TlsContext::Server(std::move(server_tls)));
    }
    servers_[spec.name] = std::make_unique<Server>(loop_, journal_, std::move(options));
  }
  for (const auto& spec : topology_.links) LinkTo(spec.name);
  if (options_.move_after && sockets) loop_.After(*options_.move_after, [this] { MoveAll(); });
  return absl::OkStatus();
}

SimWorld::Link& SimWorld::LinkTo(const std::string& name) {
  Link& link = links_[name];
  if (link.state != nullptr) return link;
  link.state = std::make_shared<LinkState>();
  link.state->name = name;
  const auto* spec = topology_.Link(name);
  link.state->silent_end = spec != nullptr && spec->end == scenarios::LinkSpec::End::kSilent;
  const auto* server = topology_.ServerBehind(name);
  link.state->server = server == nullptr ? nullptr : FindServer(server->name);
  if (network_ != nullptr) {
    const NetLink::Leads leads = link.state->silent_end          ? NetLink::Leads::kIntoSilence
                                 : link.state->server == nullptr ? NetLink::Leads::kNowhere
                                                                 : NetLink::Leads::kToServer;
    link.net = std::make_shared<NetLink>(journal_, name, leads, link.state->server,
                                         Rng(options_.seed).Split("link " + name));
    link.at = Endpoint::V4({127, 0, 0, 1}, static_cast<std::uint16_t>(7000 + links_.size()));
    if (options_.move_after) {
      link.at = Endpoint::V4({10, 0, 0, static_cast<std::uint8_t>(links_.size())}, kPort);
      network_->SetName(name + ".sim", {{link.at}, false});
    }
    network_->SetListener(link.at, link.net);
    return link;
  }
  if (link.state->server != nullptr) {
    link.state->server->OnEnd([&link] {
      for (const auto& path : link.paths) {
        if (const auto open = path.lock()) open->CutAll();
      }
    });
  }
  return link;
}

void SimWorld::MoveAll() {
  for (auto& [name, link] : links_) {
    network_->SetListener(link.at, nullptr);
    link.at.address[1] = 1;
    network_->SetListener(link.at, link.net);
    network_->SetName(name + ".sim", {{link.at}, false});
    link.net->SetFault("move", "drop_connections", {}, nullptr);
  }
}

// As the harness plans it (harness/runner/connect.cc): what the other end wants, all of it right,
// unless the scenario says otherwise.
void SimWorld::SetTls(const WorkerNode& node,
                      std::map<std::string, std::string>& environment) const {
  const scenarios::ConnectSpec& connect = node.spec->connect;
  const scenarios::TlsMode other_end = topology_.TlsAt(connect.to);
  using Tls = scenarios::ConnectSpec::Tls;
  const bool on = connect.tls == Tls::kOn ||
                  (connect.tls == Tls::kAuto && other_end != scenarios::TlsMode::kNone);
  environment["TEMPORAL_TLS"] = on ? "true" : "false";
  if (!on) return;
  if (connect.ca != "none")
    environment["TEMPORAL_TLS_SERVER_CA_CERT_PATH"] = kFolder + connect.ca + ".pem";
  if (!connect.server_name.empty()) environment["TEMPORAL_TLS_SERVER_NAME"] = connect.server_name;
  std::string identity = connect.client_certificate;
  if (identity.empty() && other_end == scenarios::TlsMode::kMutual) identity = "client";
  if (identity.empty() || identity == "none") return;
  environment["TEMPORAL_TLS_CLIENT_CERT_PATH"] = kFolder + identity + ".pem";
  environment["TEMPORAL_TLS_CLIENT_KEY_PATH"] = kFolder + identity + ".key";
}

SimWorld::Link* SimWorld::FindLink(const std::string& name) {
  const auto it = links_.find(name);
  return it == links_.end() ? nullptr : &it->second;
}
Server* SimWorld::FindServer(const std::string& name) {
  const auto it = servers_.find(name);
  return it == servers_.end() ? nullptr : it->second.get();
}
Worker* SimWorld::FindWorker(const std::string& name) {
  const auto it = workers_.find(name);
  return it == workers_.end() ? nullptr : it->second.worker.get();
}

// --- nodes ---

// The harness fills in more (docs/scenarios.md); of workers that are simulated only the address is
// asked for.
std::string SimWorld::Filled(std::string text, const std::string& address) {
  static constexpr std::string_view kAddress = "{address}";
  for (std::size_t at = 0; (at = text.find(kAddress, at)) != std::string::npos;)
    text.replace(at, kAddress.size(), address);
  return text;
}

std::string SimWorld::AddressOf(const std::string& name, const Link& link) const {
  if (network_ == nullptr) return name + ":7233";
  return options_.move_after ? fmt::format("{}.sim:{}", name, kPort) : link.at.ToString();
}

void SimWorld::MakeWorker(WorkerNode& node) {
  if (node.worker != nullptr) return;
  const WorkerSpec& spec = *node.spec;
  WorkerOptions options;
  options.name = spec.name;
  options.task_queue = spec.task_queue;
  const bool host = spec.kind == WorkerSpec::Kind::kHost;
  options.program = host ? "squall-host" : "squall-worker";
  options.kind = host ? "" : "fail-fast";
  if (host) options.arguments = {"--kind", spec.host};
  options.arguments.insert(options.arguments.end(), {"--grace", Seconds(spec.grace)});
  options.arguments.insert(options.arguments.end(), spec.args.begin(), spec.args.end());
  Link& link_to = LinkTo(spec.connect.to);
  options.environment = {{"TEMPORAL_ADDRESS", AddressOf(spec.connect.to, link_to)},
                         {"TEMPORAL_NAMESPACE", spec.ns},
                         {"TEMPORAL_TASK_QUEUE", spec.task_queue}};
  SetTls(node, options.environment);
  if (!spec.connect.api_key.empty()) options.environment["TEMPORAL_API_KEY"] = spec.connect.api_key;
  const std::string address = options.environment["TEMPORAL_ADDRESS"];
  for (const auto& [name, value] : spec.env) {
    if (value.empty()) {
      options.environment.erase(name);
    } else {
      options.environment[name] = Filled(value, address);
    }
  }
  options.on_start = [this, &node](Process& process) {
    fakes::HostProgramHooks hooks;
    hooks.core_threads = options_.core_threads;
    if (network_ != nullptr) return hooks;
    Link& link = LinkTo(node.spec->connect.to);
    auto path = std::make_shared<CallPath>(
        loop_, link.state, process,
        Rng(options_.seed).Split(fmt::format("path {} {}", node.spec->name, process.id)));
    std::erase_if(link.paths, [](const auto& weak) { return weak.expired(); });
    link.paths.push_back(path);
    node.paths.push_back(path);
    hooks.on_connection = [path](core::ConnectionOptions& connection, Executor&) {
      path->Configure(connection);
    };
    return hooks;
  };
  options.on_exit = [this, &node](Process& process, const std::string& reason) {
    OnWorkerExit(node, process, reason);
  };
  node.worker = std::make_unique<Worker>(loop_, journal_, std::move(options));
}

Status SimWorld::SetRules(Server& server) {
  if (options_.rules.empty() || server.frontend() == nullptr || !server.frontend()->Rules().empty())
    return absl::OkStatus();
  auto rules = wire::RulesFromJson(options_.rules);
  if (!rules.ok()) return MakeStatus(StatusCode::kInternal, "rules: {}", Message(rules.status()));
  const Status set =
      server.frontend()->SetRules(loop_.clock().MomentNow(), *std::move(rules)).status();
  server.Settle();
  return set;
}

void SimWorld::Start(const std::string& name, Done done) {
  if (Server* server = FindServer(name)) {
    server->Start(true);
    return Later(std::move(done), SetRules(*server));
  }
  WorkerNode& node = workers_.at(name);
  MakeWorker(node);
  node.wanted = true;
  if (!node.worker->alive()) node.polling = node.polled = false;
  node.worker->Start();
  Later(std::move(done), absl::OkStatus());
}

void SimWorld::OnWorkerExit(WorkerNode& node, Process&, const std::string& reason) {
  node.polling = node.polled = false;
  loop_.Cancel(std::exchange(node.stop_timer, 0));
  for (const auto& path : std::exchange(node.paths, {})) path->ClientEnded();
  for (Done& done : std::exchange(node.ended, {})) Later(std::move(done), absl::OkStatus());
  if (cleaning_ || !node.wanted || !node.spec->restart.on_exit || reason == "asked") return;
  const auto& back_off = node.spec->restart.back_off;
  const Duration pause = back_off[std::min(node.restarts, back_off.size() - 1)];
  ++node.restarts;
  loop_.Cancel(node.restart_timer);
  node.restart_timer = loop_.After(pause, [this, &node] {
    node.restart_timer = 0;
    if (node.wanted && !cleaning_) Start(node.spec->name, [](const Status&) {});
  });
}

void SimWorld::StopWorker(WorkerNode& node, int number, Duration grace, const std::string& reason,
                          Done done) {
  node.wanted = node.wanted && reason != "asked";
  loop_.Cancel(std::exchange(node.restart_timer, 0));
  if (node.worker == nullptr || !node.worker->alive())
    return Later(std::move(done), absl::OkStatus());
  node.ended.push_back(std::move(done));
  node.worker->Signal(number, reason);
  if (number == SIGKILL || node.stop_timer != 0) return;
  node.stop_timer = loop_.After(grace, [&node] {
    node.stop_timer = 0;
    node.worker->Kill("asked");
  });
}

void SimWorld::Stop(const std::string& name, const std::string& signal, Done done) {
  if (Server* server = FindServer(name)) {
    server->End(0, "asked");
    return Later(std::move(done), absl::OkStatus());
  }
  WorkerNode& node = workers_.at(name);
  StopWorker(node, signal == "INT" ? SIGINT : SIGTERM, node.spec->grace + kStopSlack, "asked",
             std::move(done));
}

void SimWorld::Kill(const std::string& name, Done done) {
  if (Server* server = FindServer(name)) {
    server->End(SIGKILL, "injected");
    return Later(std::move(done), absl::OkStatus());
  }
  WorkerNode& node = workers_.at(name);
  if (node.worker == nullptr || !node.worker->alive())
    return Later(std::move(done), NotRunning(name));
  StopWorker(node, SIGKILL, {}, "injected", std::move(done));
}

void SimWorld::Restart(const scenarios::RestartRequest& request, Done done) {
  auto start_again = [this, alive = alive_, request, done](const Status& status) {
    if (!*alive) return;
    if (!status.ok()) return done(status);
    loop_.After(request.down_for, [this, alive, request, done] {
      if (!*alive) return;
      if (Server* server = FindServer(request.node)) {
        server->Start(request.keep_data);
        return Later(done, absl::OkStatus());
      }
      Start(request.node, done);
    });
  };
  const auto worker = workers_.find(request.node);
  const bool running = worker == workers_.end() ||
                       (worker->second.worker != nullptr && worker->second.worker->alive());
  if (request.kill && running) return Kill(request.node, std::move(start_again));
  Stop(request.node, "TERM", std::move(start_again));
}

void SimWorld::Pause(const std::string& name, Done done) {
  if (Server* server = FindServer(name)) {
    server->Pause();
    return Later(std::move(done), absl::OkStatus());
  }
  WorkerNode& node = workers_.at(name);
  if (node.worker == nullptr || !node.worker->alive())
    return Later(std::move(done), NotRunning(name));
  node.worker->Pause();
  Later(std::move(done), absl::OkStatus());
}

void SimWorld::Resume(const std::string& name, Done done) {
  if (Server* server = FindServer(name)) {
    server->Resume();
    return Later(std::move(done), absl::OkStatus());
  }
  WorkerNode& node = workers_.at(name);
  if (node.worker == nullptr) return Later(std::move(done), NotRunning(name));
  node.worker->Resume();
  for (const auto& path : node.paths) path->Release();
  Later(std::move(done), absl::OkStatus());
}

void SimWorld::Signal(const std::string& name, int number, Done done) {
  WorkerNode& node = workers_.at(name);
  if (node.worker == nullptr || !node.worker->alive())
    return Later(std::move(done), NotRunning(name));
  node.worker->Signal(number, "asked");
  Later(std::move(done), absl::OkStatus());
}

// --- health ---

void SimWorld::WaitHealthy(const std::string& worker, Done done) {
  WorkerNode& node = workers_.at(worker);
  node.healthy.push_back(std::move(done));
  LookHealthy(node);
}

void SimWorld::LookHealthy(WorkerNode& node) {
  if (node.worker == nullptr || !node.worker->alive() || !node.polled || !node.polling) return;
  for (Done& done : std::exchange(node.healthy, {})) Later(std::move(done), absl::OkStatus());
}

void SimWorld::OnEvent(const journal::Event& event) {
  if (const auto* line = event.As<journal::WorkerEvent>();
      line != nullptr && line->what == "polling") {
    const auto it = workers_.find(line->worker);
    if (it == workers_.end()) return;
    it->second.polling = true;
    LookHealthy(it->second);
  } else if (const auto* poller = event.As<journal::PollerEvent>();
             poller != nullptr && poller->what == "arrived") {
    for (auto& [name, node] : workers_) {
      if (node.spec->task_queue != poller->task_queue || node.spec->ns != poller->ns) continue;
      node.polled = true;
      LookHealthy(node);
    }
  }
}

void SimWorld::CancelWaits() {
  for (auto& [name, node] : workers_) node.healthy.clear();
}

// --- clients ---

Client& SimWorld::ClientNamed(const std::string& name) {
  auto& client = clients_[name];
  if (client == nullptr) {
    const auto* spec = topology_.Client(name);
    SQUALL_CHECK(spec != nullptr, "the loader checked the names");
    const auto* server = topology_.ServerBehind(spec->connect.to);
    if (server == nullptr) server = &topology_.servers.front();
    client = std::make_unique<Client>(loop_, journal_, *servers_.at(server->name), name, spec->ns,
                                      spec->timeout);
  }
  return *client;
}

void SimWorld::StartWorkflow(const scenarios::WorkflowRequest& request, Done done) {
  ClientNamed(request.client)
      .StartWorkflow(request, [this, alive = alive_, id = request.id,
                               done = std::move(done)](const StatusOr<std::string>& run) {
        if (!*alive) return;
        if (run.ok()) run_ids_[id] = *run;
        done(run.status());
      });
}

void SimWorld::AwaitWorkflow(const std::string& id, const std::string& ns,
                             const std::string& client,
                             std::function<void(StatusOr<scenarios::WorkflowEnd>)> done) {
  ClientNamed(client).AwaitWorkflow(id, run_ids_[id], ns, options_.workflow_limit, std::move(done));
}

void SimWorld::SignalWorkflow(const scenarios::SignalWorkflowStep& step, Done done) {
  ClientNamed(step.client).SignalWorkflow(step, std::move(done));
}

void SimWorld::Call(const scenarios::CallRequest& request,
                    std::function<void(StatusOr<scenarios::CallOutcome>)> done) {
  ClientNamed(request.client)
      .CallJson(request.method, request.request,
                [done = std::move(done)](const StatusOr<std::string>& answer) {
                  done(scenarios::CallOutcome{answer.status().raw_code(),
                                              std::string(Message(answer.status()))});
                });
}

void SimWorld::CloseClient(const std::string& client, Done done) {
  clients_.erase(client);
  Later(std::move(done), absl::OkStatus());
}

void SimWorld::RegisterNamespace(const std::string&, const std::string& ns, Done done) {
  ClientNamed("direct").CallJson(
      "RegisterNamespace",
      fmt::format(R"({{"namespace":"{}","workflowExecutionRetentionPeriod":"86400s"}})", ns),
      [done = std::move(done)](const StatusOr<std::string>& answer) {
        done(answer.status().code() == StatusCode::kAlreadyExists ? absl::OkStatus()
                                                                  : answer.status());
      });
}

void SimWorld::DeleteNamespace(const std::string&, const std::string& ns, Done done) {
  ClientNamed("direct").CallJson(
      "operator/DeleteNamespace", fmt::format(R"({{"namespace":"{}"}})", ns),
      [done = std::move(done)](const StatusOr<std::string>& answer) { done(answer.status()); });
}

void SimWorld::Inject(const scenarios::InjectRequest& request,
                      std::function<void(StatusOr<std::unique_ptr<scenarios::FaultHandle>>)> done) {
  InjectFault(*this, request, std::move(done));
}

// --- clean up ---

void SimWorld::CleanUp(Done done) {
  cleaning_ = true;
  CancelWaits();
  clients_.clear();
  auto left = std::make_shared<std::size_t>(1);
  auto one_less = [this, left, done = std::move(done)](const Status&) {
    if (--*left > 0) return;
    for (auto& [name, server] : servers_) server->End(SIGKILL, "asked");
    Later(done, absl::OkStatus());
  };
  for (auto& [name, node] : workers_) {
    loop_.Cancel(std::exchange(node.restart_timer, 0));
    if (node.worker == nullptr || !node.worker->alive()) continue;
    ++*left;
    node.worker->Resume();
    StopWorker(node, SIGTERM, kCleanUpGrace, "asked", one_less);
  }
  one_less(absl::OkStatus());
}

}  // namespace squall::sim
