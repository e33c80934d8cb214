#include "fakes/ingress/balancer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace squall::fakes {

using wire::Headers;
using wire::Http2Connection;
using wire::Http2Error;
using wire::Http2Options;
using wire::Http2Role;
using wire::StreamId;

// One call: a stream of a client's, and one of a connection to the server.
struct Balancer::Call {
  Peer* client = nullptr;
  StreamId down = 0;
  Peer* server = nullptr;  // null: none any more, or none yet
  StreamId up = 0;
  std::optional<Headers> held;  // the answer's headers, not sent yet
  bool answered = false;
  // Received and not given back as window.
  std::size_t unpaid_down = 0, unpaid_up = 0;
};

// One transport and its HTTP/2.
struct Balancer::Peer final : public wire::Http2Handler {
  Peer(Balancer& the_owner, std::uint64_t the_number, Http2Role role, Moment now)
      : owner(the_owner), number(the_number), born(now.steady), http2(Options(role), *this) {
    to_server = role == Http2Role::kClient;
  }
  static Http2Options Options(Http2Role role) {
    Http2Options options;
    options.role = role;
    options.auto_window_update = false;
    return options;
  }

  void OnHeaders(StreamId stream, Headers headers) override {
    if (to_server) return owner.OnAnswer(*this, stream, std::move(headers));
    owner.OnRequest(*this, stream, headers);
  }
  void OnData(StreamId stream, std::string_view data) override {
    owner.OnBody(*this, stream, data);
  }
  void OnTrailers(StreamId stream, Headers trailers) override {
    owner.OnTrailers(*this, stream, trailers);
  }
  void OnEndStream(StreamId stream) override { owner.OnEnd(*this, stream); }
  void OnStreamClosed(StreamId stream, Http2Error error, bool) override {
    owner.OnClosed(*this, stream, error);
  }
  void OnGoaway(StreamId, Http2Error, std::string_view) override {
    if (to_server) owner.Drain(*this, "the server sent GOAWAY");
  }

  Balancer& owner;
  const std::uint64_t number;
  const SteadyTime born;
  bool to_server = false;
  std::string peer;
  Http2Connection http2;
  std::map<StreamId, std::shared_ptr<Call>> calls;
  bool connected = false;
  bool draining = false;
  std::string drain_reason;
  std::optional<SteadyTime> drain_end;
  std::uint64_t carried = 0;
};

Balancer::Balancer(BalancerOptions options, journal::Sink& journal)
    : options_(std::move(options)), journal_(journal), source_("balancer:" + options_.name) {}
Balancer::~Balancer() = default;

std::uint64_t Balancer::Accept(Moment now, std::string peer) {
  now_ = now;
  const std::uint64_t number = next_transport_++;
  auto client = std::make_unique<Peer>(*this, number, Http2Role::kServer, now);
  client->peer = std::move(peer);
  client->connected = true;
  Record(*client, "accepted", "");
  peers_.emplace(number, std::move(client));
  return number;
}

void Balancer::Connected(Moment now, std::uint64_t transport) {
  now_ = now;
  Peer* const peer = Find(transport);
  if (peer == nullptr) return;
  peer->connected = true;
  Record(*peer, "established", "");
}

void Balancer::Receive(Moment now, std::uint64_t transport, std::string_view bytes) {
  now_ = now;
  Peer* const peer = Find(transport);
  if (peer == nullptr) return;
  const Status fed = peer->http2.Feed(bytes);
  SendHeldAnswers();
  if (!fed.ok()) {
    End(*peer, Message(fed));
  } else if (peer->http2.finished() && peer->calls.empty() && !peer->to_server) {
    End(*peer, "the client is done");
  }
  Sweep();
}

void Balancer::Lost(Moment now, std::uint64_t transport, std::string_view reason) {
  now_ = now;
  if (Peer* const peer = Find(transport); peer != nullptr) End(*peer, reason);
  Sweep();
}

// The connection of the pool whose turn it is; a new one while there are too few.
Balancer::Peer& Balancer::PeerForCall(Moment now) {
  std::vector<Peer*> pool;
  for (const auto& [number, peer] : peers_) {
    if (peer->to_server && !peer->draining) pool.push_back(peer.get());
  }
  if (pool.size() >= std::max<std::size_t>(1, options_.pool)) return *pool[turn_++ % pool.size()];
  const std::uint64_t number = next_transport_++;
  auto made = std::make_unique<Peer>(*this, number, Http2Role::kClient, now);
  Peer& server = *made;
  peers_.emplace(number, std::move(made));
  output_.push_back({number, "", BalancerOutput::Then::kConnect});
  return server;
}

