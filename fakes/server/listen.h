#pragma once
// Sockets on the loopback device, made by hand: Asio's would be inherited by every process that the
// harness starts. Internal to fakes/server.

#include <netinet/in.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "base/util/status.h"

namespace squall::fakes {

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// A socket bound to 127.0.0.1:port; 0: a free port. UNAVAILABLE when it is taken.
StatusOr<Descriptor> Bind(int port);
// The same, listening.
StatusOr<Descriptor> Listen(int port);
int PortOf(int fd);
// One connection that waits; below zero, with errno set, when there is none.
Descriptor Accept(int listener, sockaddr_in* peer);
std::string AddressText(const sockaddr_in& address);

}  // namespace squall::fakes
