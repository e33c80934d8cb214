#include "base/wire/misbehaviour_script.h"

#include <algorithm>
#include <utility>

#include "base/util/text.h"

namespace squall::wire {
namespace {

// google.rpc.Status and google.protobuf.Any by hand: three fields that have not changed in ten
// years.
void PutVarint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(0x80 | (value & 0x7f)));
  out.push_back(static_cast<char>(value));
}

void PutBytes(std::string& out, int field, std::string_view bytes) {
  PutVarint(out, static_cast<std::uint64_t>(field) << 3 | 2);
  PutVarint(out, bytes.size());
  out.append(bytes);
}

bool AgreesWithCall(const Matcher& match, const Place& place, StreamId stream,
                    const CallFacts& facts) {
  const auto method = [&](const std::string& pattern) { return Agrees(pattern, facts.method); };
  return (match.methods.empty() ||
          std::any_of(match.methods.begin(), match.methods.end(), method)) &&
         (!match.streams || match.streams->Has(static_cast<std::uint64_t>(stream))) &&
         Agrees(match.ns, facts.ns) && Agrees(match.task_queue, facts.task_queue) &&
         Agrees(match.identity, facts.identity) && Agrees(match.workflow_id, facts.workflow_id) &&
         (!match.connections || match.connections->Has(place.connection)) &&
         Agrees(match.listener, place.listener);
}

bool AgreesWithConnection(const Matcher& match, const Place& place) {
  return (!match.connections || match.connections->Has(place.connection)) &&
         Agrees(match.listener, place.listener);
}

}  // namespace

MisbehaviourScript::MisbehaviourScript(Options options)
    : options_(std::move(options)), rng_(options_.seed) {}

MisbehaviourScript::~MisbehaviourScript() = default;

StatusOr<std::string> MisbehaviourScript::Check(const Rule& rule, const std::string& place) const {
  const auto wrong = [&](std::string_view where, std::string_view what) {
    return MakeStatus(StatusCode::kInvalidArgument, "{}.{}: {}", place, where, what);
  };
  if (!wire::OnConnection(rule.effect) && rule.on != Trigger::kCall) {
    return wrong("on",
                 fmt::format("'{}' happens to calls, not to connections", EffectName(rule.effect)));
  }
  if (rule.on != Trigger::kCall && rule.match.NamesCalls()) {
    return wrong("match", "names calls, but the rule is set off by connections");
  }
  if (rule.match.NeedsMessage() && !options_.tools.describe) {
    return wrong("match", "names what is inside messages, which nothing here can read");
  }
  if (std::holds_alternative<RepeatRequest>(rule.effect) && !options_.repeats_requests) {
    return wrong("do", "only a proxy can send a request twice");
  }
  for (const std::string& pattern : rule.match.methods) {
    const auto known =
        options_.tools.methods ? options_.tools.methods() : std::vector<std::string>();
    if (!known.empty() && std::none_of(known.begin(), known.end(),
                                       [&](const auto& m) { return Agrees(pattern, m); })) {
      return wrong("match.method",
                   fmt::format("no RPC is called '{}'{}", pattern, DidYouMean(pattern, known)));
    }
  }
  if (const auto* change = std::get_if<ChangeAnswer>(&rule.effect)) {
    if (!options_.tools.change) return wrong("do", "nothing here can change messages");
    for (const std::string& method : rule.match.methods) {
      if (method.find('*') != std::string::npos) continue;
      const auto changed = options_.tools.change("", method, "", change->fields);
      if (!changed.ok()) return wrong("do.change_answer.fields", Message(changed.status()));
    }
  }
  const auto* status = std::get_if<AnswerStatus>(&rule.effect);
  if (status == nullptr || status->details.empty()) return std::string();
  if (!options_.tools.encode) return wrong("do", "nothing here can encode details");
  std::string details;
  PutVarint(details, 1 << 3);
  PutVarint(details, static_cast<std::uint64_t>(status->code));
  PutBytes(details, 2, status->message);
  for (std::size_t i = 0; i < status->details.size(); ++i) {
    const auto bytes = options_.tools.encode(status->details[i].type, status->details[i].fields);
    if (!bytes.ok()) return wrong(fmt::format("do.status.details[{}]", i), Message(bytes.status()));
    std::string any;
    PutBytes(any, 1, "type.googleapis.com/" + status->details[i].type);
    PutBytes(any, 2, *bytes);
    PutBytes(details, 3, any);
  }
  return details;
}

