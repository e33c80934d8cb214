#include "sim/world/sim_world.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "base/wire/misbehaviour.h"
#include "base/wire/randomness.h"
#include "scenarios/engine/tls_plan.h"
#include "sim/kernel/files.h"
#include "sim/kernel/scheduler.h"
#include "sim/world/certificates.h"
#include "sim/world/faults.h"

namespace squall::sim {
namespace {

using scenarios::Done;
using scenarios::WorkerIsNotRunning;
using scenarios::WorkerSpec;

// Temporal's own port, of servers that are found by name.
constexpr std::uint16_t kPort = 7233;
// Where workers find certificates.
const std::string kFolder = "/sim/certificates/";
constexpr Duration kStopSlack = std::chrono::seconds(5);
constexpr Duration kCleanUpGrace = std::chrono::milliseconds(500);

std::string Seconds(Duration duration) {
  return fmt::format("{}s", std::chrono::duration<double>(duration).count());
}

// The world's own failures, which the step machine reads as the infrastructure's.
Status AsInfrastructure(const Status& status, std::string_view what) {
  if (status.ok()) return status;
  return MakeStatus(StatusCode::kInternal, "{}: {}", what, Message(status));
}

// A link with a name has an address for each front end: 10.MOVED.FRONT.LINK.
Endpoint AtFront(Endpoint first, std::size_t front) {
  first.address[2] = static_cast<std::uint8_t>(front);
  return first;
}
// The IPv6 address of what has a name: fd00:: and its IPv4 address.
Endpoint SecondOf(const Endpoint& first) {
  Endpoint second;
  second.v6 = true;
  second.port = first.port;
  second.address[0] = 0xfd;
  std::copy_n(first.address.begin(), 4, second.address.begin() + 12);
  return second;
}

Network::Name AddressesOf(const SimWorld::Link& link) {
  Network::Name name;
  for (std::size_t front = 0; front < link.net->fronts(); ++front) {
    const Endpoint at = AtFront(link.at, front);
    name.addresses.insert(name.addresses.end(), {SecondOf(at), at});
  }
  return name;
}

// Listens at all addresses of a link, or not any more.
void Listen(Network& network, const SimWorld::Link& link, bool there) {
  for (std::size_t front = 0; front < link.net->fronts(); ++front) {
    const auto door = there ? link.net->Door(front) : nullptr;
    const Endpoint at = link.named ? AtFront(link.at, front) : link.at;
    network.SetListener(at, door);
    if (link.named) network.SetListener(SecondOf(at), door);
  }
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
  if (calls && !topology.ingresses.empty()) return "an ingress has connections, not calls";
  for (const auto& server : topology.servers) {
    if (calls && server.frontends > 1)
      return fmt::format("server {} has several front ends: calls know of none", server.name);
    if (calls && server.tls != scenarios::TlsMode::kNone)
      return fmt::format("server {} speaks TLS", server.name);
  }
  for (const scenarios::Step& step : subject.steps) {
    const auto* inject = std::get_if<scenarios::InjectStep>(&step.action);
    if (inject == nullptr) continue;
    if (std::string why = WhyNotSimulated(*inject, topology, !calls); !why.empty()) return why;
  }
  return "";
}

bool UsesTls(const scenarios::Topology& topology) {
  const auto serves = [](const auto& node) { return node.tls != scenarios::TlsMode::kNone; };
  const auto connects = [](const auto& node) {
    return node.connect.tls == scenarios::ConnectSpec::Tls::kOn;
  };
  return std::any_of(topology.servers.begin(), topology.servers.end(), serves) ||
         std::any_of(topology.ingresses.begin(), topology.ingresses.end(), serves) ||
         std::any_of(topology.workers.begin(), topology.workers.end(), connects) ||
         std::any_of(topology.clients.begin(), topology.clients.end(), connects);
}

SimWorld::SimWorld(WorldLoop& loop, journal::Sink& journal, const scenarios::Subject& subject,
                   SimWorldOptions options)
    : loop_(loop),
      journal_(journal),
      subject_(subject),
      topology_(subject.topology),
      options_(options),
      book_(loop, topology_,
            {.alive = [this](const std::string& name) { return Runs(workers_.at(name)); },
             .start_again = [this](const std::string& name) { StartWorker(workers_.at(name)); }}) {
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
  Later(std::move(done), AsInfrastructure(PrepareNow(), "prepare"));
}

Status SimWorld::PrepareNow() {
  const bool sockets = options_.transport == Transport::kSockets;
  if (sockets) network_ = std::make_unique<Network>(loop_, Rng(options_.seed).Split("network"));
  if (UsesTls(topology_)) {
    wire::UseRandomness(
        [](void* bytes, std::size_t size) { TheScheduler().FillEntropy(bytes, size); });
    certificates_ = &TheCertificates();
    AddFile(kFolder + "ca.pem", certificates_->ca_pem);
    AddFile(kFolder + "wrong_ca.pem", certificates_->wrong_ca_pem);
    for (const std::string& name : wire::CertificateSet::Names()) {
      const wire::TlsIdentity* identity = certificates_->Find(name);
      AddFile(kFolder + name + ".pem", identity->certificate_chain_pem);
      AddFile(kFolder + name + ".key", identity->private_key_pem);
    }
  }
  SQUALL_RETURN_IF_ERROR(MakeServers());
  MakeIngresses();
  for (const auto& spec : topology_.links) LinkTo(spec.name);
  if (options_.move_after && sockets) loop_.After(*options_.move_after, [this] { MoveAll(); });
  return absl::OkStatus();
}

Status SimWorld::MakeServers() {
  for (const auto& spec : topology_.servers) {
    ServerOptions options;
    options.name = spec.name;
    options.namespaces = spec.namespaces;
    options.seed = Rng(options_.seed).Split("server " + spec.name).Next();
    options.frontend = network_ != nullptr;
    options.complete_polls_on_shutdown = options_.complete_polls_on_shutdown;
    options.api_keys = spec.api_keys;
    options.frontends = static_cast<std::size_t>(spec.frontends);
    for (const auto& link : topology_.links) {
      if (link.to == spec.name && IsRuled(link.name)) options.ruled_links.push_back(link.name);
    }
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
  return absl::OkStatus();
}

// Each on a machine of its own.
void SimWorld::MakeIngresses() {
  for (const auto& spec : topology_.ingresses) {
    const auto number = static_cast<std::uint8_t>(ingresses_.size() + 1);
    const Place place{.at = Endpoint::V4({10, 9, 0, number}, kPort),
                      .upstream = LinkTo(spec.to).at};
    ingresses_[spec.name] =
        std::make_unique<IngressNode>(loop_, journal_, *network_, spec, certificates_, place,
                                      Endpoint::V4({10, 9, 1, number}, kPort));
  }
}

bool SimWorld::AnyInjected(const std::string& link,
                           bool (*is)(const scenarios::InjectStep&)) const {
  return std::any_of(
      subject_.steps.begin(), subject_.steps.end(), [&](const scenarios::Step& step) {
        const auto* inject = std::get_if<scenarios::InjectStep>(&step.action);
        return inject != nullptr && is(*inject) &&
               std::find(inject->on.begin(), inject->on.end(), link) != inject->on.end();
      });
}
bool SimWorld::IsNamed(const std::string& link) const { return AnyInjected(link, &ActsOnNames); }
bool SimWorld::IsRuled(const std::string& link) const { return AnyInjected(link, &ActsByRule); }

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
    const std::string& to = spec == nullptr ? name : spec->to;
    const auto ingress = ingresses_.find(to);
    Acceptor* const behind = ingress != ingresses_.end()
                                 ? static_cast<Acceptor*>(ingress->second.get())
                                 : FindServer(to);
    const NetLink::Leads leads = link.state->silent_end ? NetLink::Leads::kIntoSilence
                                 : behind == nullptr    ? NetLink::Leads::kNowhere
                                                        : NetLink::Leads::kSomewhere;
    link.net = std::make_shared<NetLink>(loop_, journal_, name, leads, behind,
                                         Rng(options_.seed).Split("link " + name));
    link.at = Endpoint::V4({127, 0, 0, 1}, static_cast<std::uint16_t>(7000 + links_.size()));
    link.named = options_.move_after.has_value() || IsNamed(name) || link.net->fronts() > 1;
    if (link.named) {
      const auto number = static_cast<std::uint8_t>(links_.size());
      link.at = Endpoint::V4({10, 0, 0, number}, kPort);
      network_->SetName(NameOf(name), AddressesOf(link));
    }
    Listen(*network_, link, true);
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

void SimWorld::SetMeaning(const std::string& name) {
  const Link& link = links_.at(name);
  network_->SetName(NameOf(name),
                    link.meanings.empty() ? AddressesOf(link) : link.meanings.back().second);
}

void SimWorld::MoveAll() {
  for (auto& [name, link] : links_) {
    Listen(*network_, link, false);
    link.at.address[1] = 1;
    Listen(*network_, link, true);
    SetMeaning(name);
    link.net->SetFault("move", "drop_connections", {}, nullptr);
  }
}

void SimWorld::SetTls(const WorkerNode& node,
                      std::map<std::string, std::string>& environment) const {
  const scenarios::TlsPlan plan = scenarios::PlanTls(topology_, node.spec->connect);
  environment["TEMPORAL_TLS"] = plan.on ? "true" : "false";
  if (!plan.on) return;
  if (!plan.ca.empty())
    environment["TEMPORAL_TLS_SERVER_CA_CERT_PATH"] = kFolder + plan.ca + ".pem";
  // Certificates are for this machine's own name and address.
  const std::string server_name = plan.server_name.empty() && links_.at(node.spec->connect.to).named
                                      ? "localhost"
                                      : plan.server_name;
  if (!server_name.empty()) environment["TEMPORAL_TLS_SERVER_NAME"] = server_name;
  if (plan.identity.empty()) return;
  environment["TEMPORAL_TLS_CLIENT_CERT_PATH"] = kFolder + plan.identity + ".pem";
  environment["TEMPORAL_TLS_CLIENT_KEY_PATH"] = kFolder + plan.identity + ".key";
}

SimWorld::Link* SimWorld::FindLink(const std::string& name) {
  const auto it = links_.find(name);
  return it == links_.end() ? nullptr : &it->second;
}
Server* SimWorld::FindServer(const std::string& name) {
  const auto it = servers_.find(name);
  return it == servers_.end() ? nullptr : it->second.get();
}
Worker& SimWorld::MakeWorkerNamed(const std::string& name) {
  WorkerNode& node = workers_.at(name);
  MakeWorker(node);
  return *node.worker;
}
void SimWorld::StartWorkerNamed(const std::string& name) { StartWorker(workers_.at(name)); }
void SimWorld::EndWorker(const std::string& name, int number, Done done) {
  WorkerNode& node = workers_.at(name);
  StopWorker(node, number, node.spec->grace + kStopSlack, "injected", std::move(done));
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
  return link.named ? fmt::format("{}:{}", NameOf(name), kPort) : link.at.ToString();
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
    return server->Start(
        true, [this, server, done = std::move(done)] { Later(done, SetRules(*server)); });
  }
  if (const auto ingress = ingresses_.find(name); ingress != ingresses_.end())
    return Later(std::move(done), AsInfrastructure(ingress->second->Start(), "ingress " + name));
  book_.Wanted(name);
  StartWorker(workers_.at(name));
  Later(std::move(done), absl::OkStatus());
}

bool SimWorld::Runs(const WorkerNode& node) {
  return node.worker != nullptr && node.worker->alive();
}

void SimWorld::StartWorker(WorkerNode& node) {
  MakeWorker(node);
  if (Runs(node)) return;
  book_.Starting(node.spec->name);
  node.worker->Start();
}

void SimWorld::OnWorkerExit(WorkerNode& node, Process&, const std::string& reason) {
  loop_.Cancel(std::exchange(node.stop_timer, 0));
  for (const auto& path : std::exchange(node.paths, {})) path->ClientEnded();
  for (Done& done : std::exchange(node.ended, {})) Later(std::move(done), absl::OkStatus());
  book_.Ended(node.spec->name, reason);
}

void SimWorld::StopWorker(WorkerNode& node, int number, Duration grace, const std::string& reason,
                          Done done) {
  if (reason == "asked") book_.Unwanted(node.spec->name);
  if (!Runs(node)) return Later(std::move(done), absl::OkStatus());
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
  if (const auto ingress = ingresses_.find(name); ingress != ingresses_.end()) {
    ingress->second->Stop();
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
  if (!Runs(node)) return Later(std::move(done), WorkerIsNotRunning(name));
  StopWorker(node, SIGKILL, {}, "injected", std::move(done));
}

void SimWorld::Restart(const scenarios::RestartRequest& request, Done done) {
  auto start_again = [this, alive = alive_, request, done](const Status& status) {
    if (!*alive) return;
    if (!status.ok()) return done(status);
    loop_.After(request.down_for, [this, alive, request, done] {
      if (!*alive) return;
      if (Server* server = FindServer(request.node)) {
        return server->Start(request.keep_data, [this, done] { Later(done, absl::OkStatus()); });
      }
      Start(request.node, done);
    });
  };
  const auto worker = workers_.find(request.node);
  const bool running = worker == workers_.end() || Runs(worker->second);
  if (request.kill && running && !ingresses_.contains(request.node))
    return Kill(request.node, std::move(start_again));
  Stop(request.node, "TERM", std::move(start_again));
}

void SimWorld::Pause(const std::string& name, Done done) {
  if (Server* server = FindServer(name)) {
    server->Pause();
    return Later(std::move(done), absl::OkStatus());
  }
  WorkerNode& node = workers_.at(name);
  if (!Runs(node)) return Later(std::move(done), WorkerIsNotRunning(name));
  node.worker->Pause();
  Later(std::move(done), absl::OkStatus());
}

void SimWorld::Resume(const std::string& name, Done done) {
  if (Server* server = FindServer(name)) {
    server->Resume();
    return Later(std::move(done), absl::OkStatus());
  }
  WorkerNode& node = workers_.at(name);
  if (node.worker == nullptr) return Later(std::move(done), WorkerIsNotRunning(name));
  node.worker->Resume();
  for (const auto& path : node.paths) path->Release();
  Later(std::move(done), absl::OkStatus());
}

void SimWorld::Signal(const std::string& name, int number, Done done) {
  WorkerNode& node = workers_.at(name);
  if (!Runs(node)) return Later(std::move(done), WorkerIsNotRunning(name));
  node.worker->Signal(number, "asked");
  Later(std::move(done), absl::OkStatus());
}

// --- health ---

void SimWorld::WaitHealthy(const std::string& worker, Done done) {
  book_.WaitHealthy(worker, std::move(done));
}

void SimWorld::OnEvent(const journal::Event& event) { book_.OnEvent(event); }

void SimWorld::CancelWaits() { book_.CancelWaits(); }

// --- faults ---

void SimWorld::Inject(const scenarios::InjectRequest& request,
                      std::function<void(StatusOr<std::unique_ptr<scenarios::FaultHandle>>)> done) {
  InjectFault(*this, request, std::move(done));
}

// --- clean up ---

void SimWorld::CleanUp(Done done) {
  book_.Close();
  clients_.clear();
  auto left = std::make_shared<std::size_t>(1);
  auto one_less = [this, left, done = std::move(done)](const Status&) {
    if (--*left > 0) return;
    for (auto& [name, ingress] : ingresses_) ingress->Stop();
    for (auto& [name, server] : servers_) server->End(SIGKILL, "asked");
    Later(done, absl::OkStatus());
  };
  for (auto& [name, node] : workers_) {
    if (!Runs(node)) continue;
    ++*left;
    node.worker->Resume();
    StopWorker(node, SIGTERM, kCleanUpGrace, "asked", one_less);
  }
  one_less(absl::OkStatus());
}

}  // namespace squall::sim
