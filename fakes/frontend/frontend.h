#pragma once
// Temporal's frontend without sockets: the fake engine behind gRPC, HTTP/2 and, if wanted, TLS.
//
// Owners (a socket server, the simulator, a test) bring bytes and the time, and carry bytes away;
// nothing here reads a clock, draws a random number by itself or keeps a thread.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/status.h"
#include "base/wire/grpc.h"
#include "base/wire/misbehaviour_script.h"
#include "fakes/frontend/api_keys.h"
#include "fakes/frontend/limits.h"

namespace squall::wire {
class TlsContext;
}  // namespace squall::wire

namespace squall::fakes {

class Engine;

// Where connections come in. All serve the same engine.
struct FrontendListener {
  std::string name;
  std::shared_ptr<wire::TlsContext> tls;  // null: plaintext
};

// A connection as it is now.
struct ConnectionInfo {
  std::uint64_t connection = 0;
  std::string listener, peer, local;
  std::string tls;  // "TLSv1.3 alpn=h2 ..."; "" in plaintext and before the handshake is done
  Duration age{};
  std::size_t open_calls = 0;
  std::uint64_t bytes_up = 0, bytes_down = 0;
  bool half_open = false;  // by a rule
};

struct FrontendOptions {
  // The server's name in the scenario; in the journal as the connections' link, source
  // "server:NAME".
  std::string name = "temporal";
  // Server context; null: plaintext.
  std::shared_ptr<wire::TlsContext> tls;
  // Listeners 1, 2, ...; the one above is 0 and has the server's name.
  std::vector<FrontendListener> listeners;
  // Bearer tokens that are let in, as Temporal Cloud's API keys are sent ("authorization: Bearer
  // KEY"). Empty: no check. Calls without a token are answered UNAUTHENTICATED, with another token
  // PERMISSION_DENIED. They never reach a journal.
  std::vector<std::string> api_keys;
  // Keys that are good for some namespaces or RPCs only; beside the above.
  std::vector<ApiKey> scoped_keys;
  ConnectionLimits limits;
  // Requests above are answered RESOURCE_EXHAUSTED. Default: gRPC's own 4 MiB, which Temporal
  // leaves as it is.
  std::size_t max_request_bytes = wire::kDefaultMaxMessageBytes;
  // TLS connections that did not negotiate "h2" are closed, as grpc-go does since 1.67.
  bool require_alpn = true;
  wire::Http2Options http2;
  // Of whatever the front end leaves to chance.
  std::uint64_t seed = 1;
};

struct FrontendOutput {
  enum class End {
    kKeep,   // the connection stays
    kClose,  // close after these bytes (FIN)
    kReset,  // drop at once (RST)
  };
  std::uint64_t connection = 0;
  std::string bytes;
  End end = End::kKeep;
};

// Connections and the calls on them. Single-threaded. The order of calls is the owner's: after any
// of Accept, Receive, PeerClosed, Advance, CloseAll or Poll, take the output and ask for the next
// deadline again.
class Frontend {
 public:
  // `engine` and `sink` must outlive the frontend.
  Frontend(FrontendOptions options, Engine& engine, journal::Sink& sink);
  ~Frontend();
  Frontend(const Frontend&) = delete;
  Frontend& operator=(const Frontend&) = delete;

  // A connection came; returns its number (1, 2, ...), which is never used again. `peer` and
  // `local` are addresses for the journal. `calendar` is what certificates are judged by, where
  // that is not `now` (a server whose time skips).
  std::uint64_t Accept(Moment now, std::string peer, std::string local = {},
                       std::size_t listener = 0, std::optional<WallTime> calendar = {});
  // Bytes from the peer. Unknown and closed connections are ignored here and below.
  void Receive(Moment now, std::uint64_t connection, std::string_view bytes);
  // The peer ended the connection (`reset`: by RST or another error). Its calls are cancelled in
  // the engine.
  void PeerClosed(Moment now, std::uint64_t connection, bool reset = false);
  // Time has come to `now`: deadlines of calls (DEADLINE_EXCEEDED) and of the engine fire.
  void Advance(Moment now);
  // Carries answers that the engine has meanwhile (after somebody else called it) to their
  // connections.
  void Poll(Moment now);
  // When Advance is due; never later than the engine's own deadline.
  std::optional<SteadyTime> NextDeadline() const;
  // What is to be sent, in order of connection and at most one entry for each.
  std::vector<FrontendOutput> TakeOutput();
  enum class Ending {
    kShutdown,  // GOAWAY, then close: a server that is told to stop
    kCrash,     // close without a word: a process that dies
    kReset,     // drop
  };
  // Ends every connection; calls that are open get no answer.
  void CloseAll(Moment now, Ending ending = Ending::kShutdown);
  // Tells every connection to go away (GOAWAY NO_ERROR) and leaves it open for the calls it has.
  void Drain(Moment now);

  // Misbehaviour (base/wire/misbehaviour_script.h). Setting and lifting are journaled as fault
  // events "injected" and "healed", every effect as "hit", all with the rule's id.
  StatusOr<std::vector<std::string>> SetRules(Moment now, std::vector<wire::Rule> rules);
  bool LiftRule(Moment now, std::string_view id);
  void LiftRules(Moment now);
  std::vector<wire::RuleState> Rules() const;
  // Lets held calls go on; how many there were.
  std::size_t Release(Moment now, std::string_view gate, std::size_t count = SIZE_MAX);
  std::map<std::string, std::size_t> Gates() const;

  std::size_t connections() const;
  std::size_t open_calls() const;
  // In order of their numbers.
  std::vector<ConnectionInfo> Snapshot() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace squall::fakes
