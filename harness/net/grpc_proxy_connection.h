#pragma once
// One connection through a GrpcProxy: two sockets, TLS where it is, and the relay between them.
// Internal to harness/net; grpc_proxy.h describes the behaviour.

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "harness/net/grpc_proxy.h"

namespace squall::harness {

// How a new connection is spoken to on both sides.
struct GrpcProxyWire {
  std::shared_ptr<wire::TlsContext> downstream, upstream;  // null: plaintext
  wire::TlsListener listener;                              // its tls is in `downstream` already
  std::string tls_fault;                                   // the mode's id; empty: none
};

class GrpcProxyConnection final : public std::enable_shared_from_this<GrpcProxyConnection>,
                                  private wire::GrpcRelay::Owner {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  class Owner {
   public:
    virtual void OnEvent(journal::ConnectionEvent event) = 0;
    virtual void OnTlsHit(const std::string& fault_id, std::uint64_t connection) = 0;
    virtual void OnEstablished() = 0;
    virtual void OnFailed() = 0;
    // The last call.
    virtual void OnEnded(std::uint64_t connection) = 0;
    // Something was done that may have set timers of the script.
    virtual void OnScriptMoved() = 0;

   protected:
    ~Owner() = default;
  };

  GrpcProxyConnection(AsioExecutor& executor, Owner& owner, Socket client, std::uint64_t number,
                      std::string peer, GrpcProxyWire how);
  ~GrpcProxyConnection() override;

  std::uint64_t number() const { return number_; }
  const std::string& tls_fault() const { return how_.tls_fault; }

  // Once, before anything else.
  void Start(const wire::GrpcRelayOptions& options, wire::MisbehaviourScript& script,
             const HostPort& upstream, Duration timeout);
  void End(CutWith how, std::string_view fault_id);
  // RST at once without a word to the owner, which is going away.
  void Abandon();

 private:
  struct Side {
    explicit Side(wire::RelaySide which_in, Socket socket_in)
        : which(which_in), socket(std::move(socket_in)) {}
    const wire::RelaySide which;
    Socket socket;
    std::optional<wire::TlsSession> tls;
    std::array<char, 32 * 1024> input{};
    std::string output;  // being written
    std::uint64_t received = 0;
    bool connected = false;
    bool ended = false;  // the peer sends nothing more
    bool said = false;   // and we do not either
    bool reading = false, writing = false;
  };
  enum class Phase { kOpen, kClosing, kLingering, kEnded };

  void OnOutput() override;
  void Connect(const HostPort& upstream, Duration timeout);
  void Read(Side& side);
  void OnRead(Side& side, const boost::system::error_code& error, std::size_t bytes);
  void OnBytes(Side& side, std::string_view bytes);
  bool FeedTls(Side& side, std::string_view bytes, std::string& plain);
  void Move();
  bool Write(Side& side);
  bool MaySpeak(const Side& side) const;
  void Gather(Side& side);
  void LookAtEnd();
  void Close(std::string_view fault_id, std::string detail);
  void Linger();
  void FinishWhenOver();
  void Fail(const std::string& detail);
  void Finish(std::string_view word, bool by_reset, std::string detail);
  journal::ConnectionEvent Event(std::string_view word) const;

  AsioExecutor& executor_;
  Owner* owner_;  // null once abandoned
  const std::uint64_t number_;
  const std::string peer_;
  const GrpcProxyWire how_;
  Side down_, up_;
  std::unique_ptr<wire::GrpcRelay> relay_;
  Phase phase_ = Phase::kOpen;
  TimerId timer_ = 0;  // connect time-out, linger
  bool moving_ = false;
  std::string deciding_fault_, closing_detail_;
};

}  // namespace squall::harness
