#include "harness/net/tcp_proxy.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "harness/net/proxy_connection.h"

namespace squall::harness {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kBacklog = 4096;
// After an accept that failed (too many open files): what is pending stays pending.
constexpr Duration kAcceptPause = std::chrono::milliseconds(50);

// What the door does.
enum class Door { kClosed, kOpen, kIgnoring, kFull };

bool IsDoorFault(NetFaultKind kind) {
  return kind == NetFaultKind::kRefuse || kind == NetFaultKind::kNeverAccept;
}

Existing DefaultExisting(NetFaultKind kind) {
  return kind == NetFaultKind::kRefuse || kind == NetFaultKind::kReset ? Existing::kReset
                                                                       : Existing::kStall;
}

Status Validate(const NetFault& fault) {
  const auto bad = [&](std::string_view why) {
    return MakeStatus(StatusCode::kInvalidArgument, "fault {} ({}): {}", fault.id,
                      NetFaultName(fault.kind), why);
  };
  if (fault.id.empty()) return bad("it has no id");
  if (fault.latency < Duration::zero() || fault.jitter < Duration::zero())
    return bad("a time is negative");
  if (fault.kind == NetFaultKind::kBandwidth && fault.bytes_per_second == 0)
    return bad("bytes per second must be above 0");
  if (!(fault.probability >= 0 && fault.probability <= 1))
    return bad("a probability lies between 0 and 1");
  if (IsDoorFault(fault.kind) && (fault.first_connections != 0 || fault.probability != 1)) {
    return bad("it cannot choose connections: the kernel answers them");
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view NetFaultName(NetFaultKind kind) {
  switch (kind) {
    case NetFaultKind::kRefuse:
      return "refuse";
    case NetFaultKind::kReset:
      return "reset";
    case NetFaultKind::kBlackhole:
      return "blackhole";
    case NetFaultKind::kNeverAccept:
      return "never_accept";
    case NetFaultKind::kStall:
      return "stall";
    case NetFaultKind::kLatency:
      return "latency";
    case NetFaultKind::kBandwidth:
      return "bandwidth";
    case NetFaultKind::kCut:
      return "cut";
    case NetFaultKind::kSlowClose:
      return "slow_close";
  }
  return "?";
}

struct TcpProxy::Impl final : std::enable_shared_from_this<TcpProxy::Impl>, ProxyConnection::Owner {
  Impl(AsioExecutor& the_executor, journal::Sink& the_journal, ProxyOptions the_options,
       PortLease the_lease)
      : executor(the_executor),
        journal(the_journal),
        options(std::move(the_options)),
        source("proxy:" + options.link),
        lease(std::move(the_lease)),
        acceptor(executor.io()) {}

  // -------------------------------------------------------------------------------------------------------------
  // the door

  Door WantedDoor() const {
    for (auto it = faults.rbegin(); it != faults.rend(); ++it) {
      const NetFault& fault = (*it)->spec;
      if (fault.kind == NetFaultKind::kRefuse) return Door::kClosed;
      if (fault.kind == NetFaultKind::kNeverAccept)
        return fault.backlog_full ? Door::kFull : Door::kIgnoring;
      if (!IsStreamFault(fault.kind)) return Door::kOpen;
    }
    return options.open ? Door::kOpen : Door::kClosed;
  }

  Status UpdateDoor() {
    const Door wanted = WantedDoor();
    if (wanted == door) return absl::OkStatus();
    error_code error;
    if (wanted == Door::kClosed) {
      // The kernel resets what was in the backlog.
      acceptor.close(error);
    } else {
      if (!acceptor.is_open()) SQUALL_RETURN_IF_ERROR(Listen());
      acceptor.cancel(error);
      // Calling listen again changes the length of the backlog.
      if (door == Door::kFull) ::listen(acceptor.native_handle(), kBacklog);
      if (wanted == Door::kFull) FillBacklog();
    }
    if (wanted != Door::kFull) EmptyBacklog();
    door = wanted;
    if (door == Door::kOpen) Accept();
    return absl::OkStatus();
  }

  Status Listen() {
    error_code error;
    const auto failed = [&](std::string_view what) {
      const Status status = MakeStatus(StatusCode::kUnavailable, "link {}: {} 127.0.0.1:{}: {}",
                                       options.link, what, lease.port(), error.message());
      error_code ignored;
      acceptor.close(ignored);
      return status;
    };
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), lease.port());
    acceptor.open(endpoint.protocol(), error);
    if (error) return failed("open");
    acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (error) return failed("share");
    acceptor.bind(endpoint, error);
    if (error) return failed("bind");
    acceptor.listen(kBacklog, error);
    if (error) return failed("listen on");
    journal.Append(source, journal::ConnectionEvent{.what = "listening",
                                                    .link = options.link,
                                                    .local = endpoint.address().to_string() + ":" +
                                                             std::to_string(lease.port())});
    return absl::OkStatus();
  }

  // With a backlog of 0 Linux keeps one connection waiting and drops the SYNs of all others. The
  // one is ours.
  void FillBacklog() {
    ::listen(acceptor.native_handle(), 0);
    filler = std::make_shared<tcp::socket>(executor.io());
    error_code error;
    filler->open(tcp::v4(), error);
    filler->bind({asio::ip::address_v4::loopback(), 0}, error);
    if (!error) filler_ports.insert(filler->local_endpoint(error).port());
    filler->async_connect({asio::ip::address_v4::loopback(), lease.port()},
                          [keep = filler](const error_code&) {});
  }

  void EmptyBacklog() {
    if (!filler) return;
    error_code ignored;
    filler->close(ignored);
    filler.reset();
  }

  void Accept() {
    acceptor.async_accept([weak = weak_from_this()](const error_code& error, tcp::socket socket) {
      const auto self = weak.lock();
      if (!self || error == asio::error::operation_aborted) return;
      if (error) {
        self->accept_timer = self->executor.After(kAcceptPause, [weak] {
          const auto again = weak.lock();
          if (again && again->door == Door::kOpen) again->Accept();
        });
        return;
      }
      self->OnAccepted(std::move(socket));
      if (self->door == Door::kOpen) self->Accept();
    });
  }

  void OnAccepted(tcp::socket socket) {
    error_code error;
    const tcp::endpoint peer = socket.remote_endpoint(error);
    if (!error && filler_ports.erase(peer.port()) > 0) return;
    const std::uint64_t number = ++counters.attempts;
    const std::string peer_text =
        error ? "" : peer.address().to_string() + ":" + std::to_string(peer.port());
    OnEvent({.what = "attempt", .connection = number, .peer = peer_text});
    auto connection =
        std::make_shared<ProxyConnection>(executor, *this, std::move(socket), number, peer_text);
    connections.emplace(number, connection);
    for (const auto& fault : faults) {
      if (IsStreamFault(fault->spec.kind) && Chooses(*fault)) connection->Attach(fault);
    }
    for (auto it = faults.rbegin(); it != faults.rend(); ++it) {
      const auto& fault = *it;
      if (IsStreamFault(fault->spec.kind)) continue;
      switch (fault->spec.kind) {
        case NetFaultKind::kBlackhole:
          if (!Chooses(*fault)) continue;
          connection->Hold(fault);
          return;
        case NetFaultKind::kNeverAccept:  // it was accepted just before the door shut
          connection->Hold(fault);
          return;
        case NetFaultKind::kReset:
          if (!Chooses(*fault)) continue;
          connection->Refuse(*fault);
          return;
        default:  // kRefuse, likewise
          connection->Refuse(*fault);
          return;
      }
    }
    connection->Connect(options.upstream, options.connect_timeout);
  }

  static bool Chooses(ActiveFault& fault) {
    if (fault.spec.first_connections != 0 && fault.connections >= fault.spec.first_connections)
      return false;
    if (fault.spec.probability < 1 && !fault.rng.Chance(fault.spec.probability)) return false;
    ++fault.connections;
    return true;
  }

  // --------------------------------------------------------------------------------------------------------------
  // faults

  Status Set(NetFault spec) {
    SQUALL_RETURN_IF_ERROR(Validate(spec));
    for (const auto& fault : faults) {
      if (fault->spec.id == spec.id) {
        return MakeStatus(StatusCode::kAlreadyExists, "link {}: fault {} is active", options.link,
                          spec.id);
      }
    }
    const Rng rng = Rng(options.seed).Split(options.link).Split(spec.id);
    const auto fault =
        std::make_shared<ActiveFault>(ActiveFault{.spec = std::move(spec), .rng = rng});
    faults.push_back(fault);
    hits.emplace(fault->spec.id, 0);
    if (const Status status = UpdateDoor(); !status.ok()) {
      faults.pop_back();
      return status;
    }
    ActOnOpen(fault);
    return absl::OkStatus();
  }

  void ActOnOpen(const std::shared_ptr<ActiveFault>& fault) {
    const NetFault& spec = fault->spec;
    for (const auto& connection : Snapshot()) {
      if (IsStreamFault(spec.kind)) {
        if (spec.on_existing && spec.first_connections == 0 && Chooses(*fault))
          connection->Attach(fault);
        continue;
      }
      switch (spec.existing.value_or(DefaultExisting(spec.kind))) {
        case Existing::kKeep:
          break;
        case Existing::kStall:
          connection->Attach(fault);
          break;
        case Existing::kClose:
        case Existing::kReset:
          OnHit(*fault, connection->number());
          connection->End(spec.existing == Existing::kClose ? CutWith::kFin : CutWith::kReset,
                          spec.id);
          break;
      }
    }
  }

  Status Remove(std::string_view fault_id) {
    const auto it = std::find_if(faults.begin(), faults.end(),
                                 [&](const auto& fault) { return fault->spec.id == fault_id; });
    if (it == faults.end()) return absl::OkStatus();
    const std::shared_ptr<ActiveFault> fault = *it;
    faults.erase(it);
    const Status status = UpdateDoor();
    for (const auto& connection : Snapshot()) {
      connection->Detach(fault_id);
      if (connection->HeldBy(fault_id))
        connection->Release(options.upstream, options.connect_timeout);
    }
    return status;
  }

  // Connections come and go while they are told something.
  std::vector<std::shared_ptr<ProxyConnection>> Snapshot() const {
    std::vector<std::shared_ptr<ProxyConnection>> all;
    for (const auto& [number, connection] : connections) all.push_back(connection);
    return all;
  }

  void ShutDown() {
    error_code ignored;
    acceptor.close(ignored);
    EmptyBacklog();
    executor.Cancel(accept_timer);
    for (const auto& connection : Snapshot()) connection->Abandon();
    connections.clear();
  }

  // --------------------------------------------------------------------------------------------------------
  // Owner's side

  void OnHit(const ActiveFault& fault, std::uint64_t connection) override {
    if (hits[fault.spec.id]++ > 0) return;
    journal.Append(source,
                   journal::FaultEvent{.what = "hit",
                                       .fault_id = fault.spec.id,
                                       .fault = std::string(NetFaultName(fault.spec.kind)),
                                       .target = options.link,
                                       .detail = "connection " + std::to_string(connection)});
  }

  void OnEvent(journal::ConnectionEvent event) override {
    event.link = options.link;
    event.local = "127.0.0.1:" + std::to_string(lease.port());
    journal.Append(source, std::move(event));
  }

  void OnDelivered(bool up, std::size_t bytes) override {
    (up ? counters.bytes_up : counters.bytes_down) += bytes;
  }
  void OnEstablished() override { ++counters.established; }
  void OnConnectFailed() override { ++counters.failed; }

  void OnEnded(std::uint64_t connection, bool reset_by_proxy) override {
    if (reset_by_proxy) ++counters.reset;
    connections.erase(connection);
  }

  AsioExecutor& executor;
  journal::Sink& journal;
  ProxyOptions options;
  const std::string source;
  PortLease lease;
  tcp::acceptor acceptor;
  Door door = Door::kClosed;
  TimerId accept_timer = 0;
  std::shared_ptr<tcp::socket> filler;
  std::set<std::uint16_t> filler_ports;
  std::vector<std::shared_ptr<ActiveFault>> faults;  // in the order they were set
  std::map<std::string, std::uint64_t, std::less<>> hits;
  std::map<std::uint64_t, std::shared_ptr<ProxyConnection>> connections;
  ProxyCounters counters;
};

StatusOr<std::unique_ptr<TcpProxy>> TcpProxy::Create(AsioExecutor& executor, journal::Sink& journal,
                                                     ProxyOptions options) {
  SQUALL_ASSIGN_OR_RETURN(PortLease lease, PortLease::Take());
  auto impl = std::make_shared<Impl>(executor, journal, std::move(options), std::move(lease));
  std::unique_ptr<TcpProxy> proxy(new TcpProxy(impl));
  SQUALL_RETURN_IF_ERROR(impl->UpdateDoor());
  return proxy;
}

TcpProxy::TcpProxy(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
TcpProxy::~TcpProxy() { impl_->ShutDown(); }

const std::string& TcpProxy::link() const { return impl_->options.link; }
std::uint16_t TcpProxy::port() const { return impl_->lease.port(); }
std::string TcpProxy::address() const { return "127.0.0.1:" + std::to_string(port()); }
HostPort TcpProxy::upstream() const { return impl_->options.upstream; }
void TcpProxy::SetUpstream(HostPort upstream) { impl_->options.upstream = std::move(upstream); }

Status TcpProxy::SetOpen(bool open) {
  impl_->options.open = open;
  return impl_->UpdateDoor();
}

Status TcpProxy::Set(NetFault fault) { return impl_->Set(std::move(fault)); }
Status TcpProxy::Remove(std::string_view fault_id) { return impl_->Remove(fault_id); }

Status TcpProxy::RemoveAll() {
  Status worst = absl::OkStatus();
  for (const std::string& id : active()) worst.Update(Remove(id));
  return worst;
}

std::vector<std::string> TcpProxy::active() const {
  std::vector<std::string> ids;
  for (const auto& fault : impl_->faults) ids.push_back(fault->spec.id);
  return ids;
}

std::uint64_t TcpProxy::hits(std::string_view fault_id) const {
  const auto it = impl_->hits.find(fault_id);
  return it == impl_->hits.end() ? 0 : it->second;
}

void TcpProxy::CloseConnections(CutWith how, std::string_view fault_id) {
  for (const auto& connection : impl_->Snapshot()) connection->End(how, fault_id);
}

ProxyCounters TcpProxy::counters() const {
  ProxyCounters counters = impl_->counters;
  counters.open = impl_->connections.size();
  return counters;
}

}  // namespace squall::harness
