#pragma once
// A port on the loopback device that takes connections, for every server of the fakes. Internal to
// fakes/server.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/util/status.h"
#include "fakes/server/listen.h"

namespace squall::fakes {

// Everything runs in the io_context's thread, or before it runs. No callback comes after Close() or
// the destructor.
class Acceptor {
 public:
  // A connection: non-blocking, close-on-exec, without Nagle's delay; and the peer's address.
  using OnAccepted = std::function<void(Descriptor socket, const std::string& peer)>;

  explicit Acceptor(boost::asio::io_context& io);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Listening when it returns; port 0: a free one. UNAVAILABLE when it is taken. Again after
  // Close() too.
  Status Open(int port, OnAccepted on_accepted);
  // Connections in the backlog are reset.
  void Close();
  // The last Open's.
  int port() const;

 private:
  struct Impl;
  const std::shared_ptr<Impl> impl_;
};

// The connection as a socket of Asio's; false, and closed, when Asio cannot have it.
bool Adopt(Descriptor fd, boost::asio::ip::tcp::socket& socket);

}  // namespace squall::fakes
