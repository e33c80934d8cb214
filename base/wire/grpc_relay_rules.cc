// What rules do to the calls of a relay.

#include <utility>

#include "base/wire/grpc_fields.h"
#include "base/wire/grpc_relay.h"
#include "base/wire/grpc_relay_call.h"
#include "base/wire/misbehaviour_effects.h"

namespace squall::wire {
namespace {

// The length that a message's prefix announces; nullopt as long as it is not all there.
std::optional<std::uint64_t> Announced(std::string_view body) {
  if (body.size() < 5) return std::nullopt;
  std::uint64_t length = 0;
  for (std::size_t i = 1; i < 5; ++i) length = length << 8 | static_cast<unsigned char>(body[i]);
  return length;
}

// The handler does not run: the answer is the rule's own.
bool AnswersItself(const Effect& effect) {
  return std::holds_alternative<AnswerStatus>(effect) || std::holds_alternative<HangCall>(effect) ||
         std::holds_alternative<ResetStream>(effect) || std::holds_alternative<AnswerHttp>(effect);
}

}  // namespace

void GrpcRelay::Tell(const Call& call) {
  script_->Tell(call.rule->rule, connection_.place(), call.down, call.facts);
}

std::function<void(SteadyTime)> GrpcRelay::IfOpen(const Call& call, CallWork work) {
  return [this, alive = std::weak_ptr(alive_), stream = call.down, serial = call.serial,
          work = std::move(work)](SteadyTime now) {
    if (alive.expired() || end() != ScriptedEnd::kKeep) return;
    Call* found = Find(stream);
    if (found == nullptr || found->serial != serial) return;
    now_ = now;
    work(*found);
    Flush();
    owner_.OnOutput();
  };
}

void GrpcRelay::Later(Duration wait, const Call& call, CallWork work) {
  script_->Later(now_ + wait, nullptr, IfOpen(call, std::move(work)));
}

// --- Requests

// What is inside the first message.
void GrpcRelay::Describe(Call& call) {
  GrpcFrameParser parser(options_.max_held_bytes);
  std::vector<GrpcFrameParser::Frame> frames;
  if (!parser.Feed(call.request_body, frames).ok() || frames.empty()) return;
  std::string message = std::move(frames.front().payload);
  if (frames.front().compressed) {
    if (call.request_headers.Find("grpc-encoding") != "gzip") return;
    StatusOr<std::string> plain = Gunzip(message, options_.max_held_bytes);
    if (!plain.ok()) return;
    message = *std::move(plain);
  }
  script_->tools().describe(call.facts, message);
}

void GrpcRelay::Decide(Call& call) {
  if (script_->needs_message()) Describe(call);
  const RulePtr rule = script_->OnCall(now_, connection_.place(), call.down, call.facts);
  if (rule == nullptr) return Pass(call);
  if (wire::OnConnection(rule->rule.effect)) {
    connection_.Meet(now_, rule, call.down, call.facts);
    if (end() == ScriptedEnd::kKeep && !silent()) return Pass(call);
    call.request = Call::Request::kSwallowed;
    return;
  }
  call.rule = rule;
  call.request = Call::Request::kWaiting;
  const Duration after = rule->rule.after;
  const auto* hold = EffectOf<HoldCall>(rule);
  const auto* delay = EffectOf<DelayCall>(rule);
  if (hold != nullptr && hold->way == Way::kRequest) {
    Tell(call);
    script_->Wait(hold->gate, rule, IfOpen(call, [this](Call& open) { Pass(open); }));
  } else if (delay != nullptr && delay->way == Way::kRequest) {
    Tell(call);
    Later(delay->by + after, call, [this](Call& open) { Pass(open); });
  } else if (after > Duration::zero() && AnswersItself(rule->rule.effect)) {
    Later(after, call, [this](Call& open) { MeetRequest(open); });
  } else {
    MeetRequest(call);
  }
}

void GrpcRelay::MeetRequest(Call& call) {
  const RulePtr rule = call.rule;
  const auto* limit = EffectOf<LimitMessage>(rule);
  if (limit != nullptr && limit->way == Way::kRequest) {
    const auto bytes = Announced(call.request_body);
    if (!bytes.has_value() || *bytes <= limit->bytes) return Pass(call);
    Tell(call);
    if (limit->page) return EndWithPage(call, kContentTooLarge, "text/html", "");
    return EndWithStatus(call, TooLarge(*bytes, *limit));
  }
  if (!AnswersItself(rule->rule.effect)) return Pass(call);
  Tell(call);
  if (const auto* status = EffectOf<AnswerStatus>(rule)) {
    EndWithStatus(call, {status->code, status->message, rule->status_details});
  } else if (const auto* http = EffectOf<AnswerHttp>(rule)) {
    EndWithPage(call, http->status, http->content_type, http->body);
  } else {
    GiveUpUpstream(call);
    const auto* reset = EffectOf<ResetStream>(rule);
    if (reset == nullptr) return;  // it hangs
    if (!reset->headers) return down_->Reset(call.down, reset->error);
    // A reset overtakes what is queued: it has to wait until the headers are framed.
    down_->SubmitHeaders(call.down, GrpcResponseHeaders(), false);
    resets_.emplace_back(call.down, reset->error);
  }
}

// To the server it goes; what the rule does to the answer is prepared.
void GrpcRelay::Pass(Call& call) {
  call.request = Call::Request::kPassing;
  if (call.rule == nullptr) return OpenUpstream(call);
  const Effect& effect = call.rule->rule.effect;
  const auto* hold = EffectOf<HoldCall>(call.rule);
  const auto* delay = EffectOf<DelayCall>(call.rule);
  if (ShapesAnswers(effect) || std::holds_alternative<LoseAnswer>(effect)) {
    call.answer = Call::Answer::kCollecting;
  } else if ((hold != nullptr && hold->way == Way::kAnswer) ||
             (delay != nullptr && delay->way == Way::kAnswer)) {
    call.answer = Call::Answer::kHeldBack;
  } else if (const auto* timeout = EffectOf<ReadTimeout>(call.rule)) {
    Later(timeout->by + call.rule->rule.after, call, [this, timeout](Call& open) {
      if (open.answer_begun) return;
      Tell(open);
      EndWithPage(open, timeout->status, timeout->content_type, timeout->body);
    });
  } else if (std::holds_alternative<RepeatRequest>(effect)) {
    return SendTwice(call);
  }
  OpenUpstream(call);
}

void GrpcRelay::SendTwice(Call& call) {
  // Of a unary call the message is all there, its end perhaps not yet.
  if (call.request_body.size() > options_.max_held_bytes) return OpenUpstream(call);
  const Headers headers = call.request_headers.ToHeaders();
  const std::string body = call.request_body;
  OpenUpstream(call);
  if (call.up == 0) return;
  const StatusOr<StreamId> again = up_->SubmitRequest(headers, body.empty());
  if (!again.ok()) return;
  shadows_.insert(*again);
  if (!body.empty()) up_->SubmitData(*again, body, true);
  Tell(call);
}

// --- Answers

void GrpcRelay::BeginAnswer(Call& call) {
  const RulePtr rule = call.rule;
  Tell(call);
  if (const auto* hold = EffectOf<HoldCall>(rule)) {
    script_->Wait(hold->gate, rule, IfOpen(call, [this](Call& open) { ReleaseAnswer(open); }));
  } else if (const auto* delay = EffectOf<DelayCall>(rule)) {
    Later(delay->by + rule->rule.after, call, [this](Call& open) { ReleaseAnswer(open); });
  }
}

void GrpcRelay::MeetAnswer(Call& call) {
  if (call.rule->rule.after == Duration::zero()) return ShapeAndSend(call);
  Later(call.rule->rule.after, call, [this](Call& open) { ShapeAndSend(open); });
}

void GrpcRelay::ShapeAndSend(Call& call) {
  const RulePtr rule = call.rule;
  if (const auto* lose = EffectOf<LoseAnswer>(rule)) {
    Tell(call);
    call.answer = Call::Answer::kOver;
    call.answer_body.clear();
    if (lose->how == LoseAnswer::How::kResetStream) down_->Reset(call.down, lose->error);
    if (lose->how == LoseAnswer::How::kCloseConnection) {
      connection_.Conclude(ScriptedEnd::kClose, rule->rule);
    }
    if (lose->how == LoseAnswer::How::kResetConnection) {
      connection_.Conclude(ScriptedEnd::kReset, rule->rule);
    }
    return;
  }
  AnswerParts parts{.headers = call.answer_headers.ToHeaders(),
                    .body = call.answer_body,
                    .trailers = call.answer_trailers.ToHeaders()};
  const StatusOr<bool> shaped = ShapeAnswer(*rule, call.facts, script_->tools(), call.down, parts);
  if (!shaped.ok()) return EndWithStatus(call, GrpcStatus::From(shaped.status()));
  if (!*shaped) return ReleaseAnswer(call);
  Tell(call);
  if (!parts.raw.empty()) {
    ReleaseAnswer(call);
    return down_->SendRaw(parts.raw);
  }
  call.answer = Call::Answer::kOver;
  call.answer_headers_sent = true;
  const bool one_block = parts.body.empty() && parts.trailers.empty();
  down_->SubmitHeaders(call.down, parts.headers, one_block);
  if (one_block) return;
  const bool with_trailers = parts.with_trailers && !parts.trailers.empty();
  down_->SubmitData(call.down, std::move(parts.body), !with_trailers);
  if (with_trailers) down_->SubmitTrailers(call.down, parts.trailers);
}

bool GrpcRelay::RefuseLargeAnswer(Call& call, std::string_view data) {
  const auto* limit = EffectOf<LimitMessage>(call.rule);
  if (limit == nullptr || limit->way != Way::kAnswer || call.answer_headers_sent) return false;
  // The prefix comes in one piece unless somebody slices; then this answer passes.
  const auto bytes = Announced(data);
  if (!bytes.has_value() || *bytes <= limit->bytes) return false;
  Tell(call);
  if (limit->page) {
    EndWithPage(call, kBadGateway, "text/html", "");
  } else {
    EndWithStatus(call, TooLarge(*bytes, *limit));
  }
  return true;
}

// --- Answers of our own

void GrpcRelay::GiveUpUpstream(Call& call) {
  call.request = Call::Request::kSwallowed;
  call.answer = Call::Answer::kOver;
  call.request_body.clear();
  GiveBack(RelaySide::kDownstream, call.down, std::exchange(call.request_unpaid, 0));
  if (call.up != 0) up_->Reset(call.up, Http2Error::kCancel);
}

void GrpcRelay::EndWithStatus(Call& call, const GrpcStatus& status) {
  GiveUpUpstream(call);
  Headers headers = GrpcResponseHeaders();
  AppendStatus(status, headers);
  down_->SubmitHeaders(call.down, headers, true);
}

void GrpcRelay::EndWithPage(Call& call, int status, const std::string& content_type,
                            const std::string& body) {
  GiveUpUpstream(call);
  HttpPage page = PageOf(status, content_type, body);
  down_->SubmitHeaders(call.down, page.headers, false);
  down_->SubmitData(call.down, std::move(page.body), true);
}

}  // namespace squall::wire
