#include "fakes/frontend/frontend.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/api/messages.h"
#include "base/wire/scripted_server.h"
#include "base/wire/tls.h"
#include "fakes/engine/engine.h"
#include "fakes/frontend/streams.h"

namespace squall::fakes {
namespace {

using End = FrontendOutput::End;

// Deadlines further away than this are none; adding them to a time might overflow.
constexpr Duration kLongestTimeout = std::chrono::hours(24 * 3650);

wire::GrpcServerOptions GrpcOptions(const FrontendOptions& options) {
  return {.http2 = options.http2, .max_request_bytes = options.max_request_bytes};
}

wire::GrpcStatus Failure(StatusCode code, std::string message) {
  return {static_cast<int>(code), std::move(message), {}};
}

// What a script of misbehaviour has to know of Temporal's messages.
wire::MessageTools Tools() {
  wire::MessageTools tools;
  tools.describe = [](std::string_view service, std::string_view method,
                      const std::string& request) {
    api::CallFields fields = api::FieldsOf(service, method, request);
    wire::CallFacts facts;
    facts.ns = std::move(fields.ns);
    facts.task_queue = std::move(fields.task_queue);
    facts.identity = std::move(fields.identity);
    facts.workflow_id = std::move(fields.workflow_id);
    return facts;
  };
  tools.change = api::ChangeAnswer;
  tools.encode = api::EncodeMessage;
  tools.methods = api::MethodNames;
  return tools;
}

std::vector<ApiKey> AllKeys(const FrontendOptions& options) {
  std::vector<ApiKey> keys = options.scoped_keys;
  for (const std::string& key : options.api_keys) {
    keys.push_back({.key = key, .namespaces = {}, .methods = {}});
  }
  return keys;
}

}  // namespace

struct Frontend::Impl {
  struct Connection final : wire::ScriptedServer::Handler {
    Connection(Impl& owner_in, std::uint64_t id_in, const std::string& listener_in)
        : owner(owner_in),
          id(id_in),
          listener(listener_in),
          accepted(owner_in.now.steady),
          keeper(owner_in.options.limits, accepted,
                 Rng(owner_in.options.seed).Split(fmt::format("connection {}", id_in))),
          grpc(GrpcOptions(owner_in.options), *this, &owner_in.script,
               {.connection = id_in, .listener = listener_in}, accepted) {}

    void OnCallStarted(wire::StreamId stream, wire::GrpcCallHead head) override {
      owner.StartCall(*this, stream, std::move(head));
    }
    void OnMessage(wire::StreamId stream, std::string message,
                   const wire::CallFate& fate) override {
      owner.CallEngine(*this, stream, std::move(message), fate);
    }
    void OnCancelled(wire::StreamId stream) override {
      if (!owner.streams.Close(id, stream)) owner.CancelCall(*this, stream);
      owner.CountCalls(*this);
    }
    void OnHalfClosed(wire::StreamId stream) override { owner.streams.OnHalfClosed(id, stream); }
    void OnPing(bool ack) override { owner.Pinged(*this, ack); }
    void OnOutput() override { owner.MarkDirty(*this); }

    Impl& owner;
    const std::uint64_t id;
    const std::string listener;
    const SteadyTime accepted;
    ConnectionKeeper keeper;
    std::optional<SteadyTime> scheduled;  // its place in `limits`
    std::string kicked;                   // why it is to be closed at the next chance
    std::string peer, local;
    std::uint64_t bytes_up = 0;
    std::uint64_t bytes_down = 0;
    std::unique_ptr<wire::TlsSession> tls;
    bool tls_done = false;
    wire::ScriptedServer grpc;
    std::map<wire::StreamId, std::uint64_t> calls;  // numbers of calls that are not answered yet
    bool dirty = false;
    End end = End::kKeep;
    std::string last_bytes;  // what still goes out before the end
  };

  struct Call {
    Connection* connection = nullptr;
    wire::StreamId stream = 0;
    std::optional<SteadyTime> deadline;
    bool in_engine = false;
    const ApiKey* key = nullptr;
    RpcRequest request;  // until the message is complete
  };

  Impl(FrontendOptions options_in, Engine& engine_in, journal::Sink& sink_in)
      : options(std::move(options_in)),
        keys(AllKeys(options)),
        engine(engine_in),
        sink(sink_in),
        source("server:" + options.name),
        journaled(dynamic_cast<const journal::NullSink*>(&sink_in) == nullptr),
        script({.seed = options.seed, .tools = Tools(), .on_hit = [this](const wire::Hit& hit) {
                  JournalHit(hit);
                }}) {}

