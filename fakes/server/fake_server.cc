#include "fakes/server/fake_server.h"

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstring>
#include <future>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "fakes/server/acceptor.h"
#include "fakes/server/admin_http.h"
#include "fakes/server/event_log.h"
#include "fakes/server/sessions.h"

namespace squall::fakes {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// How often Start tries a port or a state file that is taken.
constexpr auto kBindInterval = std::chrono::milliseconds(20);
// After so many jumps of a time that skips, the sockets are served before the next.
constexpr int kSkipsAtOnce = 256;

// Blocks all signals while a thread is started, so that they go to the threads of the program.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// What the engine tells while it is given old inputs again was told by the server before.
class MutableSink final : public journal::Sink {
 public:
  explicit MutableSink(journal::Sink& sink) : sink_(sink) {}
  void Append(std::string_view source, journal::Payload payload) override {
    if (!muted) sink_.Append(source, std::move(payload));
  }
  bool muted = false;

 private:
  journal::Sink& sink_;
};

}  // namespace

struct FakeServer::Impl final : AdminTarget, Sessions::Owner {
  struct Listener {
    Listener(asio::io_context& io, std::size_t index_in) : index(index_in), acceptor(io) {}
    const std::size_t index;
    std::string name, kind;  // kind: "", "TLS", "mTLS"
    Descriptor holder;  // bound, never listening: the port stays ours while the listener is closed
    int port = 0;
    Acceptor acceptor;
  };

  Impl(FakeServerOptions options_in, FrontendOptions frontend_options)
      : options(std::move(options_in)),
        clock(options.clock != nullptr ? *options.clock : real_clock),
        time(clock, options.time),
        events(options.record_events || options.admin_port.has_value()
                   ? std::make_unique<EventLog>(clock, options.journal)
                   : nullptr),
        sink(events != nullptr            ? *events
             : options.journal != nullptr ? *options.journal
                                          : static_cast<journal::Sink&>(null_sink)),
        engine_sink(sink),
        engine(options.engine, engine_sink),
        frontend(std::move(frontend_options), engine, sink),
        sessions(io, *this),
        timer(io) {}

  FakeServerOptions options;
  journal::NullSink null_sink;
  RealClock real_clock;
  const Clock& clock;
  ServerTime time;
  const std::unique_ptr<EventLog> events;
  journal::Sink& sink;
  MutableSink engine_sink;
  Engine engine;
  Frontend frontend;
  std::unique_ptr<StateFile> state;

  asio::io_context io{1};
  std::vector<std::unique_ptr<Listener>> listeners;  // the first is the server's own
  std::unique_ptr<AdminHttp> admin;
  Sessions sessions;
  asio::steady_timer timer;
  std::optional<SteadyTime> timer_at;
  bool suspended = false;
  std::thread thread;

  Moment Now() const { return time.Now(); }

  // Runs `function` on the server's thread and waits for it.
  void Run(const std::function<void()>& function) {
    SQUALL_CHECK(std::this_thread::get_id() != thread.get_id(),
                 "FakeServer was called from its own thread");
    std::promise<void> done;
    asio::post(io, [&] {
      function();
      done.set_value();
    });
    done.get_future().wait();
  }

  // Binds the port of a listener that is about to be.
  Status AddListener(const std::string& name, int port,
                     const std::optional<wire::TlsServerOptions>& tls) {
    auto listener = std::make_unique<Listener>(io, listeners.size());
    listener->name = name;
    if (tls.has_value()) listener->kind = tls->require_client_certificate ? "mTLS" : "TLS";
    const SteadyTime give_up = clock.Now() + options.port_patience;
    for (;;) {
      StatusOr<Descriptor> holder = Bind(port);
      if (holder.ok()) {
        listener->holder = *std::move(holder);
        break;
      }
      if (clock.Now() >= give_up) return holder.status();
      timer.expires_after(kBindInterval);
      timer.wait();
    }
    listener->port = PortOf(listener->holder.get());
    listeners.push_back(std::move(listener));
    return absl::OkStatus();
  }

