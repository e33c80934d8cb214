#pragma once
// One connection through a TcpProxy: two sockets, a pipe for each direction, and the faults that
// act on them. Internal to harness/net; tcp_proxy.h describes the behaviour.

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "base/journal/journal.h"
#include "harness/net/asio_executor.h"
#include "harness/net/kernel_pipe.h"
#include "harness/net/port.h"
#include "harness/net/proxy_pipe.h"
#include "harness/net/stream_faults.h"

namespace squall::harness {

class ProxyConnection : public std::enable_shared_from_this<ProxyConnection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  enum class Phase {
    kNew,
    kHeld,        // accepted and silent
    kConnecting,  // to the upstream
    kOpen,
    kCutting,    // reset as soon as what came before has arrived
    kForgotten,  // by idle_drop or half_open: what comes is thrown away
    kLingering,  // FIN sent to both; what comes is thrown away until they end
    kEnded
  };

  class Owner {
   public:
    virtual void OnHit(const ActiveFault& fault, std::uint64_t connection) = 0;
    virtual void OnEvent(journal::ConnectionEvent event) = 0;
    virtual void OnReceived(bool up, std::size_t bytes) = 0;
    virtual void OnDelivered(bool up, std::size_t bytes) = 0;
    virtual void OnEstablished() = 0;
    virtual void OnConnectFailed() = 0;
    // The last call. `reset_by_proxy`: a fault or a command reset it.
    virtual void OnEnded(std::uint64_t connection, bool reset_by_proxy) = 0;
    virtual KernelPipePool& kernel_pipes() = 0;

   protected:
    ~Owner() = default;
  };

  // Where and how to call the upstream.
  struct Upstream {
    HostPort where;
    Duration timeout{};
    CutWith failed_with = CutWith::kReset;  // what the client sees when it cannot be reached
  };

  ProxyConnection(AsioExecutor& executor, Owner& owner, Socket client, std::uint64_t number,
                  std::string peer);

  std::uint64_t number() const { return number_; }

  // Then exactly one of the next three.
  // Calls the upstream and passes bytes.
  void Connect(const Upstream& upstream);
  // Accepted and silent; Release makes it an ordinary connection.
  void Hold(std::shared_ptr<ActiveFault> fault);
  // RST at once.
  void Refuse(const ActiveFault& fault);

  bool HeldBy(std::string_view fault_id) const { return hold_ && hold_->spec.id == fault_id; }
  void Release(const Upstream& upstream);

  // A stream fault, or an accept fault that stalls open connections, begins and ends to act, or its
  // values have changed.
  void Attach(std::shared_ptr<ActiveFault> fault);
  void Detach(std::string_view fault_id);
  void Changed(std::string_view fault_id);
  bool Has(std::string_view fault_id) { return faults_.Find(fault_id) != nullptr; }

  // Ends it: FIN after what is held, or RST at once.
  void End(CutWith how, std::string_view fault_id);
  // Closes both sockets at once.
  void Drop() { Finish("closed", false, "dropped"); }
  // RST at once without a word to the owner, which is going away.
  void Abandon();

  // ----- for its pipes
  Phase phase() const { return phase_; }
  StreamFaults& faults() { return faults_; }
  AsioExecutor& executor() { return executor_; }
  SteadyTime Now() const { return executor_.clock().Now(); }
  void Post(Executor::Callback callback) { executor_.Post(std::move(callback)); }
  KernelPipePool& kernel_pipes() { return owner_->kernel_pipes(); }
  void OnReceived(bool up, std::size_t bytes);
  void OnDelivered(bool up, std::size_t bytes) { owner_->OnDelivered(up, bytes); }
  void OnWriteFailed(ProxyPipe& pipe, const boost::system::error_code& error);
  void OnEndOfDirection(ProxyPipe& pipe, bool reset);
  void OnThrownAway(ProxyPipe& pipe, std::size_t bytes);
  void OnClientGaveUp() { Finish("closed", false, "the client gave up"); }
  void OnTriggered(AttachedFault& attached);
  void Cut(const ActiveFault& fault);

 private:
  void Call(const Upstream& upstream, const boost::asio::ip::tcp::endpoint& endpoint);
  void Resolve(const Upstream& upstream);
  void OnConnectFailed(const Upstream& upstream, std::string why);
  void OnConnected();
  void StartTimer(AttachedFault& attached);
  void At(const std::string& fault_id, SteadyTime when);
  void OnTimer(std::string_view fault_id);
  void Forget(AttachedFault& attached);
  void StopTimers();
  void ResetWhenDelivered(int looks_left);
  void Linger();
  void Finish(std::string_view word, bool by_reset, std::string detail);
  journal::ConnectionEvent Event(std::string_view word) const;
  ProxyPipe& Other(const ProxyPipe& pipe) { return pipe.up() ? down_ : up_; }

  AsioExecutor& executor_;
  Owner* owner_;  // null once abandoned
  Socket client_, upstream_;
  const std::uint64_t number_;
  const std::string peer_;
  StreamFaults faults_;
  ProxyPipe up_, down_;
  Phase phase_ = Phase::kNew;
  std::shared_ptr<ActiveFault> hold_;
  TimerId timer_ = 0;    // connect time-out, cut, linger
  bool broken_ = false;  // one side cannot be written to any more
  bool linger_at_end_ = false;
  bool ended_by_proxy_ = false;
  bool watches_idleness_ = false;
  SteadyTime last_activity_{};
  IdleEnd forgotten_ = IdleEnd::kSilent;
  std::string deciding_fault_;
};

}  // namespace squall::harness
