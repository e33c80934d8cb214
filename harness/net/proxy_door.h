#pragma once
// The listener of a proxy: open, closed, or standing there without accepting. Internal to
// harness/net.

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <set>

#include "base/util/status.h"
#include "harness/net/asio_executor.h"
#include "harness/net/port.h"

namespace squall::harness {

class ProxyDoor {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  enum class State {
    kClosed,
    kOpen,
    kIgnoring,  // listens and does not accept
    kFull,      // likewise, and SYNs are dropped
  };
  // Told of each connection while the door is open, and of each time it begins to listen.
  class Visitors {
   public:
    virtual void OnAccepted(Socket client, const std::string& peer) = 0;
    virtual void OnListening(const std::string& address) = 0;

   protected:
    ~Visitors() = default;
  };

  // `wanted`: an IP address or a name of this machine, and a port (0: a free one, taken when it is
  // first needed and kept from then on).
  ProxyDoor(AsioExecutor& executor, HostPort wanted, Visitors& visitors);
  ~ProxyDoor();
  ProxyDoor(const ProxyDoor&) = delete;
  ProxyDoor& operator=(const ProxyDoor&) = delete;

  // What is wanted, with what became of it: IP address and port, once the port was taken.
  HostPort where() const;
  // Only while no port is held.
  void Move(HostPort wanted);

  // A port that is held stays ours while the door is closed. UNAVAILABLE with the system's words
  // when it cannot be had.
  Status TakePort();
  void GivePortUp();
  bool holds_port() const;

  // Takes the port where it is not held. UNAVAILABLE when nobody can listen on it.
  Status Set(State state);
  void ShutDown();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace squall::harness
