#include "harness/net/tcp_proxy.h"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <map>
#include <optional>
#include <utility>

#include "harness/net/proxy_connection.h"
#include "harness/net/proxy_door.h"

namespace squall::harness {

struct TcpProxy::Impl final : ProxyConnection::Owner, ProxyDoor::Visitors {
  Impl(AsioExecutor& the_executor, journal::Sink& the_journal, ProxyOptions the_options)
      : executor(the_executor),
        journal(the_journal),
        options(std::move(the_options)),
        source("proxy:" + options.link),
        door(executor, options.listen, *this) {}

  // -----------------------------------------------------------------------------------------------
  // the door

  ProxyDoor::State WantedDoor() const {
    if (!options.open && !options.keep_port) return ProxyDoor::State::kClosed;
    for (auto it = faults.rbegin(); it != faults.rend(); ++it) {
      const NetFault& fault = (*it)->spec;
      if (fault.kind == NetFaultKind::kRefuse) return ProxyDoor::State::kClosed;
      if (fault.kind == NetFaultKind::kNeverAccept)
        return fault.backlog_full ? ProxyDoor::State::kFull : ProxyDoor::State::kIgnoring;
      if (!IsStreamFault(fault.kind)) return ProxyDoor::State::kOpen;
    }
    return options.open ? ProxyDoor::State::kOpen : ProxyDoor::State::kClosed;
  }

  Status UpdateDoor() { return Annotate(door.Set(WantedDoor()), "link " + options.link); }

  Status SetOpen(bool open) {
    const bool before = std::exchange(options.open, open);
    Status status = absl::OkStatus();
    // Also behind a fault that keeps the door shut: the port is ours from now on.
    if (open) status = Annotate(door.TakePort(), "link " + options.link);
    if (status.ok()) status = UpdateDoor();
    if (!status.ok()) options.open = before;
    if (!options.open && !options.keep_port) door.GivePortUp();
    return status;
  }

  void OnListening(const std::string& address) override {
    journal.Append(source, journal::ConnectionEvent{
                               .what = "listening", .link = options.link, .local = address});
  }

  void OnAccepted(ProxyDoor::Socket socket, const std::string& peer) override {
    if (!options.open && !options.keep_port) return;  // it was accepted just before
    const std::uint64_t number = ++counters.attempts;
    OnEvent({.what = "attempt", .connection = number, .peer = peer});
    auto connection =
        std::make_shared<ProxyConnection>(executor, *this, std::move(socket), number, peer);
    connections.emplace(number, connection);
    for (const auto& fault : faults) {
      if (IsStreamFault(fault->spec.kind) && ChoosesNew(*fault, number)) connection->Attach(fault);
    }
    for (auto it = faults.rbegin(); it != faults.rend(); ++it) {
      const std::shared_ptr<ActiveFault> fault = *it;
      if (IsStreamFault(fault->spec.kind)) continue;
      switch (fault->spec.kind) {
        case NetFaultKind::kBlackhole:
          if (!ChoosesNew(*fault, number)) continue;
          connection->Hold(fault);
          return;
        case NetFaultKind::kConnectionLimit:
          if (connections.size() <= fault->spec.most_connections || !ChoosesNew(*fault, number)) {
            continue;
          }
          connection->Refuse(*fault);
          return;
        case NetFaultKind::kNeverAccept:  // it was accepted just before the door shut
          connection->Hold(fault);
          return;
        case NetFaultKind::kReset:
          if (!ChoosesNew(*fault, number)) continue;
          connection->Refuse(*fault);
          return;
        default:  // kRefuse, likewise
          connection->Refuse(*fault);
          return;
      }
    }
    connection->Connect(Upstream());
  }

  ProxyConnection::Upstream Upstream() const {
    return {options.upstream, options.connect_timeout, options.failed_with};
  }

  static bool ChoosesNew(ActiveFault& fault, std::uint64_t connection) {
    const NetFault& spec = fault.spec;
    ++fault.seen;
    if (fault.pattern && !fault.pattern->Matches(fault.seen)) return false;
    if (spec.first_connections != 0 && fault.chosen >= spec.first_connections) return false;
    if (!fault.decisions.Chosen(spec.probability, connection)) return false;
    ++fault.chosen;
    return true;
  }

  static bool ChoosesOpen(const ActiveFault& fault, std::uint64_t connection) {
    const NetFault& spec = fault.spec;
    return spec.on_existing && spec.first_connections == 0 && !fault.pattern &&
           fault.decisions.Chosen(spec.probability, connection);
  }

  // -----------------------------------------------------------------------------------------------
  // faults

  // The end where there is none.
  auto Find(std::string_view fault_id) {
    return std::find_if(faults.begin(), faults.end(),
                        [&](const auto& fault) { return fault->spec.id == fault_id; });
  }

  // Fills in what a valid fault means.
  static void Take(ActiveFault& fault, NetFault spec) {
    fault.spec = std::move(spec);
    fault.pattern.reset();
    if (fault.spec.connections.empty()) return;
    if (auto pattern = ConnectionPattern::Parse(fault.spec.connections); pattern.ok())
      fault.pattern = *std::move(pattern);
  }

