#pragma once
// The rules at work: which call or connection meets which, how often, from when; gates; what is put
// off.
//
// One object for all connections of a server or proxy. It carries nothing out on the wire itself:
// the connections do (ScriptedServer), and ask here. Time is given, chance comes from the seed.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/clock.h"
#include "base/util/executor.h"
#include "base/util/rng.h"
#include "base/util/status.h"
#include "base/wire/misbehaviour.h"

namespace squall::wire {

// What matchers look at.
struct CallFacts {
  std::string service, method, ns, task_queue, identity, workflow_id;
};

// What base/wire cannot know of messages, as it knows no protocol buffers; made by whoever does
// (base/api/messages.h). Rules that need a missing function are refused when they are set.
struct MessageTools {
  // Fills in what the request tells of a call whose service and method are known.
  std::function<void(CallFacts& facts, const std::string& request)> describe;
  // The method's answer with fields (JSON text) merged in. Errors name the field. `service` "":
  // whichever has it.
  std::function<StatusOr<std::string>(std::string_view service, std::string_view method,
                                      const std::string& answer, const std::string& fields)>
      change;
  // A message of that full name from JSON text, as bytes.
  std::function<StatusOr<std::string>(std::string_view type, const std::string& fields)> encode;
  // All RPCs by name: a matcher that can meet none of them is refused. Null: not looked at.
  std::function<std::vector<std::string>()> methods;
};

// Where a connection is, for matchers and for the journal.
struct Place {
  std::uint64_t connection = 0;
  std::string listener;
};

// An effect that took place.
struct Hit {
  std::string fault_id;
  std::string effect;
  Place place;
  StreamId stream = 0;  // 0: the connection as a whole
  CallFacts facts;      // empty for connections
};

// A rule that was set. Outlives its time in effect where something goes on because of it.
struct ActiveRule {
  Rule rule;
  std::string status_details;  // of an AnswerStatus: google.rpc.Status, or empty
};
using RulePtr = std::shared_ptr<const ActiveRule>;

struct RuleState {
  Rule rule;
  std::uint64_t matched =
      0;  // calls or connections that agreed with all fields but number, times and chance
  std::uint64_t chosen = 0;  // those that the rule was chosen for
  std::uint64_t hits = 0;    // effects that took place
};

class MisbehaviourScript {
 public:
  struct Options {
    std::uint64_t seed = 1;
    MessageTools tools;
    // Whoever carries the rules out can send a request twice; where not, rules that ask for it are
    // refused.
    bool repeats_requests = false;
    // Called with each effect as it takes place.
    std::function<void(const Hit&)> on_hit;
  };
  explicit MisbehaviourScript(Options options);
  ~MisbehaviourScript();
  MisbehaviourScript(const MisbehaviourScript&) = delete;
  MisbehaviourScript& operator=(const MisbehaviourScript&) = delete;

  // --- Rules. Asked in order; of those that agree, the first decides. What is set later stands in
  // front.

  // All or none. INVALID_ARGUMENT with the place, as of RulesFromJson, for what cannot work;
  // ALREADY_EXISTS for an id that is in effect. Rules of Trigger::kNow meet the connections that
  // are open, now. Ids that were empty are given: the result has them in order.
  StatusOr<std::vector<std::string>> Set(SteadyTime now, std::vector<Rule> rules);
  // Ends the rule: what it holds goes on, what it withheld is given back, what it was about to do
  // to connections
  // (`after`) does not come. Calls that it was chosen for meet their effect all the same. False for
  // an unknown id.
  bool Lift(SteadyTime now, std::string_view id);
  void LiftAll(SteadyTime now);
  // In the order in which they are asked.
  std::vector<RuleState> List() const;

  // --- Gates

  // Lets `count` of the calls go on that wait at the gate, in the order in which they came; how
  // many there were.
  std::size_t Release(SteadyTime now, std::string_view gate, std::size_t count = SIZE_MAX);
  // Gates of the rules in effect and of calls that wait, with how many wait.
  std::map<std::string, std::size_t> Gates() const;

  // --- Time
  std::optional<SteadyTime> NextDeadline() const { return timers_.NextDeadline(); }
  void Advance(SteadyTime now);

  // --- For the connections that carry it out

  // Connections that can be told to misbehave while nobody calls them.
  class Member {
   public:
    virtual ~Member() = default;
    virtual const Place& place() const = 0;
    virtual void Misbehave(SteadyTime now, const RulePtr& rule) = 0;
    // The rule is over.
    virtual void Behave(SteadyTime now, const Rule& rule) = 0;
  };
  void Join(Member& member);
  void Leave(Member& member);

  // Whether any rule is in effect: if not, nothing else needs to be asked.
  bool active() const { return !rules_.empty(); }
  // Whether any of them waits for calls.
  bool on_calls() const { return on_calls_; }
  // Whether a rule needs the request's message to decide.
  bool needs_message() const { return needs_message_; }
  const MessageTools& tools() const { return options_.tools; }
  // Counts the call, and chooses. Null: nothing happens to it.
  RulePtr OnCall(SteadyTime now, const Place& place, StreamId stream, const CallFacts& facts);
  RulePtr OnConnection(SteadyTime now, const Place& place);
  // A chosen rule's effect took place.
  void Tell(const Rule& rule, const Place& place, StreamId stream = 0, const CallFacts& facts = {});
  // Runs `work` at `when`. Null rule: also when it was lifted before.
  void Later(SteadyTime when, RulePtr unless_lifted, std::function<void(SteadyTime)> work);
  // Runs `work` when the gate is released or the rule is lifted.
  void Wait(const std::string& gate, const RulePtr& rule, std::function<void(SteadyTime)> work);

 private:
  struct State {
    RulePtr rule;
    SteadyTime since;
    Rng rng{0};
    std::uint64_t matched = 0, chosen = 0, hits = 0;
  };
  struct Waiting {
    RulePtr rule;
    std::function<void(SteadyTime)> work;
  };

  StatusOr<std::string> Check(const Rule& rule, const std::string& place) const;
  State* Find(std::string_view id);
  bool Choose(State& state, SteadyTime now);
  void End(SteadyTime now, const RulePtr& rule);
  void Refresh();

  const Options options_;
  const Rng rng_;
  std::deque<State> rules_;
  bool needs_message_ = false;
  bool on_calls_ = false;
  std::uint64_t given_ids_ = 0;
  std::map<std::uint64_t, Member*> members_;  // by connection
  std::map<std::string, std::deque<Waiting>, std::less<>> gates_;
  TimerQueue timers_;
};

}  // namespace squall::wire