  const FrontendOptions options;
  const ApiKeys keys;
  Engine& engine;
  journal::Sink& sink;
  const std::string source;
  const bool journaled;
  Moment now;
  wire::MisbehaviourScript script;  // before the connections, which leave it when they end
  std::uint64_t last_connection = 0;
  std::uint64_t last_call = 0;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections;
  std::unordered_map<std::uint64_t, Call> calls;  // looked up only, never iterated
  std::set<std::pair<SteadyTime, std::uint64_t>> deadlines;
  std::set<std::pair<SteadyTime, std::uint64_t>>
      limits;  // of connections; may be earlier than needed
  Streams streams;
  std::vector<std::uint64_t> dirty;

  void JournalFault(std::string_view what, const std::string& id, std::string_view effect,
                    std::string detail) {
    if (!journaled) return;
    sink.Append(source, journal::FaultEvent{.what = std::string(what),
                                            .fault_id = id,
                                            .fault = std::string(effect),
                                            .target = options.name,
                                            .detail = std::move(detail)});
  }

  void JournalHit(const wire::Hit& hit) {
    std::string detail = fmt::format("connection {}", hit.place.connection);
    if (hit.stream != 0)
      detail = fmt::format("{} on {}, stream {}", hit.facts.method, detail, hit.stream);
    JournalFault("hit", hit.fault_id, hit.effect, std::move(detail));
  }

  StatusOr<std::vector<std::string>> SetRules(Moment at, std::vector<wire::Rule> rules) {
    now = at;
    std::vector<std::string> effects;
    for (const wire::Rule& rule : rules) effects.emplace_back(wire::EffectName(rule.effect));
    auto ids = script.Set(at.steady, std::move(rules));
    for (std::size_t i = 0; ids.ok() && i < ids->size(); ++i)
      JournalFault("injected", (*ids)[i], effects[i], {});
    return ids;
  }

  bool LiftRule(Moment at, const std::string& id) {
    now = at;
    for (const wire::RuleState& state : script.List()) {
      if (state.rule.id != id) continue;
      script.Lift(at.steady, id);
      JournalFault("healed", id, wire::EffectName(state.rule.effect), {});
      return true;
    }
    return false;
  }

  void Journal(const Connection& connection, std::string_view what, std::string detail) {
    if (!journaled) return;
    journal::ConnectionEvent event;
    event.what = what;
    event.link = options.name;
    event.connection = connection.id;
    event.peer = connection.peer;
    event.local = connection.local;
    event.bytes_up = connection.bytes_up;
    event.bytes_down = connection.bytes_down;
    event.fault_id = connection.grpc.end_fault();
    event.detail = std::move(detail);
    sink.Append(source, std::move(event));
  }

  Connection* Find(std::uint64_t id) {
    const auto it = connections.find(id);
    return it == connections.end() || it->second->end != End::kKeep ? nullptr : it->second.get();
  }

  void MarkDirty(Connection& connection) {
    if (std::exchange(connection.dirty, true)) return;
    dirty.push_back(connection.id);
  }

  // --- Calls
  // ---------------------------------------------------------------------------------------------------------

  void StartCall(Connection& connection, wire::StreamId stream, wire::GrpcCallHead head) {
    const ApiKey* key = nullptr;
    if (!keys.empty()) {
      wire::GrpcStatus refusal;
      key = keys.Find(head.metadata, refusal);
      if (key == nullptr) return connection.grpc.Finish(now.steady, stream, std::move(refusal));
    }
    head.metadata.erase("authorization");
    if (Streams::Has(head.service, head.method)) {
      streams.Open(connection.id, stream, connection.grpc, head.service);
      return CountCalls(connection);
    }
    const std::uint64_t id = ++last_call;
    Call call;
    call.connection = &connection;
    call.stream = stream;
    call.key = key;
    if (head.timeout.has_value() && *head.timeout < kLongestTimeout) {
      call.deadline = now.steady + *head.timeout;
      deadlines.emplace(*call.deadline, id);
    }
    call.request.service = std::move(head.service);
    call.request.method = std::move(head.method);
    call.request.metadata = std::move(head.metadata);
    call.request.deadline = call.deadline;
    calls.emplace(id, std::move(call));
    connection.calls.emplace(stream, id);
    CountCalls(connection);
  }

