#pragma once
// One connection through a TcpProxy: two sockets, a pipe for each direction, and the faults that
// act on them. Internal to harness/net; tcp_proxy.h describes the behaviour.

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/rng.h"
#include "harness/net/tcp_proxy.h"

namespace squall::harness {

// A fault that is set, shared by the connections that it acts on.
struct ActiveFault {
  NetFault spec;
  Rng rng;
  std::uint64_t connections = 0;  // chosen so far
};

// Whether a fault acts on the stream; the others decide at the door.
bool IsStreamFault(NetFaultKind kind);

class ProxyConnection : public std::enable_shared_from_this<ProxyConnection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  class Owner {
   public:
    virtual void OnHit(const ActiveFault& fault, std::uint64_t connection) = 0;
    virtual void OnEvent(journal::ConnectionEvent event) = 0;
    virtual void OnDelivered(bool up, std::size_t bytes) = 0;
    virtual void OnEstablished() = 0;
    virtual void OnConnectFailed() = 0;
    // The last call. `reset_by_proxy`: a fault or a command reset it.
    virtual void OnEnded(std::uint64_t connection, bool reset_by_proxy) = 0;

   protected:
    ~Owner() = default;
  };

  ProxyConnection(AsioExecutor& executor, Owner& owner, Socket client, std::uint64_t number,
                  std::string peer);

  std::uint64_t number() const { return number_; }

  // Then exactly one of the next three.
  // Calls the upstream and passes bytes.
  void Connect(const HostPort& upstream, Duration timeout);
  // Accepted and silent; Release makes it an ordinary connection.
  void Hold(std::shared_ptr<ActiveFault> fault);
  // RST at once.
  void Refuse(const ActiveFault& fault);

  bool HeldBy(std::string_view fault_id) const { return hold_ && hold_->spec.id == fault_id; }
  void Release(const HostPort& upstream, Duration timeout);

  // A stream fault, or an accept fault that stalls open connections, begins and ends to act.
  void Attach(std::shared_ptr<ActiveFault> fault);
  void Detach(std::string_view fault_id);

  // Ends it: FIN after what is held, or RST at once.
  void End(CutWith how, std::string_view fault_id);
  // RST at once without a word to the owner, which is going away.
  void Abandon();

 private:
  struct Piece {
    std::string data;
    std::size_t sent = 0;
    bool end = false;    // the direction ends here
    bool reset = false;  // by RST
    SteadyTime due{};
  };
  struct Pipe {
    bool up = false;
    Socket* from = nullptr;
    Socket* to = nullptr;
    std::array<char, 16 * 1024> buffer{};
    std::deque<Piece> held;
    std::size_t held_bytes = 0;
    bool reading = false, writing = false;
    bool read_done = false;  // nothing more will be read from `from`
    bool done = false;       // the end was passed on, or nobody is left to pass it to
    SteadyTime last_due{}, pace_free{};
    TimerId timer = 0;
    std::uint64_t delivered = 0;
  };
  struct Attached {
    std::shared_ptr<ActiveFault> fault;
    std::uint64_t left_up = 0, left_down = 0;  // of kCut
    bool hit = false;
    std::uint64_t& left(bool up) { return up ? left_up : left_down; }
  };
  enum class Phase { kNew, kHeld, kConnecting, kOpen, kCutting, kLingering, kEnded };

  bool Acts(const Attached& attached, NetFaultKind kind, bool up) const;
  void MarkHit(Attached& attached);
  Duration DrawDelay(bool up, bool end);
  void MaybeRead(Pipe& pipe);
  void OnRead(Pipe& pipe, const boost::system::error_code& error, std::size_t bytes);
  void MaybeWrite(Pipe& pipe);
  void OnWritten(Pipe& pipe, const boost::system::error_code& error, std::size_t bytes);
  void DeliverEnd(Pipe& pipe, bool reset);
  void WaitUntil(Pipe& pipe, SteadyTime when);
  void Cut(const ActiveFault& fault);
  void ResetWhenDelivered(int looks_left);
  void Linger();
  void LookLingered();
  void Finish(std::string_view word, bool by_reset, std::string detail);
  journal::ConnectionEvent Event(std::string_view word) const;
  Pipe& Other(const Pipe& pipe) { return pipe.up ? down_ : up_; }

  AsioExecutor& executor_;
  Owner* owner_;  // null once abandoned
  Socket client_, upstream_;
  const std::uint64_t number_;
  const std::string peer_;
  Pipe up_, down_;
  Phase phase_ = Phase::kNew;
  std::vector<Attached> attached_;
  std::shared_ptr<ActiveFault> hold_;
  TimerId timer_ = 0;    // connect time-out, cut, linger
  bool broken_ = false;  // one side cannot be written to any more
  bool linger_at_end_ = false;
  bool ended_by_proxy_ = false;
  std::string deciding_fault_;
};

}  // namespace squall::harness
