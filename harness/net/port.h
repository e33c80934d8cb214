#pragma once
// Ports on 127.0.0.1: one reserved for a program that cannot be told "0 and tell me", and the
// question whether somebody listens.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/util/status.h"
#include "harness/net/asio_executor.h"

namespace squall::harness {

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
  // As ParseHostPort reads it.
  std::string ToString() const;
};

// "127.0.0.1:7233", "temporal.example.com:443", "[::1]:7233". INVALID_ARGUMENT says what is wrong
// with it.
StatusOr<HostPort> ParseHostPort(std::string_view text);

// A port on 127.0.0.1 that nobody else is given while the lease lives: a socket is bound to it and
// never listens, so a connection attempt is refused and the kernel does not hand the port out. A
// program that sets SO_REUSEADDR before it binds (Go, gRPC, Node and Asio do; so does everything
// that survives its own TIME_WAIT) can listen on it although the lease is still held, as often as
// it is restarted. Release() is for programs that do not.
class PortLease {
 public:
  PortLease() = default;
  static StatusOr<PortLease> Take();
  // The same on another IP address, and a port that is wanted (0: a free one). UNAVAILABLE when
  // somebody listens there.
  static StatusOr<PortLease> Take(const std::string& address, std::uint16_t port);
  ~PortLease();
  PortLease(PortLease&& other) noexcept;
  PortLease& operator=(PortLease&& other) noexcept;

  std::uint16_t port() const { return port_; }
  // Gives the port up: from here on it is the program's, or, in a window that cannot be closed,
  // somebody else's.
  void Release();

 private:
  PortLease(int fd, std::uint16_t port) : fd_(fd), port_(port) {}
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

// Tries to connect until somebody accepts, again 10 ms after a refusal and then after up to 100 ms,
// for at most `limit`. Calls `done` once, from the loop: OK, or DEADLINE_EXCEEDED with the last
// error. Destroying the object ends it silently.
class ConnectProbe {
 public:
  ConnectProbe(AsioExecutor& executor, HostPort where, Duration limit,
               std::function<void(Status)> done);
  ~ConnectProbe();
  ConnectProbe(const ConnectProbe&) = delete;
  ConnectProbe& operator=(const ConnectProbe&) = delete;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace squall::harness