  Status Set(NetFault spec) {
    SQUALL_RETURN_IF_ERROR(ValidateFault(spec));
    if (Find(spec.id) != faults.end()) {
      return MakeStatus(StatusCode::kAlreadyExists, "link {}: fault {} is active", options.link,
                        spec.id);
    }
    const FaultDecisions decisions(options.seed, options.link, spec.id);
    const auto fault = std::make_shared<ActiveFault>(ActiveFault{.decisions = decisions});
    Take(*fault, std::move(spec));
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
        if (ChoosesOpen(*fault, connection->number())) connection->Attach(fault);
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

  Status Update(NetFault spec) {
    SQUALL_RETURN_IF_ERROR(ValidateFault(spec));
    const auto it = Find(spec.id);
    if (it == faults.end())
      return MakeStatus(StatusCode::kNotFound, "link {}: no fault {}", options.link, spec.id);
    const std::shared_ptr<ActiveFault> fault = *it;
    if (fault->spec.kind != spec.kind || fault->spec.direction != spec.direction) {
      return MakeStatus(StatusCode::kInvalidArgument,
                        "fault {} stays what it is: a {} in its direction", spec.id,
                        NetFaultName(fault->spec.kind));
    }
    Take(*fault, std::move(spec));
    SQUALL_RETURN_IF_ERROR(UpdateDoor());
    if (!IsStreamFault(fault->spec.kind)) return absl::OkStatus();
    const std::string& id = fault->spec.id;
    for (const auto& connection : Snapshot()) {
      const bool chosen = fault->decisions.Chosen(fault->spec.probability, connection->number());
      if (!connection->Has(id)) {
        if (ChoosesOpen(*fault, connection->number())) connection->Attach(fault);
      } else if (chosen) {
        connection->Changed(id);
      } else {
        connection->Detach(id);
      }
    }
    return absl::OkStatus();
  }

  Status Remove(std::string_view fault_id) {
    const auto it = Find(fault_id);
    if (it == faults.end()) return absl::OkStatus();
    const std::shared_ptr<ActiveFault> fault = *it;
    faults.erase(it);
    const Status status = UpdateDoor();
    for (const auto& connection : Snapshot()) {
      connection->Detach(fault->spec.id);
      if (connection->HeldBy(fault->spec.id)) connection->Release(Upstream());
    }
    return status;
  }

  // Connections come and go while they are told something.
  std::vector<std::shared_ptr<ProxyConnection>> Snapshot() const {
    std::vector<std::shared_ptr<ProxyConnection>> all;
    all.reserve(connections.size());
    for (const auto& [number, connection] : connections) all.push_back(connection);
    return all;
  }

  void ShutDown() {
    door.ShutDown();
    for (const auto& connection : Snapshot()) connection->Abandon();
    connections.clear();
  }

  // -----------------------------------------------------------------------------------------------
  // what connections tell

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
    event.local = door.where().ToString();
    journal.Append(source, std::move(event));
  }

  void OnReceived(bool up, std::size_t bytes) override {
    (up ? counters.received_up : counters.received_down) += bytes;
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

  KernelPipePool& kernel_pipes() override { return pipes; }

  AsioExecutor& executor;
  journal::Sink& journal;
  ProxyOptions options;
  const std::string source;
  KernelPipePool pipes;
  ProxyDoor door;
  std::vector<std::shared_ptr<ActiveFault>> faults;  // in the order they were set
  std::map<std::string, std::uint64_t, std::less<>> hits;
  std::map<std::uint64_t, std::shared_ptr<ProxyConnection>> connections;
  ProxyCounters counters;
};

StatusOr<std::unique_ptr<TcpProxy>> TcpProxy::Create(AsioExecutor& executor, journal::Sink& journal,
                                                     ProxyOptions options) {
  auto impl = std::make_unique<Impl>(executor, journal, std::move(options));
  if (impl->options.keep_port || impl->options.open)
    SQUALL_RETURN_IF_ERROR(Annotate(impl->door.TakePort(), "link " + impl->options.link));
  SQUALL_RETURN_IF_ERROR(impl->UpdateDoor());
  return std::unique_ptr<TcpProxy>(new TcpProxy(std::move(impl)));
}

TcpProxy::TcpProxy(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TcpProxy::~TcpProxy() { impl_->ShutDown(); }

const std::string& TcpProxy::link() const { return impl_->options.link; }
std::uint16_t TcpProxy::port() const { return impl_->door.where().port; }
std::string TcpProxy::address() const { return impl_->door.where().ToString(); }
bool TcpProxy::open() const { return impl_->options.open; }
HostPort TcpProxy::upstream() const { return impl_->options.upstream; }
void TcpProxy::SetUpstream(HostPort upstream) { impl_->options.upstream = std::move(upstream); }
Status TcpProxy::SetOpen(bool open) { return impl_->SetOpen(open); }

Status TcpProxy::SetListen(HostPort listen) {
  if (impl_->door.holds_port()) {
    return MakeStatus(StatusCode::kFailedPrecondition, "link {} has its port: {}", link(),
                      address());
  }
  impl_->door.Move(std::move(listen));
  return absl::OkStatus();
}

Status TcpProxy::Set(NetFault fault) { return impl_->Set(std::move(fault)); }
Status TcpProxy::Update(NetFault fault) { return impl_->Update(std::move(fault)); }
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

void TcpProxy::DropConnections() {
  for (const auto& connection : impl_->Snapshot()) connection->Drop();
}

ProxyCounters TcpProxy::counters() const {
  ProxyCounters counters = impl_->counters;
  counters.open = impl_->connections.size();
  return counters;
}

}  // namespace squall::harness