  void CallEngine(Connection& connection, wire::StreamId stream, std::string message,
                  const wire::CallFate& fate) {
    if (streams.OnMessage(connection.id, stream, message)) return connection.keeper.OnAnswered();
    const auto number = connection.calls.find(stream);
    if (number == connection.calls.end()) return;
    Call& call = calls.at(number->second);
    if (call.key != nullptr && keys.scoped()) {
      const std::string ns = api::FieldsOf(call.request.service, call.request.method, message).ns;
      wire::GrpcStatus refusal = ApiKeys::Allow(*call.key, call.request.method, ns);
      if (!refusal.ok()) {
        EraseCall(number->second);
        return connection.grpc.Finish(now.steady, stream, std::move(refusal));
      }
    }
    call.in_engine = true;
    RpcRequest request = std::move(call.request);
    request.message = std::move(message);
    if (!fate.fault_id.empty()) {
      request.fault_id = fate.fault_id;
      request.withheld = fate.withheld;
      if (fate.status.has_value()) {
        request.refusal = RpcStatus{fate.status->code, fate.status->message, fate.status->details};
      }
    }
    engine.Call(now, number->second, std::move(request));
  }

  // Forgets a call everywhere but in the engine.
  void EraseCall(std::uint64_t id) {
    const auto it = calls.find(id);
    if (it == calls.end()) return;
    if (it->second.deadline.has_value()) deadlines.erase({*it->second.deadline, id});
    Connection& connection = *it->second.connection;
    connection.calls.erase(it->second.stream);
    calls.erase(it);
    CountCalls(connection);
  }

  void CancelCall(Connection& connection, wire::StreamId stream) {
    const auto number = connection.calls.find(stream);
    if (number == connection.calls.end()) return;
    const std::uint64_t id = number->second;
    const bool in_engine = calls.at(id).in_engine;
    EraseCall(id);
    if (in_engine) engine.Cancel(now, id);
  }

  void CancelAll(Connection& connection) {
    streams.CloseAll(connection.id);
    while (!connection.calls.empty()) CancelCall(connection, connection.calls.begin()->first);
  }

  // Carries the engine's answers to their connections.
  void Deliver() {
    for (RpcResponse& response : engine.TakeResponses()) {
      const auto it = calls.find(response.call);
      if (it == calls.end()) continue;
      Connection& connection = *it->second.connection;
      const wire::StreamId stream = it->second.stream;
      EraseCall(response.call);
      connection.keeper.OnAnswered();
      if (response.status.code == 0) {
        connection.grpc.Reply(now.steady, stream, std::move(response.message));
      } else {
        connection.grpc.Finish(now.steady, stream,
                               {response.status.code, std::move(response.status.message),
                                std::move(response.status.details)});
      }
      MarkDirty(connection);
    }
  }

  void ExpireCalls() {
    while (!deadlines.empty() && deadlines.begin()->first <= now.steady) {
      const std::uint64_t id = deadlines.begin()->second;
      Call& call = calls.at(id);
      Connection& connection = *call.connection;
      const wire::StreamId stream = call.stream;
      const bool in_engine = call.in_engine;
      EraseCall(id);
      if (in_engine) engine.Cancel(now, id);
      connection.grpc.Finish(now.steady, stream,
                             Failure(StatusCode::kDeadlineExceeded, "context deadline exceeded"));
      MarkDirty(connection);
    }
  }

  // --- Limits
  // ---------------------------------------------------------------------------------------------------------

  // Puts the connection where its keeper's next deadline is.
  void Schedule(Connection& connection) {
    const std::optional<SteadyTime> next = connection.keeper.deadline();
    if (!next.has_value() || (connection.scheduled.has_value() && *connection.scheduled <= *next))
      return;
    Unschedule(connection);
    connection.scheduled = next;
    limits.emplace(*next, connection.id);
  }

  void Unschedule(Connection& connection) {
    if (connection.scheduled.has_value()) limits.erase({*connection.scheduled, connection.id});
    connection.scheduled.reset();
  }

  void CountCalls(Connection& connection) {
    connection.keeper.OnCalls(now.steady, connection.calls.size() + streams.on(connection.id));
    Schedule(connection);
  }

