#include "base/wire/scripted_server.h"

#include <utility>

#include "base/wire/grpc_fields.h"
#include "base/wire/misbehaviour_effects.h"

namespace squall::wire {
namespace {

GrpcServerOptions Adjusted(GrpcServerOptions options, const ScriptedConnection& connection) {
  options.http2 = connection.Adjusted(options.http2);
  return options;
}

}  // namespace

ScriptedServer::ScriptedServer(const GrpcServerOptions& options, Handler& handler,
                               MisbehaviourScript* script, Place place, SteadyTime now)
    : handler_(handler),
      script_(script),
      now_(now),
      connection_(*this, script, std::move(place), now),
      grpc_(Adjusted(options, connection_), *this) {
  connection_.Begin(now);
}

Status ScriptedServer::Feed(SteadyTime now, std::string_view bytes) {
  now_ = now;
  return connection_.Swallows() ? absl::OkStatus() : grpc_.Feed(bytes);
}

void ScriptedServer::TakeOutput(std::string& out) {
  if (connection_.Speaks(out)) return;
  grpc_.TakeOutput(out);
  if (resets_.empty()) return;
  for (const auto& [call, error] : std::exchange(resets_, {})) http2().Reset(call, error);
  grpc_.TakeOutput(out);
}

// --- Calls
// ------------------------------------------------------------------------------------------------------------

void ScriptedServer::OnCallStarted(StreamId call, GrpcCallHead head) {
  if (script_ != nullptr && script_->active()) {
    CallFacts& facts = heads_[call];
    facts.service = head.service;
    facts.method = head.method;
  }
  handler_.OnCallStarted(call, std::move(head));
}

void ScriptedServer::OnMessage(StreamId call, std::string message) {
  const auto head = heads_.extract(call);
  if (head.empty() || !script_->active()) return handler_.OnMessage(call, std::move(message), {});
  CallFacts facts = std::move(head.mapped());
  if (script_->needs_message()) script_->tools().describe(facts, message);
  RulePtr rule = script_->OnCall(now_, connection_.place(), call, facts);
  if (rule == nullptr) return handler_.OnMessage(call, std::move(message), {});
  if (wire::OnConnection(rule->rule.effect)) {
    connection_.Meet(now_, rule, call, facts);
    handler_.OnMessage(
        call, std::move(message),
        {.fault_id = rule->rule.id, .status = {}, .withheld = end() != End::kKeep || silent()});
    return;
  }
  Met& met = met_[call];
  met = {.rule = rule, .facts = std::move(facts), .serial = ++serial_};
  if (const auto* hold = EffectOf<HoldCall>(rule); hold != nullptr && hold->way == Way::kRequest) {
    Tell(rule->rule, call, met.facts);
    script_->Wait(hold->gate, rule,
                  IfOpen(call, [this, call, message = std::move(message)](SteadyTime now) mutable {
                    MeetRequest(now, call, std::move(message));
                  }));
    return;
  }
  Duration wait{};
  if (const auto* delay = EffectOf<DelayCall>(rule)) {
    if (delay->way == Way::kRequest) wait = delay->by + rule->rule.after;
  } else if (EffectOf<AnswerStatus>(rule) != nullptr || EffectOf<ResetStream>(rule) != nullptr ||
             EffectOf<AnswerHttp>(rule) != nullptr) {
    wait = rule->rule.after;
  }
  if (wait > Duration::zero()) {
    if (EffectOf<DelayCall>(rule) != nullptr) Tell(rule->rule, call, met.facts);
    LaterForCall(now_ + wait, call,
                 [this, call, message = std::move(message)](SteadyTime now) mutable {
                   MeetRequest(now, call, std::move(message));
                 });
  } else {
    MeetRequest(now_, call, std::move(message));
  }
}

void ScriptedServer::MeetRequest(SteadyTime now, StreamId call, std::string message) {
  now_ = now;
  Met& met = met_.at(call);
  const Rule& rule = met.rule->rule;
  CallFate fate{.fault_id = rule.id, .status = {}, .withheld = false};
  if (const auto* status = std::get_if<AnswerStatus>(&rule.effect)) {
    fate.status = GrpcStatus{status->code, status->message, met.rule->status_details};
    Tell(rule, call, met.facts);
    handler_.OnMessage(call, std::move(message), fate);
    return;
  }
  const auto* limit = std::get_if<LimitMessage>(&rule.effect);
  const bool too_large =
      limit != nullptr && limit->way == Way::kRequest && message.size() > limit->bytes;
  if (too_large && !limit->page) {
    fate.status = TooLarge(message.size(), *limit);
    Tell(rule, call, met.facts);
    handler_.OnMessage(call, std::move(message), fate);
    return;
  }
  if (const auto* timeout = std::get_if<ReadTimeout>(&rule.effect)) {
    LaterForCall(now + timeout->by, call, [this, call, timeout, keep = met.rule](SteadyTime) {
      Tell(keep->rule, call, met_.at(call).facts);
      SendPage(call, timeout->status, timeout->content_type, timeout->body);
      Drop(call);
    });
  }
  const auto* reset = std::get_if<ResetStream>(&rule.effect);
  const auto* http = std::get_if<AnswerHttp>(&rule.effect);
  fate.withheld = reset != nullptr || http != nullptr || too_large ||
                  std::holds_alternative<HangCall>(rule.effect);
  if (!fate.withheld) return handler_.OnMessage(call, std::move(message), fate);

  met.swallow = true;
  const RulePtr keep = met.rule;
  Tell(rule, call, met.facts);
  handler_.OnMessage(call, std::move(message), fate);
  if (reset != nullptr) {
    if (reset->headers) http2().SubmitHeaders(call, GrpcResponseHeaders(), false);
    if (reset->headers && grpc_.Take(call)) {
      // A reset overtakes what is queued: it has to wait until the headers are framed.
      resets_.emplace_back(call, reset->error);
    } else {
      grpc_.Reset(call, reset->error);
    }
    Drop(call);
  } else if (http != nullptr) {
    SendPage(call, http->status, http->content_type, http->body);
    Drop(call);
  } else if (too_large) {
    SendPage(call, kContentTooLarge, "text/html", "");
    Drop(call);
  }
}

void ScriptedServer::Drop(StreamId call) {
  met_.erase(call);
  handler_.OnCancelled(call);
}

void ScriptedServer::OnCancelled(StreamId call) {
  heads_.erase(call);
  met_.erase(call);
  handler_.OnCancelled(call);
}

void ScriptedServer::OnPing(bool ack) {
  if (!ack) connection_.OnPing();
  handler_.OnPing(ack);
}

std::function<void(SteadyTime)> ScriptedServer::IfOpen(StreamId call,
                                                       std::function<void(SteadyTime)> work) {
  return [this, alive = std::weak_ptr(alive_), call, serial = met_.at(call).serial,
          work = std::move(work)](SteadyTime now) {
    if (alive.expired() || end() != End::kKeep) return;
    const auto it = met_.find(call);
    if (it == met_.end() || it->second.serial != serial) return;
    work(now);
    handler_.OnOutput();
  };
}

void ScriptedServer::LaterForCall(SteadyTime when, StreamId call,
                                  std::function<void(SteadyTime)> work) {
  script_->Later(when, nullptr, IfOpen(call, std::move(work)));
}

// --- Answers
// ----------------------------------------------------------------------------------------------------------

void ScriptedServer::Reply(SteadyTime now, StreamId call, std::string message) {
  MeetAnswer(now, call, {{}, std::move(message)});
}

void ScriptedServer::Finish(SteadyTime now, StreamId call, GrpcStatus status) {
  MeetAnswer(now, call, {std::move(status), {}});
}

void ScriptedServer::SendPlain(StreamId call, const Answer& answer) {
  if (answer.status.ok()) {
    grpc_.Reply(call, answer.message);
  } else {
    grpc_.Finish(call, answer.status);
  }
}

void ScriptedServer::MeetAnswer(SteadyTime now, StreamId call, const Answer& answer) {
  now_ = now;
  const auto it = met_.find(call);
  if (it == met_.end()) {
    heads_.erase(call);
    return SendPlain(call, answer);
  }
  if (it->second.swallow) return;
  const RulePtr rule = it->second.rule;
  auto send = [this, call, answer](SteadyTime) {
    const Met met = std::move(met_.at(call));
    met_.erase(call);
    SendAnswer(call, met, answer);
  };
  const auto* hold = EffectOf<HoldCall>(rule);
  if (hold != nullptr && hold->way == Way::kAnswer) {
    Tell(rule->rule, call, it->second.facts);
    it->second.swallow = true;  // the call's own deadline may not answer a second time
    return script_->Wait(hold->gate, rule, IfOpen(call, std::move(send)));
  }
  const auto* delay = EffectOf<DelayCall>(rule);
  Duration wait{};
  if (delay != nullptr && delay->way == Way::kAnswer) {
    wait = delay->by + rule->rule.after;
    Tell(rule->rule, call, it->second.facts);
  } else if (delay == nullptr && hold == nullptr && EffectOf<AnswerStatus>(rule) == nullptr) {
    wait = rule->rule.after;
  }
  if (wait == Duration::zero()) return send(now);
  it->second.swallow = true;
  LaterForCall(now + wait, call, std::move(send));
}

AnswerParts ScriptedServer::Apart(const Answer& answer) {
  AnswerParts parts;
  parts.headers = GrpcResponseHeaders();
  if (answer.status.ok()) {
    parts.body = GrpcFrame(answer.message);
    AppendStatus(answer.status, parts.trailers);
  } else {
    AppendStatus(answer.status, parts.headers);
  }
  return parts;
}

void ScriptedServer::SendAnswer(StreamId call, const Met& met, const Answer& answer) {
  const Rule& rule = met.rule->rule;
  if (const auto* lose = std::get_if<LoseAnswer>(&rule.effect)) {
    Tell(rule, call, met.facts);
    if (lose->how == LoseAnswer::How::kResetStream) grpc_.Reset(call, lose->error);
    if (lose->how == LoseAnswer::How::kCloseConnection) connection_.Conclude(End::kClose, rule);
    if (lose->how == LoseAnswer::How::kResetConnection) connection_.Conclude(End::kReset, rule);
    return;
  }
  const auto* limit = std::get_if<LimitMessage>(&rule.effect);
  if (limit != nullptr && limit->way == Way::kAnswer && answer.message.size() > limit->bytes) {
    Tell(rule, call, met.facts);
    if (limit->page) return SendPage(call, kBadGateway, "text/html", "");
    return grpc_.Finish(call, TooLarge(answer.message.size(), *limit));
  }
  if (!ShapesAnswers(rule.effect)) return SendPlain(call, answer);  // it was on the request
  AnswerParts parts = Apart(answer);
  const StatusOr<bool> shaped = ShapeAnswer(*met.rule, met.facts, script_->tools(), call, parts);
  if (!shaped.ok()) return grpc_.Finish(call, GrpcStatus::From(shaped.status()));
  if (!*shaped) return SendPlain(call, answer);
  Tell(rule, call, met.facts);
  if (!parts.raw.empty()) {
    SendPlain(call, answer);
    return http2().SendRaw(parts.raw);
  }
  if (!grpc_.Take(call)) return;
  if (!answer.status.ok()) return http2().SubmitHeaders(call, parts.headers, true);
  http2().SubmitHeaders(call, parts.headers, false);
  http2().SubmitData(call, std::move(parts.body), !parts.with_trailers);
  if (parts.with_trailers) http2().SubmitTrailers(call, parts.trailers);
}

void ScriptedServer::SendPage(StreamId call, int status, const std::string& content_type,
                              const std::string& body) {
  if (!grpc_.Take(call)) return;
  HttpPage page = PageOf(status, content_type, body);
  http2().SubmitHeaders(call, page.headers, false);
  http2().SubmitData(call, std::move(page.body), true);
}

}  // namespace squall::wire
