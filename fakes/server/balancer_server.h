#pragma once
// A balancer on real sockets: fakes/ingress/balancer.h on Boost.Asio, with a thread of its own.

#include <memory>
#include <string>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/status.h"
#include "fakes/ingress/balancer.h"

namespace squall::fakes {

struct BalancerServerOptions {
  BalancerOptions balancer;
  // An IP address.
  std::string upstream_host = "127.0.0.1";
  int upstream_port = 0;
  // 0: the system chooses; ask with port().
  int port = 0;
  // Must outlive the server; null: no journal.
  journal::Sink* journal = nullptr;
  // Must outlive the server; null: the machine's clock.
  const Clock* clock = nullptr;
};

// Listens on 127.0.0.1, in plaintext, from Start until destruction, which closes every connection
// and joins the thread. All public functions are safe from any thread.
class BalancerServer {
 public:
  // kInvalidArgument: the upstream is no IP address; kUnavailable: the port cannot be had.
  static StatusOr<std::unique_ptr<BalancerServer>> Start(BalancerServerOptions options);
  ~BalancerServer();
  BalancerServer(const BalancerServer&) = delete;
  BalancerServer& operator=(const BalancerServer&) = delete;

  int port() const;
  // Where connections opened from now on go; those of the pool stay.
  Status SetUpstream(const std::string& host, int port);
  // Closes all connections, of clients and to the server; the listener stays.
  void CloseConnections();

 private:
  class Impl;
  explicit BalancerServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace squall::fakes