  Status Open() {
    for (const auto& listener : listeners) {
      SQUALL_RETURN_IF_ERROR(listener->acceptor.Open(
          listener->port, [this, &at = *listener](Descriptor fd, const std::string& peer) {
            OnAccepted(at, std::move(fd), peer);
          }));
      journal::ConnectionEvent event;
      event.what = "listening";
      event.link = options.name;
      event.local = fmt::format("127.0.0.1:{}", listener->port);
      event.detail = listener->kind;
      sink.Append("server:" + options.name, std::move(event));
    }
    return absl::OkStatus();
  }

  // --- Connections
  // ---------------------------------------------------------------------------------------------------

  void OnAccepted(const Listener& listener, Descriptor fd, const std::string& peer) {
    const std::uint64_t id = frontend.Accept(
        Now(), peer, fmt::format("127.0.0.1:{}", listener.port), listener.index, clock.WallNow());
    if (!sessions.Add(id, std::move(fd))) frontend.PeerClosed(Now(), id, true);
    Flush();
  }

  void OnBytes(std::uint64_t id, std::string_view bytes) override {
    frontend.Receive(Now(), id, bytes);
    Flush();
  }

  void OnGone(std::uint64_t id, bool reset) override {
    frontend.PeerClosed(Now(), id, reset);
    Flush();
  }

  // Carries the frontend's output to the sockets, skips time if there is nothing else to do, and
  // sets the timer anew.
  void Flush() {
    if (StateLost()) return;
    Carry();
    if (time.mode() == TimeMode::kSkipping && !suspended) Skip();
    SetTimer();
  }

  void Carry() {
    for (FrontendOutput& output : frontend.TakeOutput()) sessions.Carry(std::move(output));
  }

  // --- Time
  // ----------------------------------------------------------------------------------------------------------

  void MoveAhead(Duration by) {
    if (by > Duration::zero()) {
      time.MoveAhead(by);
      if (state != nullptr) state->RecordOffset(Now(), time.offset());
      timer.cancel();
      timer_at.reset();
    }
    if (!suspended) frontend.Advance(Now());
  }

  void Skip() {
    for (int i = 0; i < kSkipsAtOnce; ++i) {
      const std::optional<SteadyTime> next = engine.NextSkip();
      if (!next.has_value()) return;
      MoveAhead(*next - Now().steady);
      if (StateLost()) return;
      Carry();
    }
    asio::post(io, [this] {
      if (!suspended) Flush();
    });
  }

  // Deadlines move with every call, mostly away. A timer that is set earlier than needed fires for
  // nothing, which is cheaper than setting it anew each time.
  void SetTimer() {
    const std::optional<SteadyTime> next = suspended ? std::nullopt : frontend.NextDeadline();
    if (time.mode() == TimeMode::kManual && next > Now().steady) return;
    if (!next.has_value() || (timer_at.has_value() && *timer_at <= *next)) return;
    timer_at = next;
    timer.expires_after(std::max(Duration::zero(), *next - Now().steady));
    timer.async_wait([this](const error_code& error) {
      if (error) return;
      timer_at.reset();
      if (suspended) return;
      frontend.Advance(Now());
      Flush();
    });
  }

  // --- AdminTarget
  Moment AdminNow() const override { return Now(); }
  Frontend& AdminFrontend() override { return frontend; }
  const Engine& AdminEngine() const override { return engine; }
  EventLog& AdminEvents() override { return *events; }
  void AdminDone() override { Flush(); }
  std::string AdminName() const override { return options.name; }
  const ServerTime& AdminTime() const override { return time; }
  void AdminAdvance(Duration by) override { MoveAhead(by); }
  std::vector<std::pair<std::string, int>> AdminPorts() const override {
    std::vector<std::pair<std::string, int>> ports;
    for (const auto& listener : listeners) ports.emplace_back(listener->name, listener->port);
    return ports;
  }

  // --- State file
  // ----------------------------------------------------------------------------------------------------

  Status Recover() {
    const SteadyTime give_up = clock.Now() + options.port_patience;
    while (state == nullptr) {
      StatusOr<std::unique_ptr<StateFile>> opened =
          StateFile::Open(*options.state_file, options.engine);
      if (opened.ok()) {
        state = *std::move(opened);
      } else if (opened.status().code() != StatusCode::kUnavailable || clock.Now() >= give_up) {
        return opened.status();
      } else {
        timer.expires_after(kBindInterval);
        timer.wait();
      }
    }
    engine_sink.muted = true;
    SQUALL_RETURN_IF_ERROR(state->Replay(engine));
    engine_sink.muted = false;
    if (state->last().has_value()) {
      time.Continue(*state->last(), state->offset());
      engine.Restart(Now(), /*keep_data=*/true);
    }
    return state->status();
  }

