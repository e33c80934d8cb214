#include "fakes/frontend/frontend.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/util/planted.h"
#include "base/wire/scripted_server.h"
#include "fakes/engine/engine.h"
#include "fakes/frontend/connection.h"
#include "fakes/frontend/message_tools.h"
#include "fakes/frontend/open_calls.h"
#include "fakes/frontend/streams.h"

namespace squall::fakes {
namespace {

using End = FrontendOutput::End;

std::vector<ApiKey> AllKeys(const FrontendOptions& options) {
  std::vector<ApiKey> keys = options.scoped_keys;
  for (const std::string& key : options.api_keys) {
    keys.push_back({.key = key, .namespaces = {}, .methods = {}});
  }
  return keys;
}

}  // namespace

struct Frontend::Impl final : Connection::Owner {
  Impl(FrontendOptions options_in, Engine& engine_in, journal::Sink& sink_in)
      : options(std::move(options_in)),
        engine(engine_in),
        sink(sink_in),
        source("server:" + options.name),
        journaled(dynamic_cast<const journal::NullSink*>(&sink_in) == nullptr),
        script({.seed = options.seed,
                .tools = TemporalMessageTools(),
                .on_hit = [this](const wire::Hit& hit) { JournalHit(hit); }}),
        calls(engine, ApiKeys(AllKeys(options)),
              [this](Connection& connection) { CountCalls(connection); }) {}

  const FrontendOptions options;
  Engine& engine;
  journal::Sink& sink;
  const std::string source;
  const bool journaled;
  Moment now;
  wire::MisbehaviourScript script;  // before the connections, which leave it when they end
  std::uint64_t last_connection = 0;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections;
  OpenCalls calls;
  std::set<std::pair<SteadyTime, std::uint64_t>>
      limits;  // of connections; may be earlier than needed
  Streams streams;
  std::vector<std::uint64_t> dirty;

  // --- The journal
  // ---------------------------------------------------------------------------------------------------

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

  void Journal(const Connection& connection, std::string_view what, std::string detail) {
    if (!journaled) return;
    journal::ConnectionEvent event;
    event.what = what;
    event.link = options.name;
    event.connection = connection.id();
    event.peer = connection.origin().peer;
    event.local = connection.origin().local;
    event.bytes_up = connection.bytes_up();
    event.bytes_down = connection.bytes_down();
    event.fault_id = connection.grpc().end_fault();
    event.detail = std::move(detail);
    sink.Append(source, std::move(event));
  }

  // --- Rules of misbehaviour
  // ---------------------------------------------------------------------------------------------------

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

  // --- What connections tell
  // ---------------------------------------------------------------------------------------------------

  void OnCallStarted(Connection& connection, wire::StreamId stream,
                     wire::GrpcCallHead head) override {
    wire::GrpcStatus refusal;
    const ApiKey* key = calls.Admit(head, refusal);
    if (!refusal.ok()) return connection.grpc().Finish(now.steady, stream, std::move(refusal));
    if (Streams::Has(head.service, head.method)) {
      streams.Open(connection.id(), stream, connection.grpc(), head.service);
      return CountCalls(connection);
    }
    calls.Start(now.steady, connection, stream, std::move(head), key);
  }

  void OnMessage(Connection& connection, wire::StreamId stream, std::string message,
                 const wire::CallFate& fate) override {
    if (streams.OnMessage(connection.id(), stream, message))
      return connection.keeper().OnAnswered();
    calls.Submit(now, connection, stream, std::move(message), fate);
  }

  void OnCancelled(Connection& connection, wire::StreamId stream) override {
    if (!streams.Close(connection.id(), stream)) calls.Cancel(now, connection, stream);
    CountCalls(connection);
  }

  void OnHalfClosed(Connection& connection, wire::StreamId stream) override {
    streams.OnHalfClosed(connection.id(), stream);
  }

  // It is ended later: this comes from within the connection's own Receive.
  void OnPing(Connection& connection, bool ack) override {
    if (ack) {
      connection.keeper().OnPingAck(now.steady);
      Schedule(connection);
    } else if (connection.keeper().OnPing(now.steady)) {
      connection.grpc().http2().Goaway(wire::Http2Error::kEnhanceYourCalm,
                                       wire::Http2Connection::kSeen, "too_many_pings");
      connection.kicked = "too_many_pings: got too many pings from the client";
    }
  }

  void OnEstablished(Connection& connection) override {
    Journal(connection, "established", connection.tls());
  }

