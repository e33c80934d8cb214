#pragma once
// One TCP connection of the doctor's, with TLS over it if asked: connects, sends, collects what
// comes, and tells how it ended. It judges nothing.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "base/wire/tls.h"
#include "harness/net/asio_executor.h"
#include "harness/net/port.h"

namespace squall::doctor {

// What connections can be made to: an IP address as text, and a port.
using Endpoint = harness::HostPort;

// The addresses of a name, both families, in the resolver's order; an address is itself. The
// resolver runs on a thread of Asio's; `done` on the loop, unless the executor goes first.
// NOT_FOUND: no such name; UNAVAILABLE: no name server answered; the message is the resolver's.
void ResolveName(harness::AsioExecutor& executor, const std::string& host, std::uint16_t port,
                 std::function<void(StatusOr<std::vector<Endpoint>>)> done);

// Loop thread only. The destructor closes the socket; no callback comes after it.
class Channel {
 public:
  enum class State {
    kConnecting,
    kRefused,      // ECONNREFUSED
    kUnreachable,  // no route, or no such network
    kFailed,       // could not connect for another reason: connect_error()
    kOpen,         // TCP is there; with TLS the handshake goes on by itself
    kEnded,        // the peer ended it (FIN)
    kReset,        // by RST, or another error
  };

  // `tls`: a client context, or null for plaintext. Certificates are judged by `now`.
  Channel(harness::AsioExecutor& executor, const Endpoint& endpoint,
          std::shared_ptr<wire::TlsContext> tls, WallTime now);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // After each change of state and each arrival, from the loop.
  void OnChange(std::function<void()> callback);

  // Goes out as soon as connection and handshake allow.
  void Send(std::string_view bytes);
  // Application data that has arrived since the last call.
  std::string Take();

  State state() const;
  bool connecting() const { return state() == State::kConnecting; }
  bool connected() const;  // TCP was established, whatever came after
  bool over() const;       // nothing more will come
  const std::string& connect_error() const;
  // Null in plaintext.
  const wire::TlsSession* tls() const;
  // TLS is there, or not wanted.
  bool ready() const;
  // The first bytes that came from the peer as they were on the wire, at most 4 KiB.
  const std::string& first_bytes() const;
  // How long TCP took, and TLS on top of it; zero before.
  Duration connect_took() const;
  Duration handshake_took() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace squall::doctor