  // Nothing may be answered that the state file does not have: the server is down from then on.
  bool StateLost() {
    if (state == nullptr || state->status().ok()) return false;
    suspended = true;
    timer.cancel();
    timer_at.reset();
    CloseConnections(Frontend::Ending::kCrash);
    if (const auto told = std::exchange(options.on_state_lost, nullptr)) told(state->status());
    return true;
  }

  void CloseConnections(Frontend::Ending ending) {
    for (const auto& listener : listeners) listener->acceptor.Close();
    frontend.CloseAll(Now(), ending);
    if (ending == Frontend::Ending::kShutdown) {
      Flush();
    } else {
      frontend.TakeOutput();  // a dead process sends nothing
    }
    sessions.CloseAll();
  }
};

FakeServer::FakeServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

StatusOr<std::unique_ptr<FakeServer>> FakeServer::Start(FakeServerOptions options) {
  FrontendOptions frontend = options.frontend;
  frontend.name = options.name;
  options.engine.name = options.name;
  if (options.journal == nullptr && !options.record_events && !options.admin_port.has_value()) {
    options.engine.journal_rpcs = false;
    options.engine.journal_state = false;
  }
  if (options.tls.has_value()) {
    StatusOr<std::shared_ptr<wire::TlsContext>> tls = wire::TlsContext::Server(*options.tls);
    if (!tls.ok()) return Annotate(tls.status(), "TLS of the fake server");
    frontend.tls = *std::move(tls);
  }
  if (options.time != TimeMode::kReal) {
    // They are about the clients' sockets, which live in real time.
    frontend.limits = ConnectionLimits::None();
  }
  for (const ListenerOptions& listener : options.listeners) {
    FrontendListener more{.name = listener.name, .tls = nullptr};
    if (listener.tls.has_value()) {
      StatusOr<std::shared_ptr<wire::TlsContext>> tls = wire::TlsContext::Server(*listener.tls);
      if (!tls.ok()) return Annotate(tls.status(), "TLS of listener " + listener.name);
      more.tls = *std::move(tls);
    }
    frontend.listeners.push_back(std::move(more));
  }
  auto impl = std::make_unique<Impl>(std::move(options), std::move(frontend));
  const FakeServerOptions& given = impl->options;
  SQUALL_RETURN_IF_ERROR(impl->AddListener(given.name, given.port, given.tls));
  for (const ListenerOptions& listener : given.listeners) {
    SQUALL_RETURN_IF_ERROR(impl->AddListener(listener.name, listener.port, listener.tls));
  }
  if (given.state_file.has_value()) SQUALL_RETURN_IF_ERROR(impl->Recover());
  const auto rules = impl->frontend.SetRules(impl->Now(), given.rules);
  if (!rules.ok()) return rules.status();
  SQUALL_RETURN_IF_ERROR(impl->Open());
  if (given.admin_port.has_value()) {
    SQUALL_ASSIGN_OR_RETURN(impl->admin, AdminHttp::Start(impl->io, *given.admin_port, *impl));
  }
  impl->Flush();

  const SignalsBlocked blocked;
  Impl& served = *impl;
  impl->thread = std::thread([&served] {
    pthread_setname_np(pthread_self(), "squall-server");
    const auto work = asio::make_work_guard(served.io);
    served.io.run();
  });
  return std::unique_ptr<FakeServer>(new FakeServer(std::move(impl)));
}

FakeServer::~FakeServer() {
  impl_->Run([this] {
    impl_->admin.reset();
    impl_->CloseConnections(Frontend::Ending::kCrash);
    impl_->io.stop();
  });
  impl_->thread.join();
}

std::string FakeServer::address() const { return fmt::format("127.0.0.1:{}", port()); }

int FakeServer::port(std::size_t listener) const { return impl_->listeners.at(listener)->port; }

int FakeServer::admin_port() const { return impl_->admin == nullptr ? 0 : impl_->admin->port(); }

Status FakeServer::Suspend() {
  impl_->Run([this] {
    if (impl_->suspended) return;
    impl_->suspended = true;
    impl_->timer.cancel();
    impl_->timer_at.reset();
    impl_->CloseConnections(Frontend::Ending::kCrash);
  });
  return absl::OkStatus();
}

