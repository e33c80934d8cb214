// Sockets: simulated TCP clients.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <memory>

#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"
#include "sim/net/socket.h"

namespace squall::sim {
namespace {

std::shared_ptr<Socket> SocketOf(int fd, const char* call) {
  auto socket = std::dynamic_pointer_cast<Socket>(ObjectOf(fd));
  if (socket == nullptr)
    Escaped(std::string(call) + " on a descriptor that is no simulated socket");
  return socket;
}

}  // namespace

SQUALL_REPLACES(int, socket, int domain, int type, int) {
  if ((domain != AF_INET && domain != AF_INET6) || (type & 0xf) != SOCK_STREAM)
    Escaped("socket that is not TCP");
  return NewDescriptor(std::make_shared<Socket>(TheScheduler().process()));
}

SQUALL_REPLACES(int, connect, int fd, const sockaddr* address, socklen_t) {
  return SocketOf(fd, "connect")->Connect(Endpoint::From(*address));
}

SQUALL_REPLACES(ssize_t, send, int fd, const void* bytes, size_t size, int) {
  return SocketOf(fd, "send")->Write(bytes, size);
}

SQUALL_REPLACES(ssize_t, sendto, int fd, const void* bytes, size_t size, int, const sockaddr*,
                socklen_t) {
  return SocketOf(fd, "sendto")->Write(bytes, size);
}

SQUALL_REPLACES(ssize_t, sendmsg, int fd, const msghdr* message, int) {
  const auto socket = SocketOf(fd, "sendmsg");
  ssize_t total = 0;
  for (std::size_t i = 0; i < message->msg_iovlen; ++i) {
    const iovec& piece = message->msg_iov[i];
    const ssize_t n = socket->Write(piece.iov_base, piece.iov_len);
    if (n < 0) return total > 0 ? total : n;
    total += n;
    if (static_cast<std::size_t>(n) < piece.iov_len) break;
  }
  return total;
}

SQUALL_REPLACES(ssize_t, recv, int fd, void* bytes, size_t size, int flags) {
  return SocketOf(fd, "recv")->Receive(bytes, size, (flags & MSG_PEEK) != 0);
}

SQUALL_REPLACES(ssize_t, recvfrom, int fd, void* bytes, size_t size, int flags, sockaddr*,
                socklen_t*) {
  return SocketOf(fd, "recvfrom")->Receive(bytes, size, (flags & MSG_PEEK) != 0);
}

SQUALL_REPLACES(int, shutdown, int fd, int how) { return SocketOf(fd, "shutdown")->Shutdown(how); }

SQUALL_REPLACES(int, getsockopt, int fd, int level, int name, void* value, socklen_t* size) {
  const auto socket = SocketOf(fd, "getsockopt");
  if (*size < sizeof(int)) return FailWith(EINVAL);
  *static_cast<int*>(value) = level == SOL_SOCKET && name == SO_ERROR ? socket->TakeError() : 0;
  *size = sizeof(int);
  return 0;
}

SQUALL_REPLACES(int, setsockopt, int fd, int, int, const void*, socklen_t) {
  SocketOf(fd, "setsockopt");
  return 0;
}

SQUALL_REPLACES(int, getpeername, int fd, sockaddr* address, socklen_t* size) {
  const auto socket = SocketOf(fd, "getpeername");
  if (!socket->connected()) return FailWith(ENOTCONN);
  socket->peer().To(address, size);
  return 0;
}

SQUALL_REPLACES(int, getsockname, int fd, sockaddr* address, socklen_t* size) {
  SocketOf(fd, "getsockname")->local().To(address, size);
  return 0;
}

// A client's port is the network's to choose.
SQUALL_REPLACES(int, bind, int fd, const sockaddr*, socklen_t) {
  SocketOf(fd, "bind");
  return 0;
}

}  // namespace squall::sim
