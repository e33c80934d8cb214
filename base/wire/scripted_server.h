#pragma once
// The server side of one gRPC connection that obeys a misbehaviour script.
//
// Stands between GrpcServerConnection and whoever handles calls: a fake server's front end, a
// proxy. Without a rule in effect it only hands on.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/wire/grpc.h"
#include "base/wire/misbehaviour_script.h"
#include "base/wire/scripted_connection.h"

namespace squall::wire {

struct AnswerParts;

// How a request is to be taken by its handler.
struct CallFate {
  // The fault that meets the call; empty for none. Belongs into what is journaled about the call.
  std::string fault_id;
  // Do not handle the call: Finish it with this status.
  std::optional<GrpcStatus> status;
  // Neither handle nor answer it: take note, and wait for OnCancelled.
  bool withheld = false;
};

class ScriptedServer final : private GrpcServerHandler, private ScriptedConnection::Host {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void OnCallStarted(StreamId call, GrpcCallHead head) = 0;
    virtual void OnMessage(StreamId call, std::string message, const CallFate& fate) = 0;
    // The call is over without the handler's answer, whoever ended it.
    virtual void OnCancelled(StreamId call) = 0;
    // GrpcServerHandler's. Streams are met by no rule.
    virtual void OnHalfClosed(StreamId /*call*/) {}
    virtual void OnPing(bool /*ack*/) {}
    // Something waits in TakeOutput, or the connection ends, although neither Feed nor Reply was
    // called: by a timer, a gate, or a rule that was set or lifted.
    virtual void OnOutput() = 0;
  };

  // All must outlive the connection; `script` may be null. `place.connection` is unique among the
  // script's members.
  ScriptedServer(const GrpcServerOptions& options, Handler& handler, MisbehaviourScript* script,
                 Place place, SteadyTime now);
  ~ScriptedServer() override = default;

  // From within OnCallStarted: GrpcServerConnection::AcceptStream.
  void AcceptStream(StreamId call) {
    heads_.erase(call);
    grpc_.AcceptStream(call);
  }
  Status Feed(SteadyTime now, std::string_view bytes);
  void TakeOutput(std::string& out);
  // Answers; `now` for effects that are late on purpose.
  void Reply(SteadyTime now, StreamId call, std::string message);
  void Finish(SteadyTime now, StreamId call, GrpcStatus status);

  using End = ScriptedEnd;
  End end() const { return connection_.end(); }
  // The fault that ends or silences it.
  const std::string& end_fault() const { return connection_.end_fault(); }
  // Half open: whatever comes is not to be looked at, nothing is to be sent, closing included.
  bool silent() const { return connection_.silent(); }

  GrpcServerConnection& grpc() { return grpc_; }
  Http2Connection& http2() override { return grpc_.http2(); }
  const Http2Connection& http2() const { return grpc_.http2(); }

 private:
  struct Answer {
    GrpcStatus status;
    std::string message;
  };
  // A call that a rule was chosen for.
  struct Met {
    RulePtr rule;
    CallFacts facts;
    std::uint64_t serial = 0;  // a stream's number alone could be another call's, on another day
    bool swallow = false;      // answers of the handler go nowhere
  };

  void OnCallStarted(StreamId call, GrpcCallHead head) override;
  void OnMessage(StreamId call, std::string message) override;
  void OnCancelled(StreamId call) override;
  void OnHalfClosed(StreamId call) override { handler_.OnHalfClosed(call); }
  void OnPing(bool ack) override;
  void WithholdPings(bool withhold) override { http2().SetAutoPingAck(!withhold); }
  void WithholdWindows(bool withhold) override { http2().SetAutoWindowUpdate(!withhold); }
  void OnOutput() override { handler_.OnOutput(); }

  void MeetRequest(SteadyTime now, StreamId call, std::string message);
  void MeetAnswer(SteadyTime now, StreamId call, const Answer& answer);
  void SendAnswer(StreamId call, const Met& met, const Answer& answer);
  void SendPlain(StreamId call, const Answer& answer);
  static AnswerParts Apart(const Answer& answer);
  void SendPage(StreamId call, int status, const std::string& content_type,
                const std::string& body);
  void Tell(const Rule& rule, StreamId call, const CallFacts& facts) {
    script_->Tell(rule, connection_.place(), call, facts);
  }
  // Runs `work` later if the call is still the same and open then.
  void LaterForCall(SteadyTime when, StreamId call, std::function<void(SteadyTime)> work);
  std::function<void(SteadyTime)> IfOpen(StreamId call, std::function<void(SteadyTime)> work);
  void Drop(StreamId call);

  Handler& handler_;
  MisbehaviourScript* const script_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  SteadyTime now_;
  ScriptedConnection connection_;  // decides before anything else is made
  GrpcServerConnection grpc_;
  std::map<StreamId, CallFacts>
      heads_;  // calls whose message is still to come, while rules are in effect
  std::unordered_map<StreamId, Met> met_;
  std::uint64_t serial_ = 0;
  std::vector<std::pair<StreamId, Http2Error>> resets_;  // behind headers that are queued
};

}  // namespace squall::wire
