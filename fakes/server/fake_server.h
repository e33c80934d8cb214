#pragma once
// A fake Temporal server on real sockets: the frontend on Asio, with a thread of its own.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/status.h"
#include "base/wire/tls.h"
#include "fakes/engine/engine.h"
#include "fakes/frontend/frontend.h"
#include "fakes/server/server_time.h"
#include "fakes/server/state_file.h"

namespace squall::fakes {

class EventLog;

// One more port on the same engine.
struct ListenerOptions {
  std::string name;  // in rules (match.listener) and in the admin interface
  int port = 0;
  std::optional<wire::TlsServerOptions> tls;  // default: plaintext
};

struct FakeServerOptions {
  // Its name in the scenario and in the journal.
  std::string name = "temporal";
  // Port on 127.0.0.1; 0: one that is free, see port().
  int port = 0;
  // How long Start waits for a given port that is still taken, by a predecessor that is about to
  // end. Default: not at all.
  Duration port_patience{};
  // Serve TLS with this identity, and mTLS when it asks for client certificates. Default:
  // plaintext.
  std::optional<wire::TlsServerOptions> tls;
  // Beside the one above, which is called by the server's name.
  std::vector<ListenerOptions> listeners;
  EngineOptions engine;
  // Limits and API keys. Its name and TLS context are set from the above.
  FrontendOptions frontend;
  // Misbehaviour (docs/misbehaviour.md) from the first byte of the first connection on.
  std::vector<wire::Rule> rules;
  // The admin interface (docs/admin.md) on 127.0.0.1; 0: a port that is free, see admin_port().
  // Default: none.
  std::optional<int> admin_port;
  // Keep the latest events for events(), also without a journal. Always with the admin interface.
  bool record_events = false;
  // Where events go; null: nowhere. Must outlive the server.
  journal::Sink* journal = nullptr;
  // Null: the machine's clocks. Must outlive the server. Timers run on real time; the clock only
  // tells it.
  const Clock* clock = nullptr;
  // Real time, or a time that skips what nobody works in, or one that AdvanceTime alone moves. Only
  // real time has the front end's limits on connections.
  TimeMode time = TimeMode::kReal;
  // Keep the state in a file, and start with what is there (docs/fake-server.md). Default: in
  // memory only.
  std::optional<StateFileOptions> state_file;
  // Told once, on the server's thread, when the state file cannot be written any more. The server
  // has closed everything then, as what it answered would be lost.
  std::function<void(const Status&)> on_state_lost;
};

// Listens on 127.0.0.1. All methods may be called from any thread but the server's own (from within
// WithEngine's function, only that function's arguments may be used); they return when the server
// has done what they ask.
class FakeServer {
 public:
  // Listening when it returns. UNAVAILABLE when the port or the state file is taken,
  // INVALID_ARGUMENT for certificates that do not load; StateFile's errors.
  static StatusOr<std::unique_ptr<FakeServer>> Start(FakeServerOptions options);
  // Stops at once: connections are closed, the thread is joined.
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  // "127.0.0.1:PORT"; stays the same over Suspend and Resume.
  std::string address() const;
  // Of the server's own listener (0) or of FakeServerOptions::listeners, counted from 1.
  int port(std::size_t listener = 0) const;
  // 0 without an admin interface.
  int admin_port() const;

  // The process dies: the listener and every connection are closed, by the kernel's FIN and without
  // a word in HTTP/2. The engine keeps its data, its timers stand still until Resume, and nobody
  // else can be given the port meanwhile. Nothing happens when it is suspended already.
  Status Suspend();
  // The process is back on the same port. `keep_data` as with a database file, else only the
  // namespaces of the start exist (Engine::Restart); hooks stay in either case. UNAVAILABLE when
  // somebody took the port on purpose.
  Status Resume(bool keep_data = true);
  bool suspended() const;

  // Moves the server's time ahead by `by` (>= 0), in every mode, firing what falls due on the way:
  // timers and time-outs, long polls (empty) and the deadlines of calls.
  void AdvanceTime(Duration by);
  // What the server takes for now.
  Moment Now() const;

  // What was found in the state file at the start; the first error of writing to it since.
  StateFileReport state_report() const;
  Status state_status() const;

  // Tells all clients to go away (GOAWAY) without closing anything: what a server does before a
  // graceful stop.
  void Drain();

  // What a server does that is told to stop: GOAWAY on every connection, then everything is closed.
  // Only the destructor may follow.
  void Shutdown();

  // Runs `function` on the server's thread, between requests, and waits for it. Answers that it
  // causes are sent. Calls that it makes on the engine itself need numbers from kOwnCalls on; their
  // answers are dropped.
  static constexpr std::uint64_t kOwnCalls = std::uint64_t{1} << 63;
  void WithEngine(const std::function<void(Engine&, Moment)>& function);

  // Puts a line of the program's own into the journal, as one of its standard error. From any
  // thread, the server's own included, where the journal is safe from any.
  void Log(std::string level, std::string line);

  // Misbehaviour: Frontend's functions of the same names.
  StatusOr<std::vector<std::string>> SetRules(std::vector<wire::Rule> rules);
  bool LiftRule(std::string_view id);
  void LiftRules();
  std::vector<wire::RuleState> Rules() const;
  std::size_t Release(std::string_view gate, std::size_t count = SIZE_MAX);
  std::map<std::string, std::size_t> Gates() const;

  // Open connections at this moment.
  std::size_t connections() const;
  std::vector<ConnectionInfo> Snapshot() const;
  // What happened, to read and to wait for; safe from any thread. Only with record_events or an
  // admin interface.
  EventLog& events();

 private:
  struct Impl;
  explicit FakeServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace squall::fakes
