#include "base/wire/scripted_server.h"

#include <algorithm>
#include <utility>

#include "base/wire/grpc_fields.h"
#include "base/wire/raw_frames.h"

namespace squall::wire {
namespace {

// Longest value of one field of an oversized header: some HPACK decoders take no value above 64
// KiB, whatever the peer's settings say of the block.
constexpr std::uint64_t kHeaderValue = 8192;
constexpr std::uint32_t kMaxWindow = 0x7fffffff;
constexpr std::uint32_t kMinFrame = 16384, kMaxFrame = 16777215;

std::string_view Reason(int http_status) {
  switch (http_status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return http_status < 400 ? "OK" : "Error";
  }
}

std::string Page(const AnswerHttp& http) {
  if (!http.body.empty()) return http.body;
  return fmt::format(
      "<html><head><title>{0} {1}</title></head><body><h1>{0} {1}</h1></body></html>\r\n",
      http.status, Reason(http.status));
}

std::string Http1(const AnswerHttp& http) {
  const std::string page = Page(http);
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
      http.status, Reason(http.status), http.content_type, page.size(), page);
}

template <typename T>
const T* EffectOf(const RulePtr& rule) {
  return rule == nullptr ? nullptr : std::get_if<T>(&rule->rule.effect);
}

// A rule that meets the connection from its first byte has a say in how it begins.
GrpcServerOptions Adjusted(GrpcServerOptions options, const RulePtr& rule) {
  if (rule == nullptr || rule->rule.after > Duration::zero()) return options;
  if (const auto* http = EffectOf<AnswerHttp>(rule); http != nullptr && http->http1) {
    options.http2.auto_settings = false;
  }
  if (const auto* settings = EffectOf<ChangeSettings>(rule)) {
    for (const auto& [id, value] : settings->values) {
      if (id == 3) options.http2.max_concurrent_streams = value;
      if (id == 4 && value <= kMaxWindow) options.http2.stream_window = value;
      if (id == 5 && value >= kMinFrame && value <= kMaxFrame) options.http2.max_frame_size = value;
      if (id == 6) options.http2.max_header_bytes = value;
    }
  }
  return options;
}

Headers ResponseHeaders() {
  return {{":status", "200"}, {"content-type", std::string(kGrpcContentType)}};
}

}  // namespace

ScriptedServer::ScriptedServer(const GrpcServerOptions& options, Handler& handler,
                               MisbehaviourScript* script, Place place, SteadyTime now)
    : handler_(handler),
      script_(script),
      place_(std::move(place)),
      now_(now),
      on_accept_(script != nullptr && script->active() ? script->OnConnection(now, place_)
                                                       : nullptr),
      grpc_(Adjusted(options, on_accept_), *this) {
  if (script_ == nullptr) return;
  script_->Join(*this);
  if (on_accept_ != nullptr) Misbehave(now, on_accept_);
}

ScriptedServer::~ScriptedServer() {
  if (script_ != nullptr) script_->Leave(*this);
}

Status ScriptedServer::Feed(SteadyTime now, std::string_view bytes) {
  now_ = now;
  if (silent_ || end_ != End::kKeep) return absl::OkStatus();
  if (http1_armed_) {
    http1_ = Http1(std::get<AnswerHttp>(on_accept_->rule.effect));
    script_->Tell(on_accept_->rule, place_);
    Conclude(End::kClose, on_accept_->rule);
    return absl::OkStatus();
  }
  return grpc_.Feed(bytes);
}

void ScriptedServer::TakeOutput(std::string& out) {
  if (silent_) return;
  if (!http1_.empty()) {
    out.append(std::exchange(http1_, {}));
  } else if (!http1_armed_) {
    grpc_.TakeOutput(out);
    if (resets_.empty()) return;
    for (const auto& [call, error] : std::exchange(resets_, {})) http2().Reset(call, error);
    grpc_.TakeOutput(out);
  }
}