void Balancer::OnRequest(Peer& client, StreamId stream, const Headers& headers) {
  auto call = std::make_shared<Call>();
  call->client = &client;
  call->down = stream;
  client.calls[stream] = call;
  Peer& server = PeerForCall(now_);
  const StatusOr<StreamId> up = server.http2.SubmitRequest(headers, false);
  if (!up.ok()) {
    Drain(server, "it takes no more streams");
    return Refuse(*call, "overflow");
  }
  call->server = &server;
  call->up = *up;
  server.calls[*up] = call;
  ++server.carried;
  if (options_.calls_per_connection > 0 && server.carried >= options_.calls_per_connection)
    Drain(server, "recycled");
}

void Balancer::OnAnswer(Peer& server, StreamId stream, Headers headers) {
  const auto it = server.calls.find(stream);
  if (it == server.calls.end()) return;
  it->second->held = std::move(headers);
  held_.push_back(it->second);
}

void Balancer::SendHeldAnswers() {
  for (const std::shared_ptr<Call>& call : std::exchange(held_, {})) {
    if (!call->held || call->client == nullptr) continue;
    call->client->http2.SubmitHeaders(call->down, *std::exchange(call->held, std::nullopt), false);
    call->answered = true;
  }
}

void Balancer::OnBody(Peer& from, StreamId stream, std::string_view data) {
  const auto it = from.calls.find(stream);
  if (it == from.calls.end()) return from.http2.Consume(stream, data.size());
  const std::shared_ptr<Call> call = it->second;
  if (from.to_server) {
    if (call->client == nullptr) return from.http2.Consume(stream, data.size());
    SendHeldAnswers();
    call->unpaid_up += data.size();
    call->client->http2.SubmitData(call->down, std::string(data), false);
  } else {
    if (call->server == nullptr) return from.http2.Consume(stream, data.size());
    call->unpaid_down += data.size();
    call->server->http2.SubmitData(call->up, std::string(data), false);
  }
}

void Balancer::OnTrailers(Peer& from, StreamId stream, const Headers& trailers) {
  const auto it = from.calls.find(stream);
  if (it == from.calls.end()) return;
  const std::shared_ptr<Call> call = it->second;
  SendHeldAnswers();
  if (from.to_server && call->client != nullptr) {
    call->client->http2.SubmitTrailers(call->down, trailers);
    Unlink(*std::exchange(call->client, nullptr), *call);
  } else if (!from.to_server && call->server != nullptr) {
    call->server->http2.SubmitTrailers(call->up, trailers);
  }
}

void Balancer::OnEnd(Peer& from, StreamId stream) {
  const auto it = from.calls.find(stream);
  if (it == from.calls.end()) return;
  const std::shared_ptr<Call> call = it->second;
  if (!from.to_server) {
    if (call->server != nullptr) call->server->http2.SubmitData(call->up, "", true);
    return;
  }
  if (call->client == nullptr) return;  // its trailers have said so
  if (call->held) {
    // A status and nothing else: clients read it from the headers only where these end the stream.
    call->client->http2.SubmitHeaders(call->down, *std::exchange(call->held, std::nullopt), true);
  } else {
    call->client->http2.SubmitData(call->down, "", true);
  }
  Unlink(*std::exchange(call->client, nullptr), *call);
}

void Balancer::OnClosed(Peer& from, StreamId stream, Http2Error error) {
  const auto it = from.calls.find(stream);
  if (it == from.calls.end()) return;
  const std::shared_ptr<Call> call = it->second;
  Unlink(from, *call);
  if (from.to_server) {
    call->server = nullptr;
    if (call->client != nullptr) Refuse(*call, "remote reset");
    return;
  }
  // The client has given it up.
  call->client = nullptr;
  call->held.reset();
  if (call->server != nullptr && error != Http2Error::kNoError) {
    Peer& server = *std::exchange(call->server, nullptr);
    Unlink(server, *call);
    server.http2.Reset(call->up, Http2Error::kCancel);
  }
}

// Envoy's words, so that what is written about them helps here too.
void Balancer::Refuse(Call& call, std::string_view reason) {
  Peer& client = *std::exchange(call.client, nullptr);
  Unlink(client, call);
  call.held.reset();
  if (call.answered) return client.http2.Reset(call.down, Http2Error::kInternalError);
  client.http2.SubmitHeaders(
      call.down,
      {{":status", "200"},
       {"content-type", "application/grpc"},
       {"grpc-status", "14"},
       {"grpc-message",
        fmt::format("upstream connect error or disconnect/reset before headers. reset reason: {}",
                    reason)},
       {"server", options_.name}},
      true);
}

void Balancer::Drain(Peer& server, std::string reason) {
  if (server.draining) return;
  server.draining = true;
  server.drain_reason = std::move(reason);
  if (options_.drain_limit > Duration::zero())
    server.drain_end = now_.steady + options_.drain_limit;
}

void Balancer::Sweep() {
  std::vector<Peer*> over;
  for (const auto& [number, peer] : peers_) {
    const bool late = peer->drain_end && now_.steady >= *peer->drain_end;
    if (peer->draining && (peer->calls.empty() || late)) over.push_back(peer.get());
  }
  for (Peer* const peer : over) End(*peer, peer->drain_reason);
}

