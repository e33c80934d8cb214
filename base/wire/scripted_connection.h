#pragma once
// What a misbehaviour script does to a connection as a whole: the part that a server and a relay
// carry out alike, on the HTTP/2 connection that they own. Internal to base/wire.

#include <memory>
#include <string>

#include "base/wire/misbehaviour_script.h"

namespace squall::wire {

// How a connection is to be ended by its owner, once it has sent what there is (kClose) or at once
// (kReset).
enum class ScriptedEnd { kKeep, kClose, kReset };

class ScriptedConnection final : private MisbehaviourScript::Member {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    virtual Http2Connection& http2() = 0;
    // From now on PINGs are not acknowledged, windows not given back; or they are again.
    virtual void WithholdPings(bool withhold) = 0;
    virtual void WithholdWindows(bool withhold) = 0;
    // Something waits to be sent, or the connection ends, without the owner having asked.
    virtual void OnOutput() = 0;
  };

  // Asks the script at once; what it decides is in effect from Begin on. `host` and `script`
  // outlive the object, `script` may be null.
  ScriptedConnection(Host& host, MisbehaviourScript* script, Place place, SteadyTime now);
  ~ScriptedConnection() override;
  ScriptedConnection(const ScriptedConnection&) = delete;
  ScriptedConnection& operator=(const ScriptedConnection&) = delete;

  // How the host's HTTP/2 connection is to be made.
  Http2Options Adjusted(const Http2Options& options) const;
  // Once that is there.
  void Begin(SteadyTime now);

  // From the host's Feed: the bytes are not to be looked at.
  bool Swallows();
  // From the host's TakeOutput: `out` has all that there is, HTTP/2 has no say.
  bool Speaks(std::string& out);
  // A PING of the peer came.
  void OnPing();

  // A rule's effect on the connection; at once or, as the rule says, later. `stream` and `facts` of
  // the call that set it off.
  void Meet(SteadyTime now, const RulePtr& rule, StreamId stream = 0, const CallFacts& facts = {});
  // Ends it for another reason, by that rule.
  void Conclude(ScriptedEnd end, const Rule& rule);

  const Place& place() const override { return place_; }
  MisbehaviourScript* script() const { return script_; }
  ScriptedEnd end() const { return end_; }
  const std::string& end_fault() const { return end_fault_; }
  bool silent() const { return silent_; }

 private:
  void Misbehave(SteadyTime now, const RulePtr& rule) override;
  void Behave(SteadyTime now, const Rule& rule) override;
  void CarryOut(const RulePtr& rule, StreamId stream, const CallFacts& facts);

  Host& host_;
  MisbehaviourScript* const script_;
  const Place place_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  RulePtr on_accept_;              // decides before anything else is made
  std::string http1_;              // sent instead of HTTP/2
  bool http1_armed_ = false;       // as soon as the client has said something
  RulePtr of_pings_, of_windows_;  // what withholds them
  ScriptedEnd end_ = ScriptedEnd::kKeep;
  std::string end_fault_;
  bool silent_ = false;
};

}  // namespace squall::wire