StatusOr<std::vector<std::string>> MisbehaviourScript::Set(SteadyTime now,
                                                           std::vector<Rule> rules) {
  std::vector<State> fresh;
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::string place = fmt::format("rules[{}]", i);
    SQUALL_ASSIGN_OR_RETURN(std::string details, Check(rules[i], place));
    if (Find(rules[i].id) != nullptr) {
      return MakeStatus(StatusCode::kAlreadyExists,
                        "{}.id: a rule '{}' is in effect; lift it first", place, rules[i].id);
    }
    if (!rules[i].id.empty() && std::find(ids.begin(), ids.end(), rules[i].id) != ids.end()) {
      return MakeStatus(StatusCode::kInvalidArgument, "{}.id: '{}' is there twice", place,
                        rules[i].id);
    }
    while (rules[i].id.empty()) {
      std::string id = fmt::format("rule-{}", ++given_ids_);
      const bool taken =
          Find(id) != nullptr ||
          std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.id == id; });
      if (!taken) rules[i].id = std::move(id);
    }
    ids.push_back(rules[i].id);
    State state;
    state.since = now;
    state.rng = rng_.Split(rules[i].id);
    state.rule =
        std::make_shared<const ActiveRule>(ActiveRule{std::move(rules[i]), std::move(details)});
    fresh.push_back(std::move(state));
  }
  for (auto state = fresh.rbegin(); state != fresh.rend(); ++state)
    rules_.push_front(std::move(*state));
  Refresh();
  for (const std::string& id : ids) {
    State* state = Find(id);
    const Trigger on = state->rule->rule.on;
    if (on != Trigger::kNow && on != Trigger::kEvery) continue;
    const RulePtr rule = state->rule;
    // A connection may end, and leave, because of it.
    std::vector<std::uint64_t> open;
    for (const auto& [connection, member] : members_) open.push_back(connection);
    for (const std::uint64_t connection : open) {
      const auto member = members_.find(connection);
      state = Find(id);
      if (member == members_.end() || state == nullptr) continue;
      if (!AgreesWithConnection(rule->rule.match, member->second->place()) || !Choose(*state, now))
        continue;
      member->second->Misbehave(now, rule);
    }
  }
  return ids;
}

bool MisbehaviourScript::Lift(SteadyTime now, std::string_view id) {
  const auto it = std::find_if(rules_.begin(), rules_.end(),
                               [&](const State& state) { return state.rule->rule.id == id; });
  if (it == rules_.end()) return false;
  const RulePtr rule = it->rule;
  rules_.erase(it);
  Refresh();
  End(now, rule);
  return true;
}

void MisbehaviourScript::LiftAll(SteadyTime now) {
  while (!rules_.empty()) Lift(now, std::string(rules_.front().rule->rule.id));
}

void MisbehaviourScript::End(SteadyTime now, const RulePtr& rule) {
  std::vector<std::function<void(SteadyTime)>> freed;
  for (auto gate = gates_.begin(); gate != gates_.end();) {
    auto& queue = gate->second;
    for (auto it = queue.begin(); it != queue.end();) {
      if (it->rule != rule) {
        ++it;
        continue;
      }
      freed.push_back(std::move(it->work));
      it = queue.erase(it);
    }
    gate = queue.empty() ? gates_.erase(gate) : std::next(gate);
  }
  for (auto& work : freed) work(now);
  for (const auto& [connection, member] : members_) member->Behave(now, rule->rule);
}

std::vector<RuleState> MisbehaviourScript::List() const {
  std::vector<RuleState> list;
  for (const State& state : rules_)
    list.push_back({state.rule->rule, state.matched, state.chosen, state.hits});
  return list;
}

std::size_t MisbehaviourScript::Release(SteadyTime now, std::string_view gate, std::size_t count) {
  const auto found = gates_.find(gate);
  if (found == gates_.end()) return 0;
  std::vector<std::function<void(SteadyTime)>> freed;
  auto& queue = found->second;
  while (!queue.empty() && freed.size() < count) {
    freed.push_back(std::move(queue.front().work));
    queue.pop_front();
  }
  if (queue.empty()) gates_.erase(found);
  for (auto& work : freed) work(now);
  return freed.size();
}

