#include "base/wire/grpc_relay.h"

#include <algorithm>
#include <utility>

#include "base/wire/grpc_relay_call.h"

namespace squall::wire {
namespace {

// PINGs of one side that wait for the other's answer; a flood of more is answered here.
constexpr int kPingsUnderWay = 16;

// "/package.Service/Method" apart.
void FactsOfPath(std::string_view path, CallFacts& facts) {
  if (!path.empty() && path.front() == '/') path.remove_prefix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return;
  facts.service = path.substr(0, slash);
  facts.method = path.substr(slash + 1);
}

// The body begins with a complete message.
bool HasMessage(std::string_view body) {
  if (body.size() < kGrpcPrefixBytes) return false;
  std::size_t length = 0;
  for (std::size_t i = 1; i < kGrpcPrefixBytes; ++i)
    length = length << 8 | static_cast<unsigned char>(body[i]);
  return body.size() - kGrpcPrefixBytes >= length;
}

Http2Options SideOptions(Http2Options options, Http2Role role) {
  options.role = role;
  options.auto_ping_ack = false;
  options.auto_window_update = false;
  return options;
}

}  // namespace

GrpcRelayOptions::GrpcRelayOptions() : max_held_bytes(kDefaultMaxMessageBytes + kGrpcPrefixBytes) {
  downstream.stream_window = 256 << 10;
  downstream.connection_window = 64 << 20;
  downstream.max_header_bytes = 1 << 20;
  upstream = downstream;
}

class GrpcRelay::Client final : public Http2Handler {
 public:
  explicit Client(GrpcRelay& relay) : relay_(relay) {}
  void OnHeaderBlock(StreamId stream, HeaderBlock& headers) override {
    relay_.OnRequest(stream, headers);
  }
  void OnData(StreamId stream, std::string_view data) override {
    relay_.OnRequestData(stream, data);
  }
  void OnTrailerBlock(StreamId stream, HeaderBlock& trailers) override {
    Call* call = relay_.Find(stream);
    if (call == nullptr) return;
    call->request_trailers.swap(trailers);
    call->request_has_trailers = true;
  }
  void OnEndStream(StreamId stream) override { relay_.OnRequestEnd(stream); }
  void OnStreamClosed(StreamId stream, Http2Error error, bool) override {
    relay_.OnRequestClosed(stream, error);
  }
  void OnPing(std::string_view opaque, bool ack) override {
    relay_.OnPing(RelaySide::kDownstream, opaque, ack);
  }

 private:
  GrpcRelay& relay_;
};

class GrpcRelay::Server final : public Http2Handler {
 public:
  explicit Server(GrpcRelay& relay) : relay_(relay) {}
  void OnHeaderBlock(StreamId stream, HeaderBlock& headers) override {
    relay_.OnAnswer(stream, headers);
  }
  void OnData(StreamId stream, std::string_view data) override {
    relay_.OnAnswerData(stream, data);
  }
  void OnTrailerBlock(StreamId stream, HeaderBlock& trailers) override {
    Call* call = relay_.FindUp(stream);
    if (call == nullptr) return;
    call->answer_trailers.swap(trailers);
    call->answer_has_trailers = true;
  }
  void OnEndStream(StreamId stream) override { relay_.OnAnswerEnd(stream); }
  void OnStreamClosed(StreamId stream, Http2Error error, bool) override {
    relay_.OnAnswerClosed(stream, error);
  }
  void OnGoaway(StreamId last_stream, Http2Error error, std::string_view debug) override {
    // The numbers of the two sides differ. Calls that the server leaves out are reset one by one as
    // refused, so all that came until now may count as seen.
    relay_.down_->Goaway(
        error, last_stream == Http2Connection::kEverything ? last_stream : Http2Connection::kSeen,
        debug);
  }
  void OnPing(std::string_view opaque, bool ack) override {
    relay_.OnPing(RelaySide::kUpstream, opaque, ack);
  }