  void OnOutput(Connection& connection) override {
    if (std::exchange(connection.dirty, true)) return;
    dirty.push_back(connection.id());
  }

  // --- Limits
  // ---------------------------------------------------------------------------------------------------

  // Puts the connection where its keeper's next deadline is.
  void Schedule(Connection& connection) {
    const std::optional<SteadyTime> next = connection.keeper().deadline();
    if (!next.has_value() || (connection.scheduled.has_value() && *connection.scheduled <= *next))
      return;
    Unschedule(connection);
    connection.scheduled = next;
    limits.emplace(*next, connection.id());
  }

  void Unschedule(Connection& connection) {
    if (connection.scheduled.has_value()) limits.erase({*connection.scheduled, connection.id()});
    connection.scheduled.reset();
  }

  void CountCalls(Connection& connection) {
    connection.keeper().OnCalls(now.steady, connection.calls.size() + streams.on(connection.id()));
    Schedule(connection);
  }

  void KeepLimits() {
    while (!limits.empty() && limits.begin()->first <= now.steady) {
      Connection& connection = *connections.at(limits.begin()->second);
      Unschedule(connection);
      if (!connection.open() || connection.grpc().silent()) continue;
      for (auto step = connection.keeper().Next(now.steady);
           step != ConnectionKeeper::Step::kNothing && connection.open();
           step = connection.keeper().Next(now.steady)) {
        Take(connection, step);
      }
      if (connection.open()) Schedule(connection);
    }
  }

