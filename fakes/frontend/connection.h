#pragma once
// One client's connection: bytes to gRPC and back, through TLS where its listener has it. What its
// calls mean, and when it is to end, its owner says.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/util/clock.h"
#include "base/wire/scripted_server.h"
#include "base/wire/tls.h"
#include "fakes/frontend/frontend.h"
#include "fakes/frontend/limits.h"

namespace squall::fakes {

class Connection final : private wire::ScriptedServer::Handler {
 public:
  // Whom it tells, always from within Receive, Collect or a call into grpc(): nothing here may be
  // destroyed then.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnCallStarted(Connection& connection, wire::StreamId stream,
                               wire::GrpcCallHead head) = 0;
    virtual void OnMessage(Connection& connection, wire::StreamId stream, std::string message,
                           const wire::CallFate& fate) = 0;
    virtual void OnCancelled(Connection& connection, wire::StreamId stream) = 0;
    virtual void OnHalfClosed(Connection& connection, wire::StreamId stream) = 0;
    virtual void OnPing(Connection& connection, bool ack) = 0;
    // The TLS handshake is done.
    virtual void OnEstablished(Connection& connection) = 0;
    // It has to be looked at: something waits in Collect, or it is to end.
    virtual void OnOutput(Connection& connection) = 0;
  };

  struct Origin {
    std::uint64_t id = 0;
    std::string listener;
    std::string peer, local;
    std::shared_ptr<wire::TlsContext> tls;  // null: plaintext
    WallTime calendar;                      // what certificates are judged by
  };

  // `owner` and `script` must outlive it.
  Connection(Owner& owner, const FrontendOptions& options, wire::MisbehaviourScript& script,
             SteadyTime now, Origin origin);

  // Why a connection is to be closed, in the journal's words.
  struct Reason {
    std::string_view what;
    std::string detail;
  };
  // Bytes from the peer. A reason: it is to be closed.
  std::optional<Reason> Receive(SteadyTime now, std::string_view bytes);
  // What it has to send now, counted.
  std::string Collect();
  // Its owner has something for it that Collect will give.
  void Touch() { owner_.OnOutput(*this); }
  // Ends it from our side: `last_bytes` still go out, unless it is dropped.
  void Conclude(FrontendOutput::End how);

  std::uint64_t id() const { return origin_.id; }
  const Origin& origin() const { return origin_; }
  // "TLSv1.3 alpn=h2 ..."; "" in plaintext and before the handshake is done.
  std::string tls() const;
  std::uint64_t bytes_up() const { return bytes_up_; }
  std::uint64_t bytes_down() const { return bytes_down_; }
  SteadyTime accepted() const { return accepted_; }
  bool open() const { return end == FrontendOutput::End::kKeep; }
  wire::ScriptedServer& grpc() { return grpc_; }
  const wire::ScriptedServer& grpc() const { return grpc_; }
  ConnectionKeeper& keeper() { return keeper_; }

  // The owner's own notes.
  std::map<wire::StreamId, std::uint64_t> calls;  // numbers of calls that are not answered yet
  std::optional<SteadyTime> scheduled;            // when its limits are looked at
  std::string kicked;                             // why it is to be closed at the next chance
  bool dirty = false;
  FrontendOutput::End end = FrontendOutput::End::kKeep;
  std::string last_bytes;  // what still goes out before the end

 private:
  void OnCallStarted(wire::StreamId stream, wire::GrpcCallHead head) override;
  void OnMessage(wire::StreamId stream, std::string message, const wire::CallFate& fate) override;
  void OnCancelled(wire::StreamId stream) override;
  void OnHalfClosed(wire::StreamId stream) override;
  void OnPing(bool ack) override;
  void OnOutput() override;

  std::optional<Reason> ReceivePlain(SteadyTime now, std::string_view bytes);
  std::optional<Reason> ReceiveTls(SteadyTime now, std::string_view bytes);

  Owner& owner_;
  const Origin origin_;
  const bool require_alpn_;
  const SteadyTime accepted_;
  ConnectionKeeper keeper_;
  std::unique_ptr<wire::TlsSession> tls_;
  bool tls_done_ = false;
  std::uint64_t bytes_up_ = 0;
  std::uint64_t bytes_down_ = 0;
  wire::ScriptedServer grpc_;  // last: it calls back when it is destroyed
};

}  // namespace squall::fakes