void Balancer::End(Peer& peer, std::string_view reason) {
  const auto it = peers_.find(peer.number);
  if (it == peers_.end()) return;
  ended_.push_back(std::move(it->second));
  peers_.erase(it);
  for (const auto& [stream, call] : std::exchange(peer.calls, {})) {
    if (peer.to_server) {
      call->server = nullptr;
      const bool established = peer.connected;
      if (call->client != nullptr)
        Refuse(*call, established ? "connection termination" : "connection failure");
    } else {
      call->client = nullptr;
      if (call->server == nullptr) continue;
      Peer& server = *std::exchange(call->server, nullptr);
      Unlink(server, *call);
      server.http2.Reset(call->up, Http2Error::kCancel);
    }
  }
  peer.http2.Goaway(Http2Error::kNoError);
  output_.push_back(
      {peer.number, peer.connected ? peer.http2.TakeOutput() : "", BalancerOutput::Then::kClose});
  const std::string detail =
      peer.to_server ? fmt::format("{} calls; {}", peer.carried, reason) : std::string(reason);
  Record(peer, peer.connected ? "closed" : "failed", detail);
}

void Balancer::Advance(Moment now) {
  now_ = now;
  if (options_.connection_age > Duration::zero()) {
    for (const auto& [number, peer] : peers_) {
      if (peer->to_server && now.steady >= peer->born + options_.connection_age)
        Drain(*peer, "of age");
    }
  }
  Sweep();
}

std::optional<SteadyTime> Balancer::NextDeadline() const {
  std::optional<SteadyTime> next;
  const auto earlier = [&](SteadyTime time) { next = next ? std::min(*next, time) : time; };
  for (const auto& [number, peer] : peers_) {
    if (!peer->to_server) continue;
    if (peer->drain_end) earlier(*peer->drain_end);
    if (!peer->draining && options_.connection_age > Duration::zero())
      earlier(peer->born + options_.connection_age);
  }
  return next;
}

// The stream's window was its own, the connection's is everybody's: what it still owes is given
// back.
void Balancer::Unlink(Peer& peer, Call& call) {
  std::size_t& unpaid = peer.to_server ? call.unpaid_up : call.unpaid_down;
  const StreamId stream = peer.to_server ? call.up : call.down;
  if (unpaid > 0) peer.http2.Consume(stream, std::exchange(unpaid, 0));
  peer.calls.erase(stream);
}

// What the other side has taken is given back as window.
void Balancer::GiveBackWindow() {
  for (const auto& [number, peer] : peers_) {
    for (const auto& [stream, call] : peer->calls) {
      std::size_t& unpaid = peer->to_server ? call->unpaid_up : call->unpaid_down;
      if (unpaid == 0) continue;
      const Peer* const other = peer->to_server ? call->client : call->server;
      const StreamId there = peer->to_server ? call->down : call->up;
      if (other != nullptr && other->http2.queued_bytes(there) > options_.buffer_limit) continue;
      peer->http2.Consume(stream, std::exchange(unpaid, 0));
    }
  }
}

void Balancer::Collect() {
  for (const auto& [number, peer] : peers_) {
    if (!peer->connected) continue;
    if (std::string bytes = peer->http2.TakeOutput(); !bytes.empty())
      output_.push_back({number, std::move(bytes)});
  }
}

std::vector<BalancerOutput> Balancer::TakeOutput() {
  Collect();
  GiveBackWindow();
  Collect();
  Sweep();
  ended_.clear();
  return std::exchange(output_, {});
}

void Balancer::CloseAll(Moment now) {
  now_ = now;
  while (!peers_.empty()) End(*peers_.begin()->second, "the balancer is stopped");
}

std::size_t Balancer::clients() const {
  return static_cast<std::size_t>(std::count_if(
      peers_.begin(), peers_.end(), [](const auto& one) { return !one.second->to_server; }));
}
std::size_t Balancer::pooled() const {
  return static_cast<std::size_t>(std::count_if(peers_.begin(), peers_.end(), [](const auto& one) {
    return one.second->to_server && !one.second->draining;
  }));
}
std::size_t Balancer::draining() const {
  return static_cast<std::size_t>(std::count_if(
      peers_.begin(), peers_.end(), [](const auto& one) { return one.second->draining; }));
}

Balancer::Peer* Balancer::Find(std::uint64_t transport) const {
  const auto it = peers_.find(transport);
  return it == peers_.end() ? nullptr : it->second.get();
}

void Balancer::Record(const Peer& peer, std::string_view what, std::string detail) {
  journal::ConnectionEvent event;
  event.what = what;
  event.link = options_.name;
  event.connection = peer.number;
  event.peer = peer.peer;
  event.detail = std::move(detail);
  journal_.Append(source_, std::move(event));
}

}  // namespace squall::fakes
