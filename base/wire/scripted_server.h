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

namespace squall::wire {

// How a request is to be taken by its handler.
struct CallFate {
  // The fault that meets the call; empty for none. Belongs into what is journaled about the call.
  std::string fault_id;
  // Do not handle the call: Finish it with this status.
  std::optional<GrpcStatus> status;
  // Neither handle nor answer it: take note, and wait for OnCancelled.
  bool withheld = false;
};

class ScriptedServer final : private GrpcServerHandler, private MisbehaviourScript::Member {
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
  ~ScriptedServer() override;

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

  // How the connection is to be ended by its owner, once it has sent what TakeOutput gives (kClose)
  // or at once (kReset).
  enum class End { kKeep, kClose, kReset };
  End end() const { return end_; }
  // The fault that ends or silences it.
  const std::string& end_fault() const { return end_fault_; }
  // Half open: whatever comes is not to be looked at, nothing is to be sent, closing included.
  bool silent() const { return silent_; }

  GrpcServerConnection& grpc() { return grpc_; }
  Http2Connection& http2() { return grpc_.http2(); }
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
  const Place& place() const override { return place_; }
  void Misbehave(SteadyTime now, const RulePtr& rule) override;
  void Behave(SteadyTime now, const Rule& rule) override;

  void MeetRequest(SteadyTime now, StreamId call, std::string message);
  void MeetAnswer(SteadyTime now, StreamId call, const Answer& answer);
  void SendAnswer(StreamId call, const Met& met, const Answer& answer);
  void SendPlain(StreamId call, const Answer& answer);
  void OnTheConnection(SteadyTime now, const RulePtr& rule, StreamId stream,
                       const CallFacts& facts);
  // Runs `work` later if the call is still the same and open then.
  void LaterForCall(SteadyTime when, StreamId call, std::function<void(SteadyTime)> work);
  std::function<void(SteadyTime)> IfOpen(StreamId call, std::function<void(SteadyTime)> work);
  void Drop(StreamId call);
  void Conclude(End end, const Rule& rule);

  Handler& handler_;
  MisbehaviourScript* const script_;
  const Place place_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  SteadyTime now_;
  RulePtr on_accept_;  // decides before anything else is made
  GrpcServerConnection grpc_;
  std::map<StreamId, CallFacts>
      heads_;  // calls whose message is still to come, while rules are in effect
  std::unordered_map<StreamId, Met> met_;
  std::uint64_t serial_ = 0;
  std::vector<std::pair<StreamId, Http2Error>> resets_;  // behind headers that are queued
  std::string http1_;                                    // sent instead of HTTP/2
  bool http1_armed_ = false;                             // as soon as the client has said something
  RulePtr of_pings_, of_windows_;                        // what withholds them
  End end_ = End::kKeep;
  std::string end_fault_;
  bool silent_ = false;
};

}  // namespace squall::wire