  // From within the connection's own Feed: it is ended later.
  void Pinged(Connection& connection, bool ack) {
    if (ack) {
      connection.keeper.OnPingAck(now.steady);
      Schedule(connection);
    } else if (connection.keeper.OnPing(now.steady)) {
      connection.grpc.http2().Goaway(wire::Http2Error::kEnhanceYourCalm,
                                     wire::Http2Connection::kSeen, "too_many_pings");
      connection.kicked = "too_many_pings: got too many pings from the client";
    }
  }

  void KeepLimits() {
    while (!limits.empty() && limits.begin()->first <= now.steady) {
      Connection& connection = *connections.at(limits.begin()->second);
      Unschedule(connection);
      if (connection.end != End::kKeep || connection.grpc.silent()) continue;
      for (auto step = connection.keeper.Next(now.steady);
           step != ConnectionKeeper::Step::kNothing && connection.end == End::kKeep;
           step = connection.keeper.Next(now.steady)) {
        Take(connection, step);
      }
      if (connection.end == End::kKeep) Schedule(connection);
    }
  }

  void Take(Connection& connection, ConnectionKeeper::Step step) {
    wire::Http2Connection& http2 = connection.grpc.http2();
    MarkDirty(connection);
    switch (step) {
      case ConnectionKeeper::Step::kNothing:
        return;
      case ConnectionKeeper::Step::kWarn:
        http2.Goaway(wire::Http2Error::kNoError, wire::Http2Connection::kEverything);
        return http2.Ping("goaway");
      case ConnectionKeeper::Step::kDrain:
        return http2.Goaway(wire::Http2Error::kNoError, wire::Http2Connection::kSeen,
                            connection.keeper.why());
      case ConnectionKeeper::Step::kPing:
        return http2.Ping("squall");
      case ConnectionKeeper::Step::kCloseUnheard:
        return Close(connection, End::kClose, "closed", "keepalive: the client does not answer");
      case ConnectionKeeper::Step::kCloseOld:
        return Close(connection, End::kClose, "closed", "max_age: the grace is over");
      case ConnectionKeeper::Step::kCloseSlow:
        return Close(connection, End::kClose, "failed", "no handshake within the time-out");
    }
  }

  // --- Connections
  // ---------------------------------------------------------------------------------------------------

  // What the connection has to send now, counted.
  std::string Collect(Connection& connection) {
    std::string bytes;
    if (connection.grpc.silent()) return bytes;
    if (connection.tls == nullptr) {
      connection.grpc.TakeOutput(bytes);
    } else {
      // Before the handshake is done TLS keeps our SETTINGS; there is no need to hand them over
      // earlier.
      if (connection.tls_done) {
        std::string plain;
        connection.grpc.TakeOutput(plain);
        if (!plain.empty()) connection.tls->WritePlaintext(plain);
      }
      bytes = connection.tls->TakeCiphertext();
    }
    connection.bytes_down += bytes.size();
    return bytes;
  }

  // Ends a connection from our side. Its last output is kept for the owner to take.
  void Close(Connection& connection, End end, std::string_view what, std::string detail) {
    if (connection.end != End::kKeep) return;
    CancelAll(connection);
    connection.last_bytes = Collect(connection);
    if (end == End::kClose && connection.tls != nullptr && connection.tls->error().ok()) {
      connection.tls->CloseNotify();
      connection.last_bytes += Collect(connection);
    }
    if (end == End::kReset) connection.last_bytes.clear();
    connection.end = end;
    Unschedule(connection);
    MarkDirty(connection);
    Journal(connection, what, std::move(detail));
  }

  static std::string DescribeTls(const wire::TlsSession& tls) {
    std::string text = tls.version();
    if (const std::string alpn = tls.alpn(); !alpn.empty()) text += " alpn=" + alpn;
    if (const std::string sni = tls.sni(); !sni.empty()) text += " sni=" + sni;
    if (const std::string subject = tls.peer_subject(); !subject.empty()) {
      text += " client=" + subject;
    }
    return text;
  }

  void FeedGrpc(Connection& connection, std::string_view bytes) {
    const Status status = connection.grpc.Feed(now.steady, bytes);
    if (!status.ok()) Close(connection, End::kClose, "failed", std::string(Message(status)));
  }