  void Take(Connection& connection, ConnectionKeeper::Step step) {
    wire::Http2Connection& http2 = connection.grpc().http2();
    connection.Touch();
    switch (step) {
      case ConnectionKeeper::Step::kNothing:
        return;
      case ConnectionKeeper::Step::kWarn:
        http2.Goaway(wire::Http2Error::kNoError, wire::Http2Connection::kEverything);
        if (Planted(PlantedBug::kClosesAtGoaway))
          return Close(connection, End::kClose, "closed", "max_age");
        return http2.Ping("goaway");
      case ConnectionKeeper::Step::kDrain:
        return http2.Goaway(wire::Http2Error::kNoError, wire::Http2Connection::kSeen,
                            connection.keeper().why());
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

  // Null for those that have ended.
  Connection* Find(std::uint64_t id) {
    const auto it = connections.find(id);
    return it == connections.end() || !it->second->open() ? nullptr : it->second.get();
  }

  void CancelAll(Connection& connection) {
    streams.CloseAll(connection.id());
    calls.CancelAll(now, connection);
  }

  // Ends a connection from our side. Its last output is kept for the owner to take.
  void Close(Connection& connection, End end, std::string_view what, std::string detail) {
    if (!connection.open()) return;
    CancelAll(connection);
    connection.Conclude(end);
    Unschedule(connection);
    connection.Touch();
    Journal(connection, what, std::move(detail));
  }

  // What it has to send; may end it.
  std::string Output(Connection& connection) {
    if (!connection.open()) return {};
    std::string bytes = connection.Collect();
    if (connection.grpc().end() != wire::ScriptedServer::End::kKeep) {
      const bool reset = connection.grpc().end() == wire::ScriptedServer::End::kReset;
      Close(connection, reset ? End::kReset : End::kClose, reset ? "reset" : "closed",
            "misbehaviour");
    }
    if (!connection.kicked.empty()) Close(connection, End::kClose, "closed", connection.kicked);
    // After a GOAWAY and its last call there is nothing left to do on a connection.
    if (connection.open() && !connection.grpc().silent() && connection.grpc().http2().finished()) {
      Close(connection, End::kClose, "closed", "no call is left after GOAWAY");
    }
    return bytes;
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
  auto connection = std::make_unique<Connection>(
      *impl_, options, impl_->script, now.steady,
      Connection::Origin{
          .id = id,
          .listener = listener == 0 ? options.name : options.listeners[listener - 1].name,
          .peer = std::move(peer),
          .local = std::move(local),
          .tls = listener == 0 ? options.tls : options.listeners[listener - 1].tls,
          .calendar = calendar.value_or(now.wall)});
  impl_->Journal(*connection, "accepted", {});
  connection->Touch();
  impl_->Schedule(*connection);
  impl_->connections.emplace(id, std::move(connection));
  return id;
}

void Frontend::Receive(Moment now, std::uint64_t connection, std::string_view bytes) {
  impl_->now = now;
  Connection* found = impl_->Find(connection);
  if (found == nullptr) return;
  if (auto reason = found->Receive(now.steady, bytes); reason.has_value()) {
    impl_->Close(*found, End::kClose, reason->what, std::move(reason->detail));
  }
  if (found->open()) impl_->Schedule(*found);
  impl_->calls.Deliver(now);
}

void Frontend::PeerClosed(Moment now, std::uint64_t connection, bool reset) {
  impl_->now = now;
  Connection* found = impl_->Find(connection);
  if (found != nullptr) {
    impl_->CancelAll(*found);
    impl_->Journal(*found, reset ? "reset" : "closed", {});
    impl_->Unschedule(*found);
  }
  impl_->connections.erase(connection);
  impl_->calls.Deliver(now);
}

void Frontend::Advance(Moment now) {
  impl_->now = now;
  impl_->engine.Advance(now);
  impl_->calls.Deliver(now);
  impl_->script.Advance(now.steady);
  impl_->calls.Deliver(now);
  impl_->calls.Expire(now);
  impl_->calls.Deliver(now);
  impl_->KeepLimits();
}

void Frontend::Poll(Moment now) {
  impl_->now = now;
  impl_->calls.Deliver(now);
}

std::optional<SteadyTime> Frontend::NextDeadline() const {
  std::optional<SteadyTime> next = impl_->engine.NextDeadline();
  const auto sooner = [&next](std::optional<SteadyTime> other) {
    if (other.has_value() && (!next.has_value() || *other < *next)) next = other;
  };
  sooner(impl_->calls.deadline());
  if (!impl_->limits.empty()) sooner(impl_->limits.begin()->first);
  sooner(impl_->script.NextDeadline());
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
    Connection& connection = *it->second;
    connection.dirty = false;
    FrontendOutput output{.connection = id, .bytes = impl_->Output(connection), .end = End::kKeep};
    if (!connection.open()) {
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
    if (!connection->open()) continue;
    if (ending == Ending::kShutdown) connection->grpc().http2().Goaway(wire::Http2Error::kNoError);
    impl_->Close(*connection, reset ? End::kReset : End::kClose, reset ? "reset" : "closed",
                 "the server ends the connection");
    if (ending == Ending::kCrash) connection->last_bytes.clear();
  }
  impl_->calls.Deliver(now);
}

void Frontend::Drain(Moment now) {
  impl_->now = now;
  impl_->streams.OnShutdown();
  for (auto& [id, connection] : impl_->connections) {
    if (!connection->open()) continue;
    connection->grpc().http2().Goaway(wire::Http2Error::kNoError);
    connection->Touch();
  }
}

StatusOr<std::vector<std::string>> Frontend::SetRules(Moment now, std::vector<wire::Rule> rules) {
  auto ids = impl_->SetRules(now, std::move(rules));
  impl_->calls.Deliver(now);
  return ids;
}

bool Frontend::LiftRule(Moment now, std::string_view id) {
  const bool known = impl_->LiftRule(now, std::string(id));
  impl_->calls.Deliver(now);
  return known;
}

void Frontend::LiftRules(Moment now) {
  for (const wire::RuleState& state : impl_->script.List()) LiftRule(now, state.rule.id);
}

std::vector<wire::RuleState> Frontend::Rules() const { return impl_->script.List(); }

std::size_t Frontend::Release(Moment now, std::string_view gate, std::size_t count) {
  impl_->now = now;
  const std::size_t released = impl_->script.Release(now.steady, gate, count);
  impl_->calls.Deliver(now);
  return released;
}

std::map<std::string, std::size_t> Frontend::Gates() const { return impl_->script.Gates(); }

std::size_t Frontend::connections() const { return impl_->connections.size(); }

std::size_t Frontend::open_calls() const { return impl_->calls.size() + impl_->streams.size(); }

std::vector<ConnectionInfo> Frontend::Snapshot() const {
  std::vector<ConnectionInfo> list;
  for (const auto& [id, connection] : impl_->connections) {
    if (!connection->open()) continue;
    list.push_back({.connection = id,
                    .listener = connection->origin().listener,
                    .peer = connection->origin().peer,
                    .local = connection->origin().local,
                    .tls = connection->tls(),
                    .age = impl_->now.steady - connection->accepted(),
                    .open_calls = connection->calls.size() + impl_->streams.on(id),
                    .bytes_up = connection->bytes_up(),
                    .bytes_down = connection->bytes_down(),
                    .half_open = connection->grpc().silent()});
  }
  return list;
}

}  // namespace squall::fakes
