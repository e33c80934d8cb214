#include "harness/net/grpc_proxy.h"

#include <algorithm>
#include <utility>

#include "base/util/rng.h"
#include "harness/net/grpc_proxy_connection.h"
#include "harness/net/proxy_door.h"

namespace squall::harness {
namespace {

struct ActiveTlsMode {
  std::string id;
  wire::TlsFault fault;
  wire::TlsListener listener;
  std::shared_ptr<wire::TlsContext> context;  // null: plaintext
};

}  // namespace

struct GrpcProxy::Impl final : std::enable_shared_from_this<GrpcProxy::Impl>,
                               GrpcProxyConnection::Owner,
                               ProxyDoor::Visitors {
  Impl(AsioExecutor& the_executor, journal::Sink& the_journal, GrpcProxyOptions the_options)
      : executor(the_executor),
        journal(the_journal),
        options(std::move(the_options)),
        source("proxy:" + options.link),
        door(executor, {"127.0.0.1", 0}, *this),
        rng(Rng(options.seed).Split(options.link)),
        script({.seed = options.seed,
                .tools = options.tools,
                .repeats_requests = true,
                .on_hit = [this](const wire::Hit& hit) { OnHit(hit); }}) {}

  Status Listen() {
    if (options.downstream_tls) {
      SQUALL_ASSIGN_OR_RETURN(downstream, wire::TlsContext::Server(*options.downstream_tls));
    }
    if (options.upstream_tls) {
      SQUALL_ASSIGN_OR_RETURN(upstream, wire::TlsContext::Client(*options.upstream_tls));
    }
    return Annotate(door.Set(ProxyDoor::State::kOpen), "link " + options.link);
  }

  void OnListening(const std::string&) override { OnEvent({.what = "listening"}); }

  void OnAccepted(ProxyDoor::Socket socket, const std::string& peer) override {
    const std::uint64_t number = ++counters.attempts;
    OnEvent({.what = "attempt", .connection = number, .peer = peer});
    GrpcProxyWire how{
        .downstream = downstream, .upstream = upstream, .listener = {}, .tls_fault = {}};
    if (!modes.empty()) {
      const ActiveTlsMode& mode = modes.back();
      how.downstream = mode.context;
      how.listener = mode.listener;
      how.tls_fault = mode.id;
    }
    auto connection = std::make_shared<GrpcProxyConnection>(executor, *this, std::move(socket),
                                                            number, peer, std::move(how));
    connections.emplace(number, connection);
    connection->Start(options.relay, script, options.upstream, options.connect_timeout);
  }

  // --- Faults

  Status SetTlsMode(std::string id, wire::TlsFault fault, bool keep) {
    if (options.certificates == nullptr) {
      return MakeStatus(StatusCode::kFailedPrecondition,
                        "link {}: there are no certificates to make a TLS fault of", options.link);
    }
    for (const ActiveTlsMode& mode : modes) {
      if (mode.id != id) continue;
      return MakeStatus(StatusCode::kAlreadyExists, "link {}: fault {} is active", options.link,
                        id);
    }
    ActiveTlsMode mode{.id = std::move(id), .fault = fault, .listener = {}, .context = nullptr};
    mode.listener = wire::ListenerIn(fault, options.downstream_tls, *options.certificates,
                                     executor.clock().WallNow(), rng);
    if (mode.listener.tls) {
      SQUALL_ASSIGN_OR_RETURN(mode.context, wire::TlsContext::Server(*mode.listener.tls));
    }
    hits.emplace(mode.id, 0);
    const std::string decided = mode.id;
    modes.push_back(std::move(mode));
    if (!keep) End(CutWith::kReset, decided);
    return absl::OkStatus();
  }

  void RemoveTlsMode(std::string_view id) {
    if (std::erase_if(modes, [&](const ActiveTlsMode& mode) { return mode.id == id; }) == 0) return;
    for (const auto& connection : Snapshot()) {
      if (connection->tls_fault() == id) connection->End(CutWith::kReset, id);
    }
  }

  void End(CutWith how, std::string_view id) {
    for (const auto& connection : Snapshot()) connection->End(how, id);
  }

  // Connections come and go while they are told something.
  std::vector<std::shared_ptr<GrpcProxyConnection>> Snapshot() const {
    std::vector<std::shared_ptr<GrpcProxyConnection>> all;
    for (const auto& [number, connection] : connections) all.push_back(connection);
    return all;
  }

  // The script's next timer, on ours.
  void OnScriptMoved() override {
    const auto next = script.NextDeadline();
    if (next == armed) return;
    armed = next;
    executor.Cancel(std::exchange(script_timer, 0));
    if (!next) return;
    script_timer = executor.At(*next, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->script_timer = 0;
      self->armed.reset();
      self->script.Advance(self->executor.clock().Now());
      self->OnScriptMoved();
    });
  }