  void FeedTls(Connection& connection, std::string_view bytes) {
    wire::TlsSession& tls = *connection.tls;
    tls.FeedCiphertext(bytes);
    if (!connection.tls_done && tls.handshake_done()) {
      connection.tls_done = true;
      connection.keeper.OnEstablished();
      Journal(connection, "established", DescribeTls(tls));
      if (options.require_alpn && tls.alpn() != "h2") {
        Close(connection, End::kClose, "failed",
              tls.alpn().empty() ? "TLS: the client negotiates no application protocol (ALPN h2)"
                                 : fmt::format("TLS: ALPN is {} instead of h2", tls.alpn()));
        return;
      }
    }
    const std::string plain = tls.TakePlaintext();
    if (!plain.empty()) FeedGrpc(connection, plain);
    if (connection.end != End::kKeep) return;
    if (!tls.error().ok()) {
      Close(connection, End::kClose, "failed", fmt::format("TLS: {}", Message(tls.error())));
    } else if (tls.peer_closed()) {
      Close(connection, End::kClose, "closed", "TLS: the client says close_notify");
    }
  }
};

Frontend::Frontend(FrontendOptions options, Engine& engine, journal::Sink& sink)
    : impl_(std::make_unique<Impl>(std::move(options), engine, sink)) {}

Frontend::~Frontend() = default;

std::uint64_t Frontend::Accept(Moment now, std::string peer, std::string local,
                               std::size_t listener, std::optional<WallTime> calendar) {
  impl_->now = now;
  const FrontendOptions& options = impl_->options;
  SQUALL_CHECK(listener <= options.listeners.size(), "there is no such listener");
  const std::uint64_t id = ++impl_->last_connection;
  auto connection = std::make_unique<Impl::Connection>(
      *impl_, id, listener == 0 ? options.name : options.listeners[listener - 1].name);
  const auto& tls = listener == 0 ? options.tls : options.listeners[listener - 1].tls;
  connection->peer = std::move(peer);
  connection->local = std::move(local);
  if (tls != nullptr) {
    connection->tls = std::make_unique<wire::TlsSession>(tls, calendar.value_or(now.wall));
  }
  impl_->Journal(*connection, "accepted", {});
  impl_->MarkDirty(*connection);
  impl_->Schedule(*connection);
  impl_->connections.emplace(id, std::move(connection));
  return id;
}

void Frontend::Receive(Moment now, std::uint64_t connection, std::string_view bytes) {
  impl_->now = now;
  Impl::Connection* found = impl_->Find(connection);
  if (found == nullptr) return;
  found->bytes_up += bytes.size();
  if (found->grpc.silent()) return;
  if (found->tls == nullptr) found->keeper.OnEstablished();
  found->keeper.OnBytes(now.steady);
  impl_->MarkDirty(*found);
  if (found->tls != nullptr) {
    impl_->FeedTls(*found, bytes);
  } else {
    impl_->FeedGrpc(*found, bytes);
  }
  if (found->end == End::kKeep) impl_->Schedule(*found);
  impl_->Deliver();
}

void Frontend::PeerClosed(Moment now, std::uint64_t connection, bool reset) {
  impl_->now = now;
  Impl::Connection* found = impl_->Find(connection);
  if (found != nullptr) {
    impl_->CancelAll(*found);
    impl_->Journal(*found, reset ? "reset" : "closed", {});
    impl_->Unschedule(*found);
  }
  impl_->connections.erase(connection);
  impl_->Deliver();
}

void Frontend::Advance(Moment now) {
  impl_->now = now;
  impl_->engine.Advance(now);
  impl_->Deliver();
  impl_->script.Advance(now.steady);
  impl_->Deliver();
  impl_->ExpireCalls();
  impl_->Deliver();
  impl_->KeepLimits();
}

void Frontend::Poll(Moment now) {
  impl_->now = now;
  impl_->Deliver();
}

std::optional<SteadyTime> Frontend::NextDeadline() const {
  std::optional<SteadyTime> next = impl_->engine.NextDeadline();
  if (!impl_->deadlines.empty() && (!next.has_value() || impl_->deadlines.begin()->first < *next)) {
    next = impl_->deadlines.begin()->first;
  }
  if (!impl_->limits.empty() && (!next.has_value() || impl_->limits.begin()->first < *next)) {
    next = impl_->limits.begin()->first;
  }
  if (const auto script = impl_->script.NextDeadline();
      script.has_value() && (!next.has_value() || *script < *next)) {
    next = script;
  }
  return next;
}

std::vector<FrontendOutput> Frontend::TakeOutput() {
  std::vector<FrontendOutput> result;
  std::vector<std::uint64_t> ids = std::exchange(impl_->dirty, {});
  std::sort(ids.begin(), ids.end());
  result.reserve(ids.size());
  for (const std::uint64_t id : ids) {
    const auto it = impl_->connections.find(id);
    if (it == impl_->connections.end()) continue;
    Impl::Connection& connection = *it->second;
    connection.dirty = false;
    FrontendOutput output{.connection = id, .bytes = {}, .end = End::kKeep};
    if (connection.end == End::kKeep) {
      output.bytes = impl_->Collect(connection);
      if (connection.grpc.end() != wire::ScriptedServer::End::kKeep) {
        const bool reset = connection.grpc.end() == wire::ScriptedServer::End::kReset;
        impl_->Close(connection, reset ? End::kReset : End::kClose, reset ? "reset" : "closed",
                     "misbehaviour");
      }
      if (connection.end == End::kKeep && !connection.kicked.empty()) {
        impl_->Close(connection, End::kClose, "closed", connection.kicked);
      }
      // After a GOAWAY and its last call there is nothing left to do on a connection.
      if (connection.end == End::kKeep && !connection.grpc.silent() &&
          connection.grpc.http2().finished()) {
        impl_->Close(connection, End::kClose, "closed", "no call is left after GOAWAY");
      }
    }
    if (connection.end != End::kKeep) {
      output.bytes += connection.last_bytes;
      if (connection.end == End::kReset) output.bytes.clear();
      output.end = connection.end;
      impl_->connections.erase(it);
    }
    if (!output.bytes.empty() || output.end != End::kKeep) result.push_back(std::move(output));
  }
  // Closing above marks connections that are gone now; what else was marked waits for the next
  // call.
  return result;
}

void Frontend::CloseAll(Moment now, Ending ending) {
  impl_->now = now;
  const bool reset = ending == Ending::kReset;
  if (ending == Ending::kShutdown) impl_->streams.OnShutdown();
  for (auto& [id, connection] : impl_->connections) {
    if (connection->end != End::kKeep) continue;
    if (ending == Ending::kShutdown) connection->grpc.http2().Goaway(wire::Http2Error::kNoError);
    impl_->Close(*connection, reset ? End::kReset : End::kClose, reset ? "reset" : "closed",
                 "the server ends the connection");
    if (ending == Ending::kCrash) connection->last_bytes.clear();
  }
  impl_->Deliver();
}

void Frontend::Drain(Moment now) {
  impl_->now = now;
  impl_->streams.OnShutdown();
  for (auto& [id, connection] : impl_->connections) {
    if (connection->end != End::kKeep) continue;
    connection->grpc.http2().Goaway(wire::Http2Error::kNoError);
    impl_->MarkDirty(*connection);
  }
}

StatusOr<std::vector<std::string>> Frontend::SetRules(Moment now, std::vector<wire::Rule> rules) {
  auto ids = impl_->SetRules(now, std::move(rules));
  impl_->Deliver();
  return ids;
}

bool Frontend::LiftRule(Moment now, std::string_view id) {
  const bool known = impl_->LiftRule(now, std::string(id));
  impl_->Deliver();
  return known;
}

void Frontend::LiftRules(Moment now) {
  for (const wire::RuleState& state : impl_->script.List()) LiftRule(now, state.rule.id);
}

std::vector<wire::RuleState> Frontend::Rules() const { return impl_->script.List(); }

std::size_t Frontend::Release(Moment now, std::string_view gate, std::size_t count) {
  impl_->now = now;
  const std::size_t released = impl_->script.Release(now.steady, gate, count);
  impl_->Deliver();
  return released;
}

std::map<std::string, std::size_t> Frontend::Gates() const { return impl_->script.Gates(); }

std::size_t Frontend::connections() const { return impl_->connections.size(); }

std::size_t Frontend::open_calls() const { return impl_->calls.size() + impl_->streams.size(); }

std::vector<ConnectionInfo> Frontend::Snapshot() const {
  std::vector<ConnectionInfo> list;
  for (const auto& [id, connection] : impl_->connections) {
    if (connection->end != End::kKeep) continue;
    list.push_back({.connection = id,
                    .listener = connection->listener,
                    .peer = connection->peer,
                    .local = connection->local,
                    .tls = connection->tls_done ? Impl::DescribeTls(*connection->tls) : "",
                    .age = impl_->now.steady - connection->accepted,
                    .open_calls = connection->calls.size() + impl_->streams.on(id),
                    .bytes_up = connection->bytes_up,
                    .bytes_down = connection->bytes_down,
                    .half_open = connection->grpc.silent()});
  }
  return list;
}

}  // namespace squall::fakes
