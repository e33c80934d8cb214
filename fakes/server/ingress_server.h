#pragma once
// An ingress on real sockets: fakes/ingress on Boost.Asio, with a thread of its own.

#include <memory>
#include <string>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/status.h"
#include "fakes/ingress/ingress.h"

namespace squall::fakes {

struct IngressServerOptions {
  IngressOptions ingress;
  // Where connections go, once a client has sent its first bytes.
  std::string upstream_host = "127.0.0.1";
  int upstream_port = 0;
  // 0: the system chooses; ask with port().
  int port = 0;
  // Must outlive the server; null: no journal.
  journal::Sink* journal = nullptr;
  // Must outlive the server; null: the machine's clock.
  const Clock* clock = nullptr;
};

// Listens on 127.0.0.1 from Start until destruction, which closes every connection and joins the
// thread at once. All public functions are safe from any thread.
class IngressServer {
 public:
  // Errors: kInvalidArgument for unusable TLS settings, kUnavailable when the port cannot be had.
  static StatusOr<std::unique_ptr<IngressServer>> Start(IngressServerOptions options);
  ~IngressServer();
  IngressServer(const IngressServer&) = delete;
  IngressServer& operator=(const IngressServer&) = delete;

  int port() const;
  std::string address() const;  // "127.0.0.1:PORT"
  // Where connections opened from now on go.
  void SetUpstream(std::string host, int port);
  // Closes the connections that are open; the listener stays.
  void CloseConnections();

 private:
  class Impl;
  explicit IngressServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace squall::fakes
