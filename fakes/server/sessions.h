#pragma once
// The sockets of a fake server's connections: bytes from the kernel to whoever handles them, and
// back as fast as the peer takes them.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "fakes/frontend/frontend.h"
#include "fakes/server/listen.h"

namespace squall::fakes {

// Lives on the thread that runs `io`.
class Sessions {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnBytes(std::uint64_t id, std::string_view bytes) = 0;
    // The peer ended it, and it is forgotten. `reset`: by RST or another error.
    virtual void OnGone(std::uint64_t id, bool reset) = 0;
  };

  // Both must outlive it; what `io` still has of it may run afterwards, if its sessions were
  // closed.
  Sessions(boost::asio::io_context& io, Owner& owner);

  // A connection came; from now on its bytes are told. False: the descriptor is no good.
  bool Add(std::uint64_t id, Descriptor fd);
  // Sends what the frontend has for it, and ends it as the frontend wants. Unknown ones are
  // ignored.
  void Carry(FrontendOutput output);
  // Closes all at once.
  void CloseAll();
  std::size_t size() const { return sessions_.size(); }

 private:
  using Socket = boost::asio::ip::tcp::socket;
  struct Session {
    Session(boost::asio::io_context& io, std::uint64_t id_in) : id(id_in), socket(io), linger(io) {}
    const std::uint64_t id;
    Socket socket;
    std::string pending;  // output that the kernel did not take yet
    std::size_t pending_sent = 0;
    bool writing = false;  // waits for the socket to become writable
    bool reading = false;  // waits for it to become readable
    bool closing = false;  // the frontend is done with it
    boost::asio::steady_timer linger;
  };
  using SessionPtr = std::shared_ptr<Session>;

  void WaitForBytes(const SessionPtr& session);
  void Read(const SessionPtr& session);
  void Send(const SessionPtr& session, std::string bytes);
  void Write(const SessionPtr& session);
  void FinishClosing(const SessionPtr& session);
  void Drop(const SessionPtr& session);

  boost::asio::io_context& io_;
  Owner& owner_;
  std::map<std::uint64_t, SessionPtr> sessions_;
  std::string read_buffer_;
};

}  // namespace squall::fakes
