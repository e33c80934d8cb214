#include "fakes/server/listen.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace squall::fakes {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

StatusOr<Descriptor> Bind(int port) {
  Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) {
    return MakeStatus(StatusCode::kUnavailable, "create a socket: {}", std::strerror(errno));
  }
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = Loopback(port);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return MakeStatus(StatusCode::kUnavailable, "cannot listen on 127.0.0.1:{}: {}", port,
                      std::strerror(errno));
  }
  return fd;
}

StatusOr<Descriptor> Listen(int port) {
  SQUALL_ASSIGN_OR_RETURN(Descriptor fd, Bind(port));
  if (::listen(fd.get(), SOMAXCONN) != 0) {
    return MakeStatus(StatusCode::kUnavailable, "cannot listen on 127.0.0.1:{}: {}", port,
                      std::strerror(errno));
  }
  return fd;
}

int PortOf(int fd) {
  sockaddr_in address = {};
  socklen_t size = sizeof address;
  SQUALL_CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0,
               "getsockname of a bound socket");
  return ntohs(address.sin_port);
}

std::string AddressText(const sockaddr_in& address) {
  const std::uint32_t ip = ntohl(address.sin_addr.s_addr);
  return fmt::format("{}.{}.{}.{}:{}", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255,
                     ntohs(address.sin_port));
}

Descriptor Accept(int listener, sockaddr_in* peer) {
  socklen_t size = sizeof *peer;
  return Descriptor(
      ::accept4(listener, reinterpret_cast<sockaddr*>(peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

}  // namespace squall::fakes
