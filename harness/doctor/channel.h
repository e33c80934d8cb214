#pragma once
// One TCP connection of the doctor's, with TLS over it if asked: connects, sends, collects what
// comes, and tells how it ended. It judges nothing.

#include <functional>
#include <memory>
#include <optional>
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

// An HTTP proxy stands between: the connection goes to it, and asks it for one to the target.
struct Tunnel {
  std::string target;         // "temporal.example.com:7233"
  std::string authorization;  // the header's value: "Basic dXNlcjpwYXNz"; "": none
};

// Loop thread only. The destructor closes the socket; no callback comes after it.
class Channel {
 public:
  enum class State {
    kConnecting,   // or waits for the proxy's answer
    kRefused,      // ECONNREFUSED
    kUnreachable,  // no route, or no such network
    kFailed,       // could not connect for another reason: connect_error()
    kOpen,         // TCP is there; with TLS the handshake goes on by itself
    kEnded,        // the peer ended it (FIN)
    kReset,        // by RST, or another error
    kNoTunnel,     // the proxy answered with another status than 200, or ended: proxy_answer()
  };

  // `tls`: a client context, or null for plaintext. Certificates are judged by `now`. With a
  // `tunnel`, `endpoint` is the proxy's.
  Channel(harness::AsioExecutor& executor, const Endpoint& endpoint,
          std::shared_ptr<wire::TlsContext> tls, WallTime now,
          std::optional<Tunnel> tunnel = std::nullopt);
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
  bool connected() const;  // TCP (and the tunnel) was established, whatever came after
  bool over() const;       // nothing more will come
  const std::string& connect_error() const;
  // What the proxy answered to CONNECT, up to the end of its headers.
  const std::string& proxy_answer() const;
  // This machine's address of the connection; "" before there is one.
  std::string source() const;
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
