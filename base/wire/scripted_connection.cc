#include "base/wire/scripted_connection.h"

#include <utility>

#include "base/wire/misbehaviour_effects.h"

namespace squall::wire {

ScriptedConnection::ScriptedConnection(Host& host, MisbehaviourScript* script, Place place,
                                       SteadyTime now)
    : host_(host),
      script_(script),
      place_(std::move(place)),
      on_accept_(script != nullptr && script->active() ? script->OnConnection(now, place_)
                                                       : nullptr) {}

ScriptedConnection::~ScriptedConnection() {
  if (script_ != nullptr) script_->Leave(*this);
}

Http2Options ScriptedConnection::Adjusted(const Http2Options& options) const {
  return AdjustedHttp2(options, on_accept_);
}

void ScriptedConnection::Begin(SteadyTime now) {
  if (script_ == nullptr) return;
  script_->Join(*this);
  if (on_accept_ != nullptr) Misbehave(now, on_accept_);
}

bool ScriptedConnection::Swallows() {
  if (silent_ || end_ != ScriptedEnd::kKeep) return true;
  if (!http1_armed_) return false;
  http1_ = Http1Page(std::get<AnswerHttp>(on_accept_->rule.effect));
  script_->Tell(on_accept_->rule, place_);
  Conclude(ScriptedEnd::kClose, on_accept_->rule);
  return true;
}

bool ScriptedConnection::Speaks(std::string& out) {
  if (silent_) return true;
  if (!http1_.empty()) {
    out.append(std::exchange(http1_, {}));
    return true;
  }
  return http1_armed_;
}

void ScriptedConnection::OnPing() {
  if (of_pings_ != nullptr) script_->Tell(of_pings_->rule, place_);
}

void ScriptedConnection::Conclude(ScriptedEnd end, const Rule& rule) {
  if (end_ != ScriptedEnd::kKeep) return;
  end_ = end;
  end_fault_ = rule.id;
}

void ScriptedConnection::Meet(SteadyTime now, const RulePtr& rule, StreamId stream,
                              const CallFacts& facts) {
  if (rule->rule.after == Duration::zero()) return CarryOut(rule, stream, facts);
  script_->Later(now + rule->rule.after, rule,
                 [this, alive = std::weak_ptr(alive_), rule, stream, facts](SteadyTime) {
                   if (alive.expired()) return;
                   CarryOut(rule, stream, facts);
                   host_.OnOutput();
                 });
}

void ScriptedConnection::Misbehave(SteadyTime now, const RulePtr& rule) {
  Meet(now, rule);
  if (rule->rule.after == Duration::zero() && rule != on_accept_) host_.OnOutput();
}

void ScriptedConnection::CarryOut(const RulePtr& active, StreamId stream, const CallFacts& facts) {
  if (end_ != ScriptedEnd::kKeep || silent_) return;
  const Rule& rule = active->rule;
  const bool begins = active == on_accept_ && rule.after == Duration::zero();
  if (const auto* http = std::get_if<AnswerHttp>(&rule.effect)) {
    if (begins) {
      http1_armed_ = true;  // and told when the client has said something
      return;
    }
    host_.http2().SendRaw(Http1Page(*http));
    Conclude(ScriptedEnd::kClose, rule);
  } else if (const auto* goaway = std::get_if<SendGoaway>(&rule.effect)) {
    host_.http2().Goaway(goaway->error, goaway->last_stream, goaway->debug);
    if (goaway->close) Conclude(ScriptedEnd::kClose, rule);
  } else if (const auto* settings = std::get_if<ChangeSettings>(&rule.effect)) {
    const auto values = begins ? SettingsLeft(*settings) : settings->values;
    if (!values.empty()) host_.http2().SubmitSettings(values);
  } else if (std::holds_alternative<WithholdPingAck>(rule.effect)) {
    of_pings_ = active;
    host_.WithholdPings(true);
    return;  // told with each PING
  } else if (std::holds_alternative<WithholdWindow>(rule.effect)) {
    of_windows_ = active;
    host_.WithholdWindows(true);
  } else if (std::holds_alternative<CloseConnection>(rule.effect)) {
    Conclude(ScriptedEnd::kClose, rule);
  } else if (std::holds_alternative<ResetConnection>(rule.effect)) {
    Conclude(ScriptedEnd::kReset, rule);
  } else if (std::holds_alternative<HalfOpen>(rule.effect)) {
    silent_ = true;
    end_fault_ = rule.id;
  }
  script_->Tell(rule, place_, stream, facts);
}

void ScriptedConnection::Behave(SteadyTime, const Rule& rule) {
  if (of_pings_ != nullptr && of_pings_->rule.id == rule.id) {
    of_pings_.reset();
    host_.WithholdPings(false);
  }
  if (of_windows_ != nullptr && of_windows_->rule.id == rule.id) {
    of_windows_.reset();
    host_.WithholdWindows(false);
    host_.OnOutput();
  }
}

}  // namespace squall::wire