  void ShutDown() {
    door.ShutDown();
    executor.Cancel(script_timer);
    for (const auto& connection : Snapshot()) connection->Abandon();
    connections.clear();
  }

  // --- Owner's side

  void TellHit(const std::string& id, std::string_view fault, std::string detail) {
    journal.Append(source, journal::FaultEvent{.what = "hit",
                                               .fault_id = id,
                                               .fault = std::string(fault),
                                               .target = options.link,
                                               .detail = std::move(detail)});
  }

  void OnHit(const wire::Hit& hit) {
    ++hits[hit.fault_id];
    std::string detail = fmt::format("connection {}", hit.place.connection);
    if (hit.stream != 0) {
      detail = fmt::format("{} on {}, stream {}", hit.facts.method, detail, hit.stream);
    }
    TellHit(hit.fault_id, hit.effect, std::move(detail));
  }

  void OnTlsHit(const std::string& fault_id, std::uint64_t connection) override {
    if (hits[fault_id]++ > 0) return;
    std::string_view name;
    for (const ActiveTlsMode& mode : modes) {
      if (mode.id != fault_id) continue;
      for (const wire::TlsMode& known : wire::TlsModes()) {
        if (known.fault == mode.fault) name = known.name;
      }
    }
    TellHit(fault_id, fmt::format("tls {}", name), fmt::format("connection {}", connection));
  }

  void OnEvent(journal::ConnectionEvent event) override {
    if (!options.connection_events) return;
    event.link = options.link;
    event.local = door.where().ToString();
    journal.Append(source, std::move(event));
  }

  void OnEstablished() override { ++counters.established; }
  void OnFailed() override { ++counters.failed; }
  void OnEnded(std::uint64_t connection) override { connections.erase(connection); }

  AsioExecutor& executor;
  journal::Sink& journal;
  GrpcProxyOptions options;
  const std::string source;
  ProxyDoor door;
  Rng rng;
  wire::MisbehaviourScript script;  // before the connections, which leave it when they end
  std::shared_ptr<wire::TlsContext> downstream, upstream;
  std::vector<ActiveTlsMode> modes;  // in the order they were set
  std::map<std::string, std::uint64_t, std::less<>> hits;
  std::map<std::uint64_t, std::shared_ptr<GrpcProxyConnection>> connections;
  GrpcProxyCounters counters;
  TimerId script_timer = 0;
  std::optional<SteadyTime> armed;
};

StatusOr<std::unique_ptr<GrpcProxy>> GrpcProxy::Create(AsioExecutor& executor,
                                                       journal::Sink& journal,
                                                       GrpcProxyOptions options) {
  auto impl = std::make_shared<Impl>(executor, journal, std::move(options));
  std::unique_ptr<GrpcProxy> proxy(new GrpcProxy(impl));
  SQUALL_RETURN_IF_ERROR(impl->Listen());
  return proxy;
}

GrpcProxy::GrpcProxy(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcProxy::~GrpcProxy() { impl_->ShutDown(); }

const std::string& GrpcProxy::link() const { return impl_->options.link; }
std::uint16_t GrpcProxy::port() const { return impl_->door.where().port; }
std::string GrpcProxy::address() const { return "127.0.0.1:" + std::to_string(port()); }
void GrpcProxy::SetUpstream(HostPort upstream) { impl_->options.upstream = std::move(upstream); }

StatusOr<std::vector<std::string>> GrpcProxy::SetRules(std::vector<wire::Rule> rules) {
  auto ids = impl_->script.Set(impl_->executor.clock().Now(), std::move(rules));
  impl_->OnScriptMoved();
  return ids;
}

bool GrpcProxy::LiftRule(std::string_view id) {
  const bool lifted = impl_->script.Lift(impl_->executor.clock().Now(), id);
  impl_->OnScriptMoved();
  return lifted;
}

std::size_t GrpcProxy::Release(std::string_view gate) {
  return impl_->script.Release(impl_->executor.clock().Now(), gate);
}

std::vector<wire::RuleState> GrpcProxy::rules() const { return impl_->script.List(); }

Status GrpcProxy::SetTlsMode(std::string fault_id, wire::TlsFault mode, bool keep_connections) {
  return impl_->SetTlsMode(std::move(fault_id), mode, keep_connections);
}
void GrpcProxy::RemoveTlsMode(std::string_view fault_id) { impl_->RemoveTlsMode(fault_id); }

std::uint64_t GrpcProxy::hits(std::string_view fault_id) const {
  const auto it = impl_->hits.find(fault_id);
  return it == impl_->hits.end() ? 0 : it->second;
}

void GrpcProxy::CloseConnections(CutWith how, std::string_view fault_id) {
  impl_->End(how, fault_id);
}

GrpcProxyCounters GrpcProxy::counters() const {
  GrpcProxyCounters counters = impl_->counters;
  counters.open = impl_->connections.size();
  return counters;
}

}  // namespace squall::harness
