#include "sim/world/ingress.h"

#include <cstring>
#include <utility>

namespace squall::sim {
namespace {

using fakes::BalancerOutput;
using fakes::IngressOutput;
using fakes::IngressSide;

// Somebody who accepts wherever this stands.
class Door final : public Listener {
 public:
  Door(std::string name, std::weak_ptr<Acceptor> behind)
      : name_(std::move(name)), behind_(std::move(behind)) {}
  Answer OnSyn(const Endpoint&) override {
    return behind_.expired() ? Answer::kRefuse : Answer::kAccept;
  }
  void OnConnection(const std::shared_ptr<Stream>& stream, const Endpoint& from) override {
    if (const auto behind = behind_.lock()) behind->Accept(stream, from.ToString(), name_, 0);
  }

 private:
  const std::string name_;
  const std::weak_ptr<Acceptor> behind_;
};

std::string Because(const Endpoint& to, int error) {
  return to.ToString() + ": " + std::strerror(error);
}

Endpoint NewEnd(Network& network, Endpoint at) {
  at.port = network.NewPort();
  return at;
}

// The next time that something is due there; at most one timer.
template <typename Due>
void SetTimerFor(Executor& loop, TimerId& timer, std::optional<SteadyTime> next, Due due) {
  loop.Cancel(std::exchange(timer, 0));
  if (next) timer = loop.At(*next, std::move(due));
}

}  // namespace

// --- TlsGate ---

StatusOr<std::unique_ptr<TlsGate>> TlsGate::Create(Executor& loop, journal::Sink& journal,
                                                   Network& network, fakes::IngressOptions options,
                                                   Place place) {
  std::unique_ptr<TlsGate> gate(new TlsGate(loop, network, place));
  SQUALL_ASSIGN_OR_RETURN(gate->ingress_, fakes::Ingress::Create(std::move(options), journal));
  return gate;
}

TlsGate::TlsGate(Executor& loop, Network& network, Place place)
    : loop_(loop), network_(network), place_(place) {}

TlsGate::~TlsGate() {
  *alive_ = false;
  loop_.Cancel(timer_);
  if (ingress_ == nullptr) return;
  ingress_->CloseAll(Now());
  for (const IngressOutput& output : ingress_->TakeOutput()) Apply(output);
  for (auto& [number, connection] : connections_) {
    if (connection.down) connection.down->Close();
    if (connection.up) connection.up->Close();
  }
}

Leg::Events TlsGate::EventsOf(std::uint64_t number, IngressSide side) {
  const auto told = [this, alive = std::weak_ptr<bool>(alive_)](auto what) {
    if (alive.expired()) return;
    what();
    Settle();
  };
  return {.bytes =
              [this, told, number, side](std::string_view bytes) {
                told([&] { ingress_->Receive(Now(), number, side, bytes); });
              },
          .ended = [this, told, number,
                    side] { told([&] { ingress_->PeerClosed(Now(), number, side); }); },
          .reset =
              [this, told, number, side](int error) {
                told([&] { ingress_->PeerLost(Now(), number, side, std::strerror(error)); });
              }};
}

void TlsGate::Accept(const std::shared_ptr<Stream>& stream, const std::string& peer,
                     const std::string&, std::size_t) {
  const std::uint64_t number = ingress_->Accept(Now(), peer);
  connections_[number].down =
      Leg::Attach(loop_, stream, Side::kServer, EventsOf(number, IngressSide::kDownstream));
  Settle();
}

void TlsGate::Connect(std::uint64_t number) {
  network_.Connect(NewEnd(network_, place_.at), place_.upstream,
                   [this, alive = std::weak_ptr<bool>(alive_), number](
                       const std::shared_ptr<Stream>& stream, int error) {
                     const auto it =
                         alive.expired() ? connections_.end() : connections_.find(number);
                     if (alive.expired() || it == connections_.end()) {
                       if (stream != nullptr) stream->Reset(Side::kClient);
                       return;
                     }
                     if (error != 0) {
                       ingress_->UpstreamFailed(Now(), number, Because(place_.upstream, error));
                       return Settle();
                     }
                     Connection& connection = it->second;
                     connection.up = Leg::Attach(loop_, stream, Side::kClient,
                                                 EventsOf(number, IngressSide::kUpstream));
                     connection.up->Send(std::exchange(connection.for_up, {}));
                     if (connection.end_up) connection.up->EndWrite();
                     ingress_->UpstreamConnected(Now(), number);
                     Settle();
                   });
}

void TlsGate::Apply(const IngressOutput& output) {
  const auto it = connections_.find(output.connection);
  if (it == connections_.end()) return;
  Connection& connection = it->second;
  const bool up = output.side == IngressSide::kUpstream;
  const std::shared_ptr<Leg> leg = up ? connection.up : connection.down;
  if (leg != nullptr) {
    leg->Send(output.bytes);
  } else {
    connection.for_up += output.bytes;
  }
  ingress_->Sent(output.connection, output.side, output.bytes.size());
  switch (output.then) {
    case IngressOutput::Then::kKeep:
      return;
    case IngressOutput::Then::kConnect:
      return Connect(output.connection);
    case IngressOutput::Then::kEndWrite:
      if (leg != nullptr) return leg->EndWrite();
      connection.end_up = true;
      return;
    case IngressOutput::Then::kClose:
      if (leg != nullptr) leg->Close();
      (up ? connection.up : connection.down) = nullptr;
      // The upstream side is closed with the client's, also where there is none yet.
      if (!up && connection.up == nullptr) connections_.erase(it);
      if (up && connection.down == nullptr) connections_.erase(it);
  }
}

void TlsGate::Settle() {
  for (auto outputs = ingress_->TakeOutput(); !outputs.empty(); outputs = ingress_->TakeOutput()) {
    for (const IngressOutput& output : outputs) Apply(output);
  }
  SetTimerFor(loop_, timer_, ingress_->NextDeadline(), [this] {
    timer_ = 0;
    ingress_->Advance(Now());
    Settle();
  });
}

// --- CallBalancer ---

CallBalancer::CallBalancer(Executor& loop, journal::Sink& journal, Network& network,
                           fakes::BalancerOptions options, Place place)
    : loop_(loop), network_(network), place_(place), balancer_(std::move(options), journal) {}

CallBalancer::~CallBalancer() {
  *alive_ = false;
  loop_.Cancel(timer_);
  balancer_.CloseAll(Now());
  for (const BalancerOutput& output : balancer_.TakeOutput()) {
    const auto it = transports_.find(output.transport);
    if (it != transports_.end() && it->second.leg) it->second.leg->Send(output.bytes);
  }
  for (auto& [number, transport] : transports_) {
    if (transport.leg) transport.leg->Close();
  }
}

Leg::Events CallBalancer::EventsOf(std::uint64_t number) {
  const std::weak_ptr<bool> alive = alive_;
  return {.bytes =
              [this, alive, number](std::string_view bytes) {
                if (alive.expired()) return;
                balancer_.Receive(Now(), number, bytes);
                Settle();
              },
          .ended =
              [this, alive, number] {
                if (!alive.expired()) Lose(number, "closed by the peer");
              },
          .reset =
              [this, alive, number](int error) {
                if (!alive.expired()) Lose(number, std::strerror(error));
              }};
}

void CallBalancer::Lose(std::uint64_t number, const std::string& why) {
  const auto it = transports_.find(number);
  if (it == transports_.end()) return;
  if (it->second.leg) it->second.leg->Close();
  transports_.erase(it);
  balancer_.Lost(Now(), number, why);
  Settle();
}

void CallBalancer::Accept(const std::shared_ptr<Stream>& stream, const std::string& peer,
                          const std::string&, std::size_t) {
  const std::uint64_t number = balancer_.Accept(Now(), peer);
  transports_[number].leg = Leg::Attach(loop_, stream, Side::kServer, EventsOf(number));
  Settle();
}

void CallBalancer::Connect(std::uint64_t number) {
  transports_[number];
  network_.Connect(NewEnd(network_, place_.at), place_.upstream,
                   [this, alive = std::weak_ptr<bool>(alive_), number](
                       const std::shared_ptr<Stream>& stream, int error) {
                     if (alive.expired() || !transports_.contains(number)) {
                       if (stream != nullptr) stream->Reset(Side::kClient);
                       return;
                     }
                     if (error != 0) return Lose(number, Because(place_.upstream, error));
                     Transport& transport = transports_.at(number);
                     transport.leg = Leg::Attach(loop_, stream, Side::kClient, EventsOf(number));
                     transport.leg->Send(std::exchange(transport.unsent, {}));
                     balancer_.Connected(Now(), number);
                     Settle();
                   });
}

void CallBalancer::Settle() {
  for (auto outputs = balancer_.TakeOutput(); !outputs.empty(); outputs = balancer_.TakeOutput()) {
    for (const BalancerOutput& output : outputs) {
      if (output.then == BalancerOutput::Then::kConnect) Connect(output.transport);
      const auto it = transports_.find(output.transport);
      if (it == transports_.end()) continue;
      if (it->second.leg) {
        it->second.leg->Send(output.bytes);
      } else {
        it->second.unsent += output.bytes;
      }
      if (output.then != BalancerOutput::Then::kClose) continue;
      if (it->second.leg) it->second.leg->Close();
      transports_.erase(it);
    }
  }
  SetTimerFor(loop_, timer_, balancer_.NextDeadline(), [this] {
    timer_ = 0;
    balancer_.Advance(Now());
    Settle();
  });
}

// --- IngressNode ---

IngressNode::IngressNode(Executor& loop, journal::Sink& journal, Network& network,
                         const scenarios::IngressSpec& spec,
                         const wire::CertificateSet* certificates, Place place, Endpoint inner)
    : loop_(loop),
      journal_(journal),
      network_(network),
      spec_(spec),
      certificates_(certificates),
      place_(place),
      inner_(inner) {}

IngressNode::~IngressNode() = default;

void IngressNode::Tell(std::string_view what, std::string_view reason) {
  journal::ProcessEvent event;
  event.what = what;
  event.process = spec_.name;
  event.role = "ingress";
  event.reason = reason;
  journal_.Append("ingress:" + spec_.name, std::move(event));
}

Status IngressNode::Start() {
  if (running()) return absl::OkStatus();
  Tell("starting");
  const Status status = Serve();
  Tell(status.ok() ? "ready" : "start_failed");
  return status;
}

Status IngressNode::Serve() {
  Place place = place_;
  if (spec_.pool > 0) {
    fakes::BalancerOptions options;
    options.name = spec_.name;
    options.pool = static_cast<std::size_t>(spec_.pool);
    options.calls_per_connection = static_cast<std::uint64_t>(spec_.recycle_after);
    options.connection_age = spec_.recycle_age;
    if (spec_.recycle_age > Duration::zero()) options.drain_limit = fakes::kBalancerDrainLimit;
    balancer_ =
        std::make_shared<CallBalancer>(loop_, journal_, network_, std::move(options), place);
    if (spec_.tls == scenarios::TlsMode::kNone) {
      front_ = balancer_;
      return absl::OkStatus();
    }
    network_.SetListener(inner_, std::make_shared<Door>(spec_.name, balancer_));
    place.upstream = inner_;
  }
  fakes::IngressOptions options;
  options.name = spec_.name;
  const wire::TlsIdentity* identity =
      certificates_ == nullptr ? nullptr : certificates_->Find(spec_.certificate);
  if (identity == nullptr) {
    return MakeStatus(StatusCode::kInternal, "ingress {}: no certificate '{}'", spec_.name,
                      spec_.certificate);
  }
  options.tls.identity = *identity;
  if (spec_.tls == scenarios::TlsMode::kMutual) {
    options.tls.client_ca_pem = certificates_->ca_pem;
    options.tls.require_client_certificate = true;
  }
  options.alpn = {"h2"};
  if (spec_.http1) {
    options.transport = fakes::IngressTransport::kHttp1;
    options.alpn = {"http/1.1"};
  }
  if (spec_.internal) options.reach = fakes::IngressReach::kSilent;
  options.idle_timeout = spec_.idle_timeout;
  SQUALL_ASSIGN_OR_RETURN(
      std::shared_ptr<TlsGate> gate,
      TlsGate::Create(loop_, journal_, network_, std::move(options), std::move(place)));
  front_ = std::move(gate);
  return absl::OkStatus();
}

void IngressNode::Stop() {
  if (!running()) return;
  front_ = nullptr;
  network_.SetListener(inner_, nullptr);
  balancer_ = nullptr;
  Tell("exited", "asked");
}

void IngressNode::Accept(const std::shared_ptr<Stream>& stream, const std::string& peer,
                         const std::string& link, std::size_t front) {
  front_->Accept(stream, peer, link, front);
}

}  // namespace squall::sim