 private:
  GrpcRelay& relay_;
};

GrpcRelay::GrpcRelay(const GrpcRelayOptions& options, Owner& owner, MisbehaviourScript* script,
                     Place place, SteadyTime now)
    : options_(options),
      owner_(owner),
      script_(script),
      now_(now),
      connection_(*this, script, std::move(place), now),
      client_(std::make_unique<Client>(*this)),
      server_(std::make_unique<Server>(*this)),
      down_(std::make_unique<Http2Connection>(
          connection_.Adjusted(SideOptions(options.downstream, Http2Role::kServer)), *client_)),
      up_(std::make_unique<Http2Connection>(SideOptions(options.upstream, Http2Role::kClient),
                                            *server_)) {
  connection_.Begin(now);
}

GrpcRelay::~GrpcRelay() = default;

GrpcRelay::Call* GrpcRelay::Find(StreamId down) const {
  const auto* found = calls_.Find(down);
  return found == nullptr ? nullptr : found->get();
}

GrpcRelay::Call* GrpcRelay::FindUp(StreamId up) const {
  const auto* found = by_up_.Find(up);
  return found == nullptr ? nullptr : *found;
}

Status GrpcRelay::Feed(SteadyTime now, RelaySide side, std::string_view bytes) {
  now_ = now;
  if (side == RelaySide::kDownstream && connection_.Swallows()) return absl::OkStatus();
  const Status status = (side == RelaySide::kDownstream ? down_ : up_)->Feed(bytes);
  Flush();
  return status;
}

void GrpcRelay::TakeOutput(RelaySide side, std::string& out) {
  if (side == RelaySide::kUpstream) {
    up_->TakeOutput(out);
  } else if (!connection_.Speaks(out)) {
    down_->TakeOutput(out);
    if (!resets_.empty()) {
      for (const auto& [stream, error] : std::exchange(resets_, {})) down_->Reset(stream, error);
      down_->TakeOutput(out);
    }
  } else {
    return;
  }
  GiveBackTaken(side);
}

// Header blocks wait until everything is fed: only then is it known whether they end their stream.
void GrpcRelay::Flush() {
  if (!fresh_requests_.empty()) LookAtRequests();
  if (!fresh_answers_.empty()) LookAtAnswers();
}

void GrpcRelay::LookAtRequests() {
  std::vector<StreamId> fresh = std::exchange(looked_at_, {});
  fresh.swap(fresh_requests_);
  for (const StreamId stream : fresh) {
    Call* call = Find(stream);
    if (call == nullptr) continue;
    if (call->request == Call::Request::kCollecting) {
      if (call->request_ripe || call->request_ended) Decide(*call);
    } else if (call->request == Call::Request::kPassing && call->up == 0) {
      OpenUpstream(*call);
    }
  }
  fresh.clear();
  looked_at_ = std::move(fresh);
}

void GrpcRelay::LookAtAnswers() {
  std::vector<StreamId> fresh = std::exchange(looked_at_, {});
  fresh.swap(fresh_answers_);
  for (const StreamId stream : fresh) {
    Call* call = Find(stream);
    if (call == nullptr || call->answer != Call::Answer::kPassing) continue;
    if (!call->answer_headers_sent) SendAnswerHeaders(*call, false);
  }
  fresh.clear();
  looked_at_ = std::move(fresh);
}

std::size_t GrpcRelay::held_bytes(RelaySide to) const {
  std::size_t bytes = 0;
  calls_.ForEach([&](StreamId stream, const std::unique_ptr<Call>& call) {
    if (to == RelaySide::kDownstream) {
      bytes += call->answer_body.size() + down_->queued_bytes(stream);
    } else {
      bytes += call->request_body.size() + (call->up == 0 ? 0 : up_->queued_bytes(call->up));
    }
  });
  return bytes;
}

// --- Requests

void GrpcRelay::OnRequest(StreamId stream, HeaderBlock& headers) {
  Call& call = *calls_.Add(stream, spares_.Take());
  call.down = stream;
  call.serial = ++serial_;
  call.request_headers.swap(headers);
  if (script_ != nullptr && script_->on_calls()) {
    FactsOfPath(call.request_headers.Find(":path"), call.facts);
    call.request = Call::Request::kCollecting;
  }
  fresh_requests_.push_back(stream);
}

void GrpcRelay::OnRequestData(StreamId stream, std::string_view data) {
  Call* call = Find(stream);
  if (call == nullptr) return GiveBack(RelaySide::kDownstream, stream, data.size());
  switch (call->request) {
    case Call::Request::kCollecting:
      call->request_body.append(data);
      GiveBack(RelaySide::kDownstream, stream, data.size());
      if (call->request_ripe ||
          (call->request_body.size() <= options_.max_held_bytes && !HasMessage(call->request_body)))
        return;
      call->request_ripe = true;
      fresh_requests_.push_back(stream);
      return;
    case Call::Request::kWaiting:
      call->request_body.append(data);
      call->request_unpaid += data.size();
      return;
    case Call::Request::kSwallowed:
      return GiveBack(RelaySide::kDownstream, stream, data.size());
    case Call::Request::kPassing:
      break;
  }
  if (call->up == 0) OpenUpstream(*call);
  if (call->up == 0) return GiveBack(RelaySide::kDownstream, stream, data.size());
  if (call->request_unpaid == 0) behind_up_.push_back(stream);
  call->request_unpaid += data.size();
  up_->AppendData(call->up, data);
}

void GrpcRelay::OnRequestEnd(StreamId stream) {
  Call* call = Find(stream);
  if (call == nullptr) return;
  call->request_ended = true;
  if (call->request == Call::Request::kCollecting) {
    fresh_requests_.push_back(stream);
  } else if (call->request == Call::Request::kPassing) {
    PassRequestEnd(*call);
  }
}

void GrpcRelay::PassRequestEnd(Call& call) {
  if (call.up == 0) return OpenUpstream(call);  // which passes all there is
  if (call.request_has_trailers) {
    up_->SubmitTrailers(call.up, call.request_trailers);
  } else {
    up_->SubmitData(call.up, {}, true);
  }
}

void GrpcRelay::OpenUpstream(Call& call) {
  const bool bare = call.request_ended && call.request_body.empty() && !call.request_has_trailers;
  const StatusOr<StreamId> stream = up_->SubmitRequest(call.request_headers, bare);
  if (!stream.ok()) {
    // The server has said GOAWAY: what the client may try again elsewhere.
    call.request = Call::Request::kSwallowed;
    call.answer = Call::Answer::kOver;
    return down_->Reset(call.down, Http2Error::kRefusedStream);
  }
  call.up = *stream;
  by_up_.Add(call.up, &call);
  call.request_headers.clear();
  if (bare) return;
  if (!call.request_body.empty()) {
    if (call.request_unpaid > 0) behind_up_.push_back(call.down);
    up_->SubmitData(call.up, std::exchange(call.request_body, {}), false);
  }
  if (call.request_ended) PassRequestEnd(call);
}

void GrpcRelay::OnRequestClosed(StreamId stream, Http2Error error) {
  std::unique_ptr<Call> call = calls_.Remove(stream);
  if (call == nullptr) return;
  GiveBack(RelaySide::kDownstream, stream, call->request_unpaid);
  if (call->up != 0) {
    by_up_.Remove(call->up);
    GiveBack(RelaySide::kUpstream, call->up, call->answer_unpaid);
    if (!call->answer_ended || !call->request_ended) {
      up_->Reset(call->up, error == Http2Error::kNoError ? Http2Error::kCancel : error);
    }
  }
  spares_.Keep(std::move(call));
}

// --- Answers

void GrpcRelay::OnAnswer(StreamId stream, HeaderBlock& headers) {
  Call* call = FindUp(stream);
  if (call == nullptr || call->answer == Call::Answer::kOver) return;
  call->answer_begun = true;
  call->answer_headers.swap(headers);
  if (call->answer == Call::Answer::kPassing) {
    fresh_answers_.push_back(call->down);
  } else if (call->answer == Call::Answer::kHeldBack) {
    BeginAnswer(*call);
  }
}

void GrpcRelay::OnAnswerData(StreamId stream, std::string_view data) {
  Call* call = FindUp(stream);
  if (call == nullptr || call->answer == Call::Answer::kOver) {
    return GiveBack(RelaySide::kUpstream, stream, data.size());
  }
  if (call->answer == Call::Answer::kHeldBack) {
    call->answer_body.append(data);
    call->answer_unpaid += data.size();
    return;
  }
  if (call->answer == Call::Answer::kCollecting) {
    GiveBack(RelaySide::kUpstream, stream, data.size());
    if (std::holds_alternative<LoseAnswer>(call->rule->rule.effect)) return;
    call->answer_body.append(data);
    if (call->answer_body.size() > options_.max_held_bytes) ReleaseAnswer(*call);
    return;
  }
  if (call->rule != nullptr && RefuseLargeAnswer(*call, data)) {
    return GiveBack(RelaySide::kUpstream, stream, data.size());
  }
  if (!call->answer_headers_sent) SendAnswerHeaders(*call, false);
  if (call->answer_unpaid == 0) behind_down_.push_back(call->down);
  call->answer_unpaid += data.size();
  down_->AppendData(call->down, data);
}

void GrpcRelay::OnAnswerEnd(StreamId stream) {
  Call* call = FindUp(stream);
  if (call == nullptr) return;
  call->answer_ended = true;
  if (call->answer == Call::Answer::kPassing) {
    PassAnswerEnd(*call);
  } else if (call->answer == Call::Answer::kCollecting) {
    MeetAnswer(*call);
  }
}

void GrpcRelay::SendAnswerHeaders(Call& call, bool end) {
  call.answer_headers_sent = true;
  down_->SubmitHeaders(call.down, call.answer_headers, end);
  call.answer_headers.clear();
}

void GrpcRelay::PassAnswerEnd(Call& call) {
  const bool bare = !call.answer_headers_sent && !call.answer_has_trailers;
  if (!call.answer_headers_sent) SendAnswerHeaders(call, bare);
  if (bare) return;
  if (call.answer_has_trailers) {
    down_->SubmitTrailers(call.down, call.answer_trailers);
  } else {
    down_->SubmitData(call.down, {}, true);
  }
}

// What was held goes, and what is still to come passes.
void GrpcRelay::ReleaseAnswer(Call& call) {
  call.answer = Call::Answer::kPassing;
  if (!call.answer_begun) return;
  if (!call.answer_body.empty()) {
    SendAnswerHeaders(call, false);
    if (call.answer_unpaid > 0) behind_down_.push_back(call.down);
    down_->SubmitData(call.down, std::exchange(call.answer_body, {}), false);
  }
  if (call.answer_ended) {
    PassAnswerEnd(call);
  } else if (!call.answer_headers_sent) {
    SendAnswerHeaders(call, false);
  }
}

void GrpcRelay::OnAnswerClosed(StreamId stream, Http2Error error) {
  if (shadows_.erase(stream) > 0) return;
  Call* call = FindUp(stream);
  if (call == nullptr) return;
  by_up_.Remove(stream);
  call->up = 0;
  call->request = Call::Request::kSwallowed;
  GiveBack(RelaySide::kDownstream, call->down, std::exchange(call->request_unpaid, 0));
  GiveBack(RelaySide::kUpstream, stream, std::exchange(call->answer_unpaid, 0));
  if (call->answer_ended || call->answer == Call::Answer::kOver) return;
  down_->Reset(call->down, error == Http2Error::kNoError ? Http2Error::kInternalError : error);
}

// --- Both

void GrpcRelay::OnPing(RelaySide from, std::string_view opaque, bool ack) {
  const bool client = from == RelaySide::kDownstream;
  Http2Connection& here = client ? *down_ : *up_;
  Http2Connection& there = client ? *up_ : *down_;
  // A fault that withholds acknowledgements meets what it withholds: also the answer to a PING that
  // came before it.
  const auto acknowledge = [&](Http2Connection& to, bool from_client) {
    if (from_client && pings_withheld_) return connection_.OnPing();
    to.AckPing(opaque);
  };
  if (ack) {
    if (pings_under_way_ > 0) --pings_under_way_;
    return acknowledge(there, !client);
  }
  if (options_.pass_pings && pings_under_way_ < kPingsUnderWay) {
    ++pings_under_way_;
    there.Ping(opaque);
  } else {
    acknowledge(here, client);
  }
}

void GrpcRelay::GiveBack(RelaySide side, StreamId stream, std::size_t bytes) {
  if (bytes == 0) return;
  if (side == RelaySide::kUpstream) return up_->Consume(stream, bytes);
  if (windows_withheld_) {
    withheld_[stream] += bytes;
  } else {
    down_->Consume(stream, bytes);
  }
}

// Window for what `taker` has taken goes to the other side.
void GrpcRelay::GiveBackTaken(RelaySide taker) {
  const bool by_server = taker == RelaySide::kUpstream;
  std::vector<StreamId>& behind = by_server ? behind_up_ : behind_down_;
  std::erase_if(behind, [&](StreamId stream) {
    Call* call = Find(stream);
    if (call == nullptr) return true;
    std::size_t& unpaid = by_server ? call->request_unpaid : call->answer_unpaid;
    const std::size_t queued =
        by_server ? (call->up == 0 ? 0 : up_->queued_bytes(call->up)) : down_->queued_bytes(stream);
    if (unpaid > queued) {
      const std::size_t paid = unpaid - queued;
      unpaid = queued;
      if (by_server) {
        GiveBack(RelaySide::kDownstream, stream, paid);
      } else if (call->up != 0) {
        GiveBack(RelaySide::kUpstream, call->up, paid);
      }
    }
    return unpaid == 0;
  });
}

void GrpcRelay::WithholdWindows(bool withhold) {
  windows_withheld_ = withhold;
  if (withhold) return;
  for (const auto& [stream, bytes] : std::exchange(withheld_, {})) down_->Consume(stream, bytes);
}

}  // namespace squall::wire