std::map<std::string, std::size_t> MisbehaviourScript::Gates() const {
  std::map<std::string, std::size_t> gates;
  for (const State& state : rules_) {
    if (const auto* hold = std::get_if<HoldCall>(&state.rule->rule.effect))
      gates.emplace(hold->gate, 0);
  }
  for (const auto& [name, queue] : gates_) gates[name] = queue.size();
  return gates;
}

void MisbehaviourScript::Advance(SteadyTime now) {
  while (auto work = timers_.TakeDue(now)) work();
}

void MisbehaviourScript::Join(Member& member) {
  members_.emplace(member.place().connection, &member);
}

void MisbehaviourScript::Leave(Member& member) {
  const auto it = members_.find(member.place().connection);
  if (it != members_.end() && it->second == &member) members_.erase(it);
}

bool MisbehaviourScript::Choose(State& state, SteadyTime now) {
  const Matcher& match = state.rule->rule.match;
  const Duration age = now - state.since;
  if (age < match.from || (match.until.has_value() && age >= *match.until)) return false;
  ++state.matched;
  if (match.numbers.has_value() && !match.numbers->Has(state.matched)) return false;
  if (match.probability < 1 && !state.rng.Chance(match.probability)) return false;
  if (match.times != 0 && state.chosen >= match.times) return false;
  return true;
}

RulePtr MisbehaviourScript::OnCall(SteadyTime now, const Place& place, StreamId stream,
                                   const CallFacts& facts) {
  if (!on_calls_) return nullptr;
  State* chosen = nullptr;
  // All rules count, also behind the one that decides: the third call is the third whoever met the
  // others.
  for (State& state : rules_) {
    if (state.rule->rule.on != Trigger::kCall) continue;
    if (!AgreesWithCall(state.rule->rule.match, place, stream, facts)) continue;
    if (Choose(state, now) && chosen == nullptr) chosen = &state;
  }
  if (chosen == nullptr) return nullptr;
  ++chosen->chosen;
  return chosen->rule;
}

RulePtr MisbehaviourScript::OnConnection(SteadyTime now, const Place& place) {
  State* chosen = nullptr;
  for (State& state : rules_) {
    const Trigger on = state.rule->rule.on;
    if (on != Trigger::kConnection && on != Trigger::kEvery) continue;
    if (!AgreesWithConnection(state.rule->rule.match, place)) continue;
    if (Choose(state, now) && chosen == nullptr) chosen = &state;
  }
  if (chosen == nullptr) return nullptr;
  ++chosen->chosen;
  return chosen->rule;
}

void MisbehaviourScript::Tell(const Rule& rule, const Place& place, StreamId stream,
                              const CallFacts& facts) {
  if (State* state = Find(rule.id)) ++state->hits;
  if (!options_.on_hit) return;
  options_.on_hit({rule.id, std::string(EffectName(rule.effect)), place, stream, facts});
}

void MisbehaviourScript::Later(SteadyTime when, RulePtr unless_lifted,
                               std::function<void(SteadyTime)> work) {
  timers_.Add(when, [this, when, rule = std::move(unless_lifted), work = std::move(work)] {
    if (rule != nullptr) {
      const State* state = Find(rule->rule.id);
      if (state == nullptr || state->rule != rule) return;
    }
    work(when);
  });
}

void MisbehaviourScript::Wait(const std::string& gate, const RulePtr& rule,
                              std::function<void(SteadyTime)> work) {
  gates_[gate].push_back({rule, std::move(work)});
}

MisbehaviourScript::State* MisbehaviourScript::Find(std::string_view id) {
  for (State& state : rules_) {
    if (state.rule->rule.id == id) return &state;
  }
  return nullptr;
}

void MisbehaviourScript::Refresh() {
  needs_message_ = on_calls_ = false;
  for (const State& state : rules_) {
    needs_message_ = needs_message_ || state.rule->rule.match.NeedsMessage();
    on_calls_ = on_calls_ || state.rule->rule.on == Trigger::kCall;
  }
}

}  // namespace squall::wire
