#include "harness/runner/harness_world.h"

#include <csignal>
#include <filesystem>
#include <set>

#include "base/util/rng.h"
#include "harness/process/private_names.h"
#include "scenarios/checks/judge.h"

namespace squall::harness {
namespace {

using scenarios::IngressSpec;
using scenarios::LinkSpec;
using scenarios::ServerSpec;
using scenarios::TlsMode;
using scenarios::WorkerSpec;
using scenarios::WorldKind;

// Between SIGTERM and SIGKILL for what still runs when the subject has been judged: nobody looks at
// it any more.
constexpr Duration kCleanUpGrace = std::chrono::milliseconds(500);
// On top of the worker's own grace before a `stop` step kills it.
constexpr Duration kStopSlack = std::chrono::seconds(5);

WorkerKind KindOf(WorkerSpec::Kind kind) {
  switch (kind) {
    case WorkerSpec::Kind::kCore:
      return WorkerKind::kSquallWorker;
    case WorkerSpec::Kind::kHost:
      return WorkerKind::kSquallHost;
    case WorkerSpec::Kind::kPython:
      return WorkerKind::kPython;
    case WorkerSpec::Kind::kCommand:
      return WorkerKind::kCommand;
  }
  return WorkerKind::kCommand;
}

bool NamesPort(const WorkerSpec& spec) {
  const auto names = [](const std::string& text) {
    return text.find("{port}") != std::string::npos;
  };
  for (const std::string& text : spec.command) {
    if (names(text)) return true;
  }
  for (const std::string& text : spec.args) {
    if (names(text)) return true;
  }
  for (const auto& [name, text] : spec.env) {
    if (names(text)) return true;
  }
  return !spec.health.empty();
}

std::string Seconds(Duration duration) {
  return fmt::format("{}", std::chrono::duration<double>(duration).count());
}

}  // namespace

Status AsInfrastructure(const Status& status, std::string_view what) {
  if (status.ok()) return status;
  return MakeStatus(StatusCode::kInternal, "{}: {}", what, Message(status));
}

HarnessWorld::HarnessWorld(AsioExecutor& executor, journal::Sink& journal,
                           const scenarios::Subject& subject, HarnessWorldOptions options)
    : executor_(executor),
      tag_(options.external ? "~" + Rng(SeedFromSystem()).Hex(8) : ""),
      journal_(journal, tag_),
      subject_(subject),
      topology_(subject.topology),
      options_(std::move(options)),
      book_(executor, topology_,
            {.alive = [this](const std::string& name) { return Runs(workers_.find(name)->second); },
             .start_again =
                 [this](const std::string& name) {
                   StartWorker(workers_.find(name)->second, [](const Status&) {});
                 }}) {
  for (const ServerSpec& spec : topology_.servers) servers_[spec.name].spec = &spec;
  for (const IngressSpec& spec : topology_.ingresses) ingresses_[spec.name].spec = &spec;
  for (const LinkSpec& spec : topology_.links) links_[spec.name].spec = &spec;
  for (const WorkerSpec& spec : topology_.workers) workers_[spec.name].spec = &spec;
}

HarnessWorld::~HarnessWorld() {
  *alive_ = false;
  observers_.clear();
  clients_.clear();
}

void HarnessWorld::Later(scenarios::Done done, Status status) {
  executor_.Post([alive = alive_, done = std::move(done), status = std::move(status)] {
    if (*alive) done(status);
  });
}

std::vector<std::string> HarnessWorld::Observes() const {
  std::vector<std::string> kinds;
  for (const std::string_view kind : journal::AllKinds()) {
    // Another's server tells nothing about activities; what workers say of them arrives as worker
    // events.
    if (kind == journal::ActivityEvent::kKind && options_.kind == WorldKind::kReal) continue;
    kinds.emplace_back(kind);
  }
  return kinds;
}

std::map<std::string, std::string> HarnessWorld::Versions() const { return versions_; }

// --- prepare ---

void HarnessWorld::Prepare(scenarios::Done done) {
  Later(std::move(done), AsInfrastructure(PrepareNow(), "prepare"));
}

Status HarnessWorld::PrepareNow() {
  bool python = false, tls = false;
  for (const WorkerSpec& worker : topology_.workers) {
    python = python || worker.kind == WorkerSpec::Kind::kPython;
    tls = tls || worker.connect.tls == scenarios::ConnectSpec::Tls::kOn;
  }
  for (const auto& server : topology_.servers) tls = tls || server.tls != TlsMode::kNone;
  for (const auto& ingress : topology_.ingresses) tls = tls || ingress.tls != TlsMode::kNone;
  tls = tls || !NodesThatNeed(subject_, scenarios::FaultNeed::kFrames).empty();
  versions_ = KnownVersions(python);
  if (const double scale = TimeoutScale(); scale != 1)
    versions_.emplace(scenarios::kTimeoutScaleVersion, fmt::format("{:g}", scale));
  if (tls) {
    Rng rng = Rng(options_.seed).Split("certificates");
    certificates_ = wire::MintCatalogue(executor_.clock().WallNow(), rng);
    SQUALL_ASSIGN_OR_RETURN(
        files_, WriteCertificates(*certificates_, options_.work_directory + "/certificates"));
  }
  SQUALL_RETURN_IF_ERROR(MakeServers());
  return MakeLinks();
}

Status HarnessWorld::MakeServers() {
  for (auto& [name, node] : servers_) {
    ServerOptions options;
    options.name = name;
    options.kind = options_.kind == WorldKind::kFake ? ServerKind::kFakeInProcess
                   : options_.external               ? ServerKind::kAddress
                                                     : ServerKind::kDevServer;
    options.namespaces = node.spec->namespaces;
    options.keep_data = node.spec->keep_data;
    options.api_keys = node.spec->api_keys;
    options.seed = Rng(options_.seed).Split("server " + name).Next();
    options.work_directory = options_.work_directory;
    if (node.spec->tls != TlsMode::kNone) {
      options.certificates = &*certificates_;
      options.tls_identity = node.spec->certificate;
      options.require_client_certificate = node.spec->tls == TlsMode::kMutual;
    }
    if (options.kind == ServerKind::kAddress) {
      options.address = options_.external->address;
      SQUALL_ASSIGN_OR_RETURN(options.client_tls, ExternalTls(*options_.external));
      if (const char* key = std::getenv(options_.external->api_key_variable.c_str()))
        options.api_key = key;
    }
    SQUALL_ASSIGN_OR_RETURN(node.server, MakeServer(executor_, journal_, std::move(options)));
  }
  return absl::OkStatus();
}

StatusOr<HostPort> HarnessWorld::AddressOf(const std::string& node) const {
  if (const auto link = links_.find(node); link != links_.end()) {
    return HostPort{link->second.wire ? link->second.wire->near_address() : "127.0.0.1",
                    link->second.proxy ? link->second.proxy->port() : link->second.closed.port()};
  }
  if (const auto ingress = ingresses_.find(node); ingress != ingresses_.end()) {
    if (ingress->second.ingress == nullptr) {
      return MakeStatus(StatusCode::kInternal, "the ingress '{}' has not been started", node);
    }
    return ParseHostPort(ingress->second.ingress->address());
  }
  const auto server = servers_.find(node);
  SQUALL_CHECK(server != servers_.end(), "the loader checked the names");
  return ParseHostPort(server->second.server->address());
}

// --- nodes ---

void HarnessWorld::Start(const std::string& node, scenarios::Done done) {
  if (const auto server = servers_.find(node); server != servers_.end()) {
    return StartServer(server->second, std::nullopt, std::move(done));
  }
  if (const auto ingress = ingresses_.find(node); ingress != ingresses_.end()) {
    return Later(std::move(done),
                 AsInfrastructure(StartIngress(ingress->second), "ingress " + node));
  }
  book_.Wanted(node);
  StartWorker(workers_.find(node)->second, std::move(done));
}

bool HarnessWorld::Runs(const WorkerNode& node) const {
  return node.worker != nullptr && node.worker->process().alive();
}

void HarnessWorld::StartServer(ServerNode& node, std::optional<bool> keep_data,
                               scenarios::Done done) {
  auto started = [this, &node, done = std::move(done)](const Status& status) {
    if (status.ok()) {
      const std::string version = node.server->version();  // a given one's is "server 1.32.0"
      versions_[servers_.size() == 1 ? "server" : "server " + node.spec->name] =
          version.starts_with("server ") ? version.substr(7) : version;
      // Somebody else's has no process here; that it serves is seen all the same.
      if (!node.server->owned()) {
        journal::ProcessEvent ready;
        ready.what = "ready";
        ready.process = node.spec->name;
        ready.role = "server";
        ready.detail = "given by its address, " + node.server->address();
        journal_.Append("runner", std::move(ready));
      }
      ObservePollers();
    }
    done(AsInfrastructure(status, "server " + node.spec->name));
  };
  if (node.started)
    return node.server->StartAgain(keep_data.value_or(node.spec->keep_data), std::move(started));
  node.started = true;
  node.server->Start(std::move(started));
}

Status HarnessWorld::StartIngress(IngressNode& node) {
  if (node.ingress != nullptr) return absl::OkStatus();
  IngressUnderTestOptions options;
  options.name = node.spec->name;
  SQUALL_ASSIGN_OR_RETURN(const HostPort upstream, AddressOf(node.spec->to));
  options.upstream = upstream.ToString();
  options.transport = node.spec->http1 ? "http1" : "http2";
  if (node.spec->http1) options.alpn = {"http/1.1"};
  options.internal = node.spec->internal;
  options.idle_timeout = node.spec->idle_timeout;
  options.pool = static_cast<std::size_t>(node.spec->pool);
  options.recycle_after = static_cast<std::uint64_t>(node.spec->recycle_after);
  options.recycle_age = node.spec->recycle_age;
  if (certificates_) options.certificates = &*certificates_;
  options.identity = node.spec->tls == TlsMode::kNone ? "" : node.spec->certificate;
  options.require_client_certificate = node.spec->tls == TlsMode::kMutual;
  SQUALL_ASSIGN_OR_RETURN(node.ingress,
                          IngressUnderTest::Start(executor_, journal_, std::move(options)));
  SQUALL_ASSIGN_OR_RETURN(const HostPort address, ParseHostPort(node.ingress->address()));
  for (auto& [name, link] : links_) {
    if (link.proxy != nullptr && link.spec->to == node.spec->name) link.SetUpstream(address);
  }
  return absl::OkStatus();
}

StatusOr<WorkerOptions> HarnessWorld::OptionsOf(WorkerNode& node) {
  const WorkerSpec& spec = *node.spec;
  WorkerOptions options;
  options.name = spec.name;
  options.kind = KindOf(spec.kind);
  SQUALL_ASSIGN_OR_RETURN(HostPort address, AddressOf(spec.connect.to));
  options.ns = spec.ns;
  options.task_queue = spec.task_queue + tag_;
  options.api_key = spec.connect.api_key;
  const scenarios::ServerSpec* server = topology_.ServerBehind(spec.connect.to);
  const bool external = options_.external && server != nullptr && ingresses_.empty();
  if (external && options_.external->tls) {
    options.tls = true;
    options.ca_file = options_.external->ca_file;
    options.client_certificate_file = options_.external->certificate_file;
    options.client_key_file = options_.external->key_file;
    options.server_name = options_.external->server_name;
    if (const char* key = std::getenv(options_.external->api_key_variable.c_str()))
      options.api_key = key;
  } else {
    SQUALL_RETURN_IF_ERROR(ApplyTls(PlanTls(topology_, spec.connect), files_, &options));
  }
  ApplySurroundings(spec.connect.to, &address, &options);
  options.address = address.ToString();
  switch (spec.kind) {
    case WorkerSpec::Kind::kCore:
      options.command = {"--grace", Seconds(spec.grace) + "s"};
      break;
    case WorkerSpec::Kind::kHost:
      options.command = {"--kind", spec.host, "--grace", Seconds(spec.grace) + "s"};
      break;
    case WorkerSpec::Kind::kPython:
      options.command = {SourceDirectory() + "/harness/subjects/python/worker.py", "--grace",
                         Seconds(spec.grace)};
      break;
    case WorkerSpec::Kind::kCommand:
      options.command = spec.command;
      break;
  }
  options.command.insert(options.command.end(), spec.args.begin(), spec.args.end());
  for (const auto& [name, value] : spec.env) {
    options.environment[name] = value.empty() ? std::nullopt : std::optional<std::string>(value);
  }
  options.values["host"] = address.host;
  options.values["grace"] = Seconds(spec.grace);
  options.values["bin"] = std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
  options.values["source"] = SourceDirectory();
  options.values["typescript"] = TypeScriptDirectory();
  if (const auto python = FindPython(); python.ok()) options.values["python"] = *python;
  if (NamesPort(spec)) {
    if (node.port.port() == 0) {
      SQUALL_ASSIGN_OR_RETURN(node.port, PortLease::Take());
    }
    options.values["port"] = std::to_string(node.port.port());
  }
  options.ready_word.clear();
  options.stop_grace = spec.grace + kStopSlack;
  options.work_directory = options_.work_directory;
  options.on_exit = [this, alive = alive_, &node](const ProcessExit& exit) {
    if (*alive) book_.Ended(node.spec->name, exit.reason);
  };
  return options;
}

// Where the worker runs and what it calls the link, where a fault needs that.
void HarnessWorld::ApplySurroundings(const std::string& node, HostPort* address,
                                     WorkerOptions* options) const {
  const auto link = links_.find(node);
  if (link == links_.end()) return;
  if (link->second.wire) options->launcher = link->second.wire->Launcher();
  if (link->second.named) address->host = DnsNameOf(node);
  // Certificates are for this machine's own name and address.
  if ((link->second.wire || link->second.named) && options->tls && options->server_name.empty())
    options->server_name = "localhost";
}

Status HarnessWorld::MakeWorker(WorkerNode& node) {
  if (node.worker != nullptr) return absl::OkStatus();
  SQUALL_ASSIGN_OR_RETURN(WorkerOptions options, OptionsOf(node));
  SQUALL_ASSIGN_OR_RETURN(node.worker,
                          WorkerUnderTest::Create(executor_, journal_, std::move(options)));
  if (!node.spec->health.empty()) {
    node.probe =
        std::make_unique<HealthProbe>(executor_, journal_, node.spec->name,
                                      HostPort{"127.0.0.1", node.port.port()}, node.spec->health);
  }
  return absl::OkStatus();
}

void HarnessWorld::StartWorker(WorkerNode& node, scenarios::Done done) {
  const Status made = MakeWorker(node);
  if (!made.ok())
    return Later(std::move(done), AsInfrastructure(made, "worker " + node.spec->name));
  if (Runs(node)) return Later(std::move(done), absl::OkStatus());
  book_.Starting(node.spec->name);
  node.worker->Start([this, &node, done = std::move(done)](const Status& status) {
    // Ready means started here; dying right after it is what the checks look at.
    const bool no_program =
        status.code() == StatusCode::kNotFound || status.code() == StatusCode::kInvalidArgument;
    done(no_program ? AsInfrastructure(status, "worker " + node.spec->name) : absl::OkStatus());
  });
}

void HarnessWorld::Stop(const std::string& name, const std::string& signal, scenarios::Done done) {
  if (const auto server = servers_.find(name); server != servers_.end()) {
    if (!server->second.server->running()) return Later(std::move(done), absl::OkStatus());
    return server->second.server->Stop(Intent::kAsked,
                                       [name, done = std::move(done)](const Status& status) {
                                         done(AsInfrastructure(status, "server " + name));
                                       });
  }
  if (const auto ingress = ingresses_.find(name); ingress != ingresses_.end()) {
    ingress->second.ingress.reset();
    for (auto& [link_name, link] : links_) {
      if (link.proxy != nullptr && link.spec->to == name) {
        link.SetUpstream({"127.0.0.1", link.closed.port()});
        link.proxy->CloseConnections(CutWith::kFin);
      }
    }
    return Later(std::move(done), absl::OkStatus());
  }
  WorkerNode& node = workers_.find(name)->second;
  book_.Unwanted(name);
  if (!Runs(node)) return Later(std::move(done), absl::OkStatus());
  const int number = signal == "INT" ? SIGINT : SIGTERM;
  node.worker->process().StopWith(
      number, node.spec->grace + kStopSlack, Intent::kAsked,
      [done = std::move(done)](const ProcessExit&) { done(absl::OkStatus()); });
}

void HarnessWorld::Kill(const std::string& name, scenarios::Done done) {
  if (const auto server = servers_.find(name); server != servers_.end()) {
    return server->second.server->Kill(Intent::kInjected, std::move(done));
  }
  WorkerNode& node = workers_.find(name)->second;
  if (!Runs(node)) return Later(std::move(done), scenarios::WorkerIsNotRunning(name));
  node.worker->Kill(Intent::kInjected,
                    [done = std::move(done)](const ProcessExit&) { done(absl::OkStatus()); });
}

void HarnessWorld::Restart(const scenarios::RestartRequest& request, scenarios::Done done) {
  auto start_again = [this, alive = alive_, request, done](const Status& status) {
    if (!*alive) return;
    if (!status.ok()) return done(status);
    executor_.After(request.down_for, [this, alive, request, done] {
      if (!*alive) return;
      const auto server = servers_.find(request.node);
      if (server != servers_.end()) return StartServer(server->second, request.keep_data, done);
      Start(request.node, done);
    });
  };
  // What has ended by itself is only started.
  const auto worker = workers_.find(request.node);
  const bool running = worker == workers_.end() || Runs(worker->second);
  if (request.kill && running && !ingresses_.contains(request.node))
    return Kill(request.node, std::move(start_again));
  Stop(request.node, "TERM", std::move(start_again));
}

void HarnessWorld::Pause(const std::string& name, scenarios::Done done) {
  if (const auto server = servers_.find(name); server != servers_.end()) {
    return Later(std::move(done), server->second.server->Pause(Intent::kInjected));
  }
  WorkerNode& node = workers_.find(name)->second;
  if (node.worker == nullptr) return Later(std::move(done), scenarios::WorkerIsNotRunning(name));
  Later(std::move(done), node.worker->Pause(Intent::kInjected));
}

void HarnessWorld::Resume(const std::string& name, scenarios::Done done) {
  if (const auto server = servers_.find(name); server != servers_.end()) {
    return Later(std::move(done), server->second.server->Resume(Intent::kInjected));
  }
  WorkerNode& node = workers_.find(name)->second;
  if (node.worker == nullptr) return Later(std::move(done), scenarios::WorkerIsNotRunning(name));
  Later(std::move(done), node.worker->Resume(Intent::kInjected));
}

void HarnessWorld::Signal(const std::string& name, int number, scenarios::Done done) {
  WorkerNode& node = workers_.find(name)->second;
  if (node.worker == nullptr) return Later(std::move(done), scenarios::WorkerIsNotRunning(name));
  Later(std::move(done), node.worker->Signal(number, Intent::kAsked));
}

// --- health ---

void HarnessWorld::WaitHealthy(const std::string& worker, scenarios::Done done) {
  book_.WaitHealthy(worker, std::move(done));
}

void HarnessWorld::OnEvent(const journal::Event& event) { book_.OnEvent(event); }

// The fake server tells who polls; of any other it is asked, queue by queue.
void HarnessWorld::ObservePollers() {
  if (options_.kind != WorldKind::kReal || !observers_.empty()) return;
  std::set<std::tuple<std::string, std::string, std::string>> queues;
  for (const WorkerSpec& worker : topology_.workers) {
    const ServerSpec* server = topology_.ServerBehind(worker.connect.to);
    queues.emplace((server != nullptr ? *server : topology_.servers.front()).name, worker.ns,
                   worker.task_queue + tag_);
  }
  for (const scenarios::Step& step : subject_.steps) {
    if (const auto* workflow = std::get_if<scenarios::WorkflowStep>(&step.action)) {
      queues.emplace(topology_.servers.front().name, workflow->ns, workflow->task_queue + tag_);
    }
  }
  for (const auto& [server, ns, queue] : queues) {
    observers_.push_back(std::make_unique<PollerObserver>(
        executor_, journal_, *servers_.find(server)->second.server, ns, queue));
  }
}

void HarnessWorld::CancelWaits() {
  book_.CancelWaits();
  // Workflows stay observed: how they end after all belongs into the journal. The machine ignores
  // what comes late.
}

// --- clean up ---

void HarnessWorld::CleanUp(scenarios::Done done) {
  book_.Close();
  observers_.clear();
  for (auto& [name, node] : workers_) node.probe.reset();
  clients_.clear();
  StopWorkers([this, done = std::move(done)](const Status&) {
    links_.clear();
    ingresses_.clear();
    StopServers(done);
  });
}

// All at once; each is given a moment to go by itself.
void HarnessWorld::StopWorkers(scenarios::Done done) {
  auto left = std::make_shared<std::size_t>(1);
  auto one_less = [this, alive = alive_, left, done = std::move(done)] {
    if (--*left == 0 && *alive) Later(done, absl::OkStatus());
  };
  for (auto& [name, node] : workers_) {
    if (!Runs(node)) continue;
    ++*left;
    node.worker->process().StopWith(SIGTERM, kCleanUpGrace, Intent::kAsked,
                                    [one_less](const ProcessExit&) { one_less(); });
  }
  one_less();
}

void HarnessWorld::StopServers(scenarios::Done done) {
  for (auto& [name, node] : servers_) {
    if (node.server == nullptr || !node.server->owned() || !node.server->running()) continue;
    return node.server->Kill(Intent::kAsked, [this, alive = alive_, &stopped = node,
                                              done = std::move(done)](const Status& status) {
      if (!*alive) return;
      stopped.server.reset();
      if (!status.ok()) return done(AsInfrastructure(status, "stop server " + stopped.spec->name));
      StopServers(done);
    });
  }
  Later(std::move(done), absl::OkStatus());
}

}  // namespace squall::harness