Status FakeServer::Resume(bool keep_data) {
  Status status;
  impl_->Run([&] {
    if (!impl_->suspended) return;
    if (impl_->state != nullptr) status = impl_->state->status();
    if (status.ok()) status = impl_->Open();
    if (!status.ok()) return;
    impl_->suspended = false;
    impl_->engine.Restart(impl_->Now(), keep_data);
    impl_->frontend.Advance(impl_->Now());
    impl_->Flush();
  });
  return status;
}

bool FakeServer::suspended() const {
  bool result = false;
  impl_->Run([&] { result = impl_->suspended; });
  return result;
}

void FakeServer::AdvanceTime(Duration by) {
  SQUALL_CHECK(by >= Duration::zero(), "time runs forward only");
  impl_->Run([this, by] {
    impl_->MoveAhead(by);
    impl_->Flush();
  });
}

Moment FakeServer::Now() const {
  Moment now;
  impl_->Run([&] { now = impl_->Now(); });
  return now;
}

StateFileReport FakeServer::state_report() const {
  return impl_->state == nullptr ? StateFileReport{} : impl_->state->report();
}

Status FakeServer::state_status() const {
  Status status;
  impl_->Run([&] {
    if (impl_->state != nullptr) status = impl_->state->status();
  });
  return status;
}

void FakeServer::Drain() {
  impl_->Run([this] {
    impl_->frontend.Drain(impl_->Now());
    impl_->Flush();
  });
}

void FakeServer::Shutdown() {
  impl_->Run([this] {
    impl_->suspended = true;
    impl_->timer.cancel();
    impl_->CloseConnections(Frontend::Ending::kShutdown);
  });
}

void FakeServer::WithEngine(const std::function<void(Engine&, Moment)>& function) {
  impl_->Run([&] {
    const Moment now = impl_->Now();
    function(impl_->engine, now);
    impl_->frontend.Poll(now);
    impl_->Flush();
  });
}

void FakeServer::Log(std::string level, std::string line) {
  impl_->sink.Append("server:" + impl_->options.name,
                     journal::LogEvent{.what = "stderr",
                                       .process = impl_->options.name,
                                       .level = std::move(level),
                                       .line = std::move(line)});
}

StatusOr<std::vector<std::string>> FakeServer::SetRules(std::vector<wire::Rule> rules) {
  StatusOr<std::vector<std::string>> ids;
  impl_->Run([&] {
    ids = impl_->frontend.SetRules(impl_->Now(), std::move(rules));
    impl_->Flush();
  });
  return ids;
}

bool FakeServer::LiftRule(std::string_view id) {
  bool known = false;
  impl_->Run([&] {
    known = impl_->frontend.LiftRule(impl_->Now(), id);
    impl_->Flush();
  });
  return known;
}

void FakeServer::LiftRules() {
  impl_->Run([&] {
    impl_->frontend.LiftRules(impl_->Now());
    impl_->Flush();
  });
}

std::vector<wire::RuleState> FakeServer::Rules() const {
  std::vector<wire::RuleState> rules;
  impl_->Run([&] { rules = impl_->frontend.Rules(); });
  return rules;
}

std::size_t FakeServer::Release(std::string_view gate, std::size_t count) {
  std::size_t released = 0;
  impl_->Run([&] {
    released = impl_->frontend.Release(impl_->Now(), gate, count);
    impl_->Flush();
  });
  return released;
}

std::map<std::string, std::size_t> FakeServer::Gates() const {
  std::map<std::string, std::size_t> gates;
  impl_->Run([&] { gates = impl_->frontend.Gates(); });
  return gates;
}

std::vector<ConnectionInfo> FakeServer::Snapshot() const {
  std::vector<ConnectionInfo> snapshot;
  impl_->Run([&] { snapshot = impl_->frontend.Snapshot(); });
  return snapshot;
}

EventLog& FakeServer::events() {
  SQUALL_CHECK(impl_->events != nullptr, "FakeServerOptions::record_events is off");
  return *impl_->events;
}

std::size_t FakeServer::connections() const {
  std::size_t result = 0;
  impl_->Run([&] { result = impl_->sessions.size(); });
  return result;
}

}  // namespace squall::fakes