void ScriptedServer::Conclude(End end, const Rule& rule) {
  if (end_ != End::kKeep) return;
  end_ = end;
  end_fault_ = rule.id;
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
  if (script_->needs_message())
    facts = script_->tools().describe(facts.service, facts.method, message);
  RulePtr rule = script_->OnCall(now_, place_, call, facts);
  if (rule == nullptr) return handler_.OnMessage(call, std::move(message), {});
  if (wire::OnConnection(rule->rule.effect)) {
    const Duration after = rule->rule.after;
    if (after > Duration::zero()) {
      script_->Later(now_ + after, rule,
                     [this, alive = std::weak_ptr(alive_), rule, call,
                      facts = std::move(facts)](SteadyTime now) {
                       if (alive.expired()) return;
                       OnTheConnection(now, rule, call, facts);
                       handler_.OnOutput();
                     });
    } else {
      OnTheConnection(now_, rule, call, facts);
    }
    handler_.OnMessage(
        call, std::move(message),
        {.fault_id = rule->rule.id, .status = {}, .withheld = end_ != End::kKeep || silent_});
    return;
  }
  Met& met = met_[call];
  met = {.rule = rule, .facts = std::move(facts), .serial = ++serial_};
  if (const auto* hold = EffectOf<HoldCall>(rule); hold != nullptr && hold->way == Way::kRequest) {
    script_->Tell(rule->rule, place_, call, met.facts);
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
    if (EffectOf<DelayCall>(rule) != nullptr) script_->Tell(rule->rule, place_, call, met.facts);
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
    script_->Tell(rule, place_, call, met.facts);
    handler_.OnMessage(call, std::move(message), fate);
    return;
  }
  const auto* reset = std::get_if<ResetStream>(&rule.effect);
  const auto* http = std::get_if<AnswerHttp>(&rule.effect);
  fate.withheld =
      reset != nullptr || http != nullptr || std::holds_alternative<HangCall>(rule.effect);
  if (!fate.withheld) return handler_.OnMessage(call, std::move(message), fate);

  met.swallow = true;
  const RulePtr keep = met.rule;
  script_->Tell(rule, place_, call, met.facts);
  handler_.OnMessage(call, std::move(message), fate);
  if (reset != nullptr) {
    if (reset->headers) http2().SubmitHeaders(call, ResponseHeaders(), false);
    if (reset->headers && grpc_.Take(call)) {
      // A reset overtakes what is queued: it has to wait until the headers are framed.
      resets_.emplace_back(call, reset->error);
    } else {
      grpc_.Reset(call, reset->error);
    }
    Drop(call);
  } else if (http != nullptr && grpc_.Take(call)) {
    http2().SubmitHeaders(
        call, {{":status", fmt::format("{}", http->status)}, {"content-type", http->content_type}},
        false);
    http2().SubmitData(call, Page(*http), true);
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
  if (!ack && of_pings_ != nullptr) script_->Tell(of_pings_->rule, place_);
  handler_.OnPing(ack);
}

std::function<void(SteadyTime)> ScriptedServer::IfOpen(StreamId call,
                                                       std::function<void(SteadyTime)> work) {
  return [this, alive = std::weak_ptr(alive_), call, serial = met_.at(call).serial,
          work = std::move(work)](SteadyTime now) {
    if (alive.expired() || end_ != End::kKeep) return;
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
    script_->Tell(rule->rule, place_, call, it->second.facts);
    it->second.swallow = true;  // the call's own deadline may not answer a second time
    return script_->Wait(hold->gate, rule, IfOpen(call, std::move(send)));
  }
  const auto* delay = EffectOf<DelayCall>(rule);
  Duration wait{};
  if (delay != nullptr && delay->way == Way::kAnswer) {
    wait = delay->by + rule->rule.after;
    script_->Tell(rule->rule, place_, call, it->second.facts);
  } else if (delay == nullptr && hold == nullptr && EffectOf<AnswerStatus>(rule) == nullptr) {
    wait = rule->rule.after;
  }
  if (wait == Duration::zero()) return send(now);
  it->second.swallow = true;
  LaterForCall(now + wait, call, std::move(send));
}

void ScriptedServer::SendAnswer(StreamId call, const Met& met, const Answer& answer) {
  const Rule& rule = met.rule->rule;
  const auto tell = [&] { script_->Tell(rule, place_, call, met.facts); };
  const bool ok = answer.status.ok();
  if (const auto* lose = std::get_if<LoseAnswer>(&rule.effect)) {
    tell();
    if (lose->how == LoseAnswer::How::kResetStream) grpc_.Reset(call, lose->error);
    if (lose->how == LoseAnswer::How::kCloseConnection) Conclude(End::kClose, rule);
    if (lose->how == LoseAnswer::How::kResetConnection) Conclude(End::kReset, rule);
    return;
  }
  if (const auto* twice = std::get_if<AnswerTwice>(&rule.effect);
      twice != nullptr && twice->as == AnswerTwice::As::kResponses) {
    tell();
    SendPlain(call, answer);
    Headers trailers;
    AppendStatus(answer.status, trailers);
    Headers headers = ResponseHeaders();
    if (!ok) headers.insert(headers.end(), trailers.begin(), trailers.end());
    std::string again = RawHeaders(call, headers, !ok);
    if (ok)
      again += RawData(call, GrpcFrame(answer.message), false) + RawHeaders(call, trailers, true);
    return http2().SendRaw(again);
  }
  const auto* oversized = std::get_if<OversizedHeader>(&rule.effect);
  if (oversized == nullptr && !ok)
    return SendPlain(call, answer);  // there is no message to do anything to

  // The response, taken apart.
  Headers headers = ResponseHeaders();
  std::string body = ok ? GrpcFrame(answer.message) : std::string();
  Headers trailers;
  AppendStatus(answer.status, trailers);
  bool with_trailers = true;
  if (oversized != nullptr) {
    Headers& where = oversized->in_trailers ? trailers : headers;
    for (std::uint64_t left = oversized->bytes; left > 0;) {
      const std::uint64_t n = std::min(left, kHeaderValue);
      where.push_back({"x-oversized", std::string(static_cast<std::size_t>(n), 'x')});
      left -= n;
    }
  } else if (const auto* twice = std::get_if<AnswerTwice>(&rule.effect)) {
    static_cast<void>(twice);
    body += body;
  } else if (const auto* empty = std::get_if<AnswerEmpty>(&rule.effect)) {
    body = empty->what == AnswerEmpty::What::kMessage ? GrpcFrame("") : std::string();
  } else if (const auto* malformed = std::get_if<AnswerMalformed>(&rule.effect)) {
    switch (malformed->how) {
      case AnswerMalformed::How::kGarbage:
        body = GrpcFrame(std::string(16, '\xff'));
        break;
      case AnswerMalformed::How::kTruncated:
        body = GrpcFrame(answer.message.empty() ? std::string(2, '\0') : answer.message);
        body.resize(body.size() - (body.size() - 5 + 1) / 2);
        break;
      case AnswerMalformed::How::kCompressed:
        body = GrpcFrame(answer.message, true);
        break;
    }
  } else if (const auto* change = std::get_if<ChangeAnswer>(&rule.effect)) {
    const auto changed = script_->tools().change(met.facts.service, met.facts.method,
                                                 answer.message, change->fields);
    if (!changed.ok()) {
      return SendPlain(call, {{static_cast<int>(StatusCode::kInternal),
                               fmt::format("rule {}: {}", rule.id, Message(changed.status())),
                               {}},
                              {}});
    }
    body = GrpcFrame(*changed);
  } else if (std::holds_alternative<MissingTrailers>(rule.effect)) {
    with_trailers = false;
  } else {
    return SendPlain(call, answer);  // the effect was on the request
  }
  tell();
  if (!grpc_.Take(call)) return;
  if (!ok) headers.insert(headers.end(), trailers.begin(), trailers.end());
  if (body.empty() && !ok) return http2().SubmitHeaders(call, headers, true);
  http2().SubmitHeaders(call, headers, false);
  http2().SubmitData(call, std::move(body), !with_trailers);
  if (with_trailers) http2().SubmitTrailers(call, trailers);
}

// --- The connection
// ---------------------------------------------------------------------------------------------------

void ScriptedServer::Misbehave(SteadyTime now, const RulePtr& rule) {
  if (rule->rule.after > Duration::zero()) {
    script_->Later(now + rule->rule.after, rule,
                   [this, alive = std::weak_ptr(alive_), rule](SteadyTime at) {
                     if (alive.expired()) return;
                     OnTheConnection(at, rule, 0, {});
                     handler_.OnOutput();
                   });
    return;
  }
  OnTheConnection(now, rule, 0, {});
  if (rule->rule.on == Trigger::kNow) handler_.OnOutput();
}

void ScriptedServer::OnTheConnection(SteadyTime now, const RulePtr& active, StreamId stream,
                                     const CallFacts& facts) {
  now_ = now;
  if (end_ != End::kKeep || silent_) return;
  const Rule& rule = active->rule;
  const bool begins = active == on_accept_ && rule.after == Duration::zero();
  const auto tell = [&] { script_->Tell(rule, place_, stream, facts); };
  if (const auto* http = std::get_if<AnswerHttp>(&rule.effect)) {
    if (begins) {
      http1_armed_ = true;  // and told when the client has said something
      return;
    }
    http2().SendRaw(Http1(*http));
    Conclude(End::kClose, rule);
  } else if (const auto* goaway = std::get_if<SendGoaway>(&rule.effect)) {
    http2().Goaway(goaway->error, goaway->last_stream, goaway->debug);
    if (goaway->close) Conclude(End::kClose, rule);
  } else if (const auto* settings = std::get_if<ChangeSettings>(&rule.effect)) {
    std::vector<std::pair<std::uint16_t, std::uint32_t>> values = settings->values;
    if (begins) {
      // What Adjusted has put into the first SETTINGS.
      std::erase_if(values, [](const auto& value) {
        return value.first == 3 || value.first == 6 ||
               (value.first == 4 && value.second <= kMaxWindow) ||
               (value.first == 5 && value.second >= kMinFrame && value.second <= kMaxFrame);
      });
    }
    if (!values.empty()) http2().SubmitSettings(values);
  } else if (std::holds_alternative<WithholdPingAck>(rule.effect)) {
    of_pings_ = active;
    http2().SetAutoPingAck(false);
    return;  // told with each PING
  } else if (std::holds_alternative<WithholdWindow>(rule.effect)) {
    of_windows_ = active;
    http2().SetAutoWindowUpdate(false);
  } else if (std::holds_alternative<CloseConnection>(rule.effect)) {
    Conclude(End::kClose, rule);
  } else if (std::holds_alternative<ResetConnection>(rule.effect)) {
    Conclude(End::kReset, rule);
  } else if (std::holds_alternative<HalfOpen>(rule.effect)) {
    silent_ = true;
    end_fault_ = rule.id;
  }
  tell();
}

void ScriptedServer::Behave(SteadyTime now, const Rule& rule) {
  now_ = now;
  if (of_pings_ != nullptr && of_pings_->rule.id == rule.id) {
    of_pings_.reset();
    http2().SetAutoPingAck(true);
  }
  if (of_windows_ != nullptr && of_windows_->rule.id == rule.id) {
    of_windows_.reset();
    http2().SetAutoWindowUpdate(true);
    handler_.OnOutput();
  }
}

}  // namespace squall::wire
