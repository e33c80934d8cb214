#pragma once
// Ingresses and load balancers in the simulated network: fakes/ingress between two connections.
//
// It writes what the harness's ingress writes. World's loop only.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/journal/journal.h"
#include "base/util/executor.h"
#include "base/util/status.h"
#include "base/wire/certificates.h"
#include "fakes/ingress/balancer.h"
#include "fakes/ingress/ingress.h"
#include "scenarios/format/scenario.h"
#include "sim/net/network.h"
#include "sim/world/acceptor.h"
#include "sim/world/leg.h"

namespace squall::sim {

// Where an ingress stands and what is behind it.
struct Place {
  Endpoint at;        // its own address; its connections come from there
  Endpoint upstream;  // somebody listens there, or nobody
};

// Terminates TLS.
class TlsGate final : public Acceptor {
 public:
  // `loop`, `journal` and `network` outlive it, as below.
  static StatusOr<std::unique_ptr<TlsGate>> Create(Executor& loop, journal::Sink& journal,
                                                   Network& network, fakes::IngressOptions options,
                                                   Place place);
  ~TlsGate() override;

  bool running() const override { return true; }
  void Accept(const std::shared_ptr<Stream>& stream, const std::string& peer,
              const std::string& link, std::size_t front) override;

 private:
  struct Connection {
    std::shared_ptr<Leg> down, up;
    std::string for_up;  // until there is a connection
    bool end_up = false;
  };
  TlsGate(Executor& loop, Network& network, Place place);
  Leg::Events EventsOf(std::uint64_t number, fakes::IngressSide side);
  void Connect(std::uint64_t number);
  void Apply(const fakes::IngressOutput& output);
  void Settle();
  Moment Now() const { return loop_.clock().MomentNow(); }

  Executor& loop_;
  Network& network_;
  const Place place_;
  std::unique_ptr<fakes::Ingress> ingress_;
  std::map<std::uint64_t, Connection> connections_;
  TimerId timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Spreads calls over a pool of connections.
class CallBalancer final : public Acceptor {
 public:
  CallBalancer(Executor& loop, journal::Sink& journal, Network& network,
               fakes::BalancerOptions options, Place place);
  ~CallBalancer() override;

  bool running() const override { return true; }
  void Accept(const std::shared_ptr<Stream>& stream, const std::string& peer,
              const std::string& link, std::size_t front) override;

 private:
  struct Transport {
    std::shared_ptr<Leg> leg;
    std::string unsent;  // until there is a connection
  };
  Leg::Events EventsOf(std::uint64_t number);
  void Lose(std::uint64_t number, const std::string& why);
  void Connect(std::uint64_t number);
  void Settle();
  Moment Now() const { return loop_.clock().MomentNow(); }

  Executor& loop_;
  Network& network_;
  const Place place_;
  fakes::Balancer balancer_;
  std::map<std::uint64_t, Transport> transports_;
  TimerId timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// An ingress of a scenario: starts, stops, and is one of the above or both.
class IngressNode final : public Acceptor {
 public:
  // `spec` and `certificates` (null where nobody speaks TLS) outlive it. `inner` is an address
  // between its two halves, where it has both.
  IngressNode(Executor& loop, journal::Sink& journal, Network& network,
              const scenarios::IngressSpec& spec, const wire::CertificateSet* certificates,
              Place place, Endpoint inner);
  ~IngressNode() override;

  Status Start();
  // Connections are closed in order.
  void Stop();

  bool running() const override { return front_ != nullptr; }
  void Accept(const std::shared_ptr<Stream>& stream, const std::string& peer,
              const std::string& link, std::size_t front) override;

 private:
  Status Serve();
  void Tell(std::string_view what, std::string_view reason = "");

  Executor& loop_;
  journal::Sink& journal_;
  Network& network_;
  const scenarios::IngressSpec& spec_;
  const wire::CertificateSet* const certificates_;
  const Place place_;
  const Endpoint inner_;
  std::shared_ptr<CallBalancer> balancer_;
  std::shared_ptr<Acceptor> front_;  // what clients meet
};

}  // namespace squall::sim
