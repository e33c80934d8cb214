#pragma once
// A TCP proxy that misbehaves on demand: one per link, between a client under test and what it
// talks to.
//
// It listens on 127.0.0.1 and a port that stays its own for its whole life: a bound socket that
// never listens reserves it, so that "refuse" (the listener is closed) cannot lose it to another
// program. Bytes are passed through unread; a half-close is passed on as one; at most 64 KiB per
// direction are held, then reading stops.
//
// Faults are set and removed while it runs, or before the first byte; several may be active at
// once. Of those that decide what happens to a new connection (refuse, never_accept, reset,
// blackhole) the one set last rules; those on the stream (stall, latency, bandwidth, cut,
// slow_close) add up. An end of a stall, black hole, latency or bandwidth lets what was held flow
// on, in order. A closure is passed on like a byte: a stalled link hides it from the other side.
//
// Journal (source "proxy:LINK"), connection events: "listening"; "attempt" for each connection that
// reaches the proxy, with its number, which back-off checks count; "accepted" when it is let in;
// "established" when the upstream answered; "failed" when it could not be reached (the client is
// then reset); "closed" or "reset" at its end with byte counts, and fault_id where a fault decided.
// While a link refuses or does not accept, attempts cannot be seen here (the kernel answers, or
// nobody): use `reset`, which sees and times them, or the client's own events. Fault events "hit":
// the first traffic that meets a fault. "injecting" and "injected" come from harness/fault.

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
#include "harness/net/asio_executor.h"
#include "harness/net/port.h"

namespace squall::harness {

enum class NetFaultKind {
  kRefuse,       // nobody listens: ECONNREFUSED
  kReset,        // accepted, then RST
  kBlackhole,    // accepted, then nothing is read or written, and no upstream is called
  kNeverAccept,  // the listener stands and accepts nothing: the handshake is the kernel's, silence
                 // follows
  kStall,        // bytes stop in the chosen direction, connections stay
  kLatency,      // each piece of data is late by latency +- jitter
  kBandwidth,    // bytes per second, for each connection and direction
  kCut,          // after N bytes in the chosen direction the connection ends
  kSlowClose,    // the end of a direction is passed on late by latency +- jitter
};

// up: client to server.
enum class Direction { kUp, kDown, kBoth };
enum class CutWith { kFin, kReset };
// What an accept fault does to the connections that are open when it comes.
enum class Existing { kKeep, kStall, kClose, kReset };

struct NetFault {
  // Unique; journal events carry it.
  std::string id;
  NetFaultKind kind = NetFaultKind::kRefuse;
  // stall, latency, bandwidth, cut, slow_close.
  Direction direction = Direction::kBoth;
  // latency, slow_close: mean, and the largest deviation to either side (uniform, by the link's
  // seed).
  Duration latency{};
  Duration jitter{};
  // never_accept: the kernel's backlog is full as well, SYNs are dropped and connect hangs.
  bool backlog_full = false;
  // bandwidth; > 0.
  std::uint64_t bytes_per_second = 0;
  // cut: bytes that still pass, counted from the start of a new connection, or from now on an open
  // one, each direction on its own. The cut is exact to the byte.
  std::uint64_t cut_after_bytes = 0;
  CutWith cut_with = CutWith::kReset;
  // refuse, reset, blackhole, never_accept. Default: reset for refuse and reset, stall for the
  // other two.
  std::optional<Existing> existing;
  // Stream faults on the connections that are open already.
  bool on_existing = true;
  // Only the first N connections that come while the fault is active (0: all). Not for refuse and
  // never_accept.
  std::uint64_t first_connections = 0;
  // Each connection is chosen with this probability, by the link's seed. Not for refuse and
  // never_accept.
  double probability = 1.0;
};

// refuse, reset, blackhole, never_accept, stall, latency, bandwidth, cut, slow_close.
std::string_view NetFaultName(NetFaultKind kind);

struct ProxyOptions {
  // The link's name, e.g. "w->temporal".
  std::string link;
  // Where connections go.
  HostPort upstream;
  // Seed of latency jitter and of chance.
  std::uint64_t seed = 1;
  // An upstream that does not answer for this long has failed.
  Duration connect_timeout = std::chrono::seconds(10);
  // Listening from the start; false: as if refused, until SetOpen(true).
  bool open = true;
};

struct ProxyCounters {
  std::uint64_t attempts = 0;                  // connections that reached the proxy
  std::uint64_t established = 0;               // of these, connected to the upstream
  std::uint64_t failed = 0;                    // upstream could not be reached
  std::uint64_t reset = 0;                     // ended by RST from the proxy
  std::uint64_t open = 0;                      // now
  std::uint64_t bytes_up = 0, bytes_down = 0;  // delivered
};

// Loop thread only. The destructor resets all connections and gives the port up.
class TcpProxy {
 public:
  static StatusOr<std::unique_ptr<TcpProxy>> Create(AsioExecutor& executor, journal::Sink& journal,
                                                    ProxyOptions options);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  const std::string& link() const;
  std::uint16_t port() const;
  std::string address() const;  // "127.0.0.1:PORT", the same for life
  HostPort upstream() const;
  // Where connections from now on go.
  void SetUpstream(HostPort upstream);
  // Whether somebody listens when no fault says otherwise. Connections that are open stay.
  Status SetOpen(bool open);

  // INVALID_ARGUMENT for values that make no sense, ALREADY_EXISTS for an id that is active.
  Status Set(NetFault fault);
  // Traffic goes on as if the fault had never been; idempotent. UNAVAILABLE when the port cannot be
  // listened on again.
  Status Remove(std::string_view fault_id);
  Status RemoveAll();
  std::vector<std::string> active() const;
  // How many connections (or, for faults on open ones, first pieces of data on them) met the fault
  // so far; kept after Remove.
  std::uint64_t hits(std::string_view fault_id) const;

  // Ends all open connections now: FIN to both sides after what is held, or RST at once.
  void CloseConnections(CutWith how, std::string_view fault_id = "");
  ProxyCounters counters() const;

 private:
  struct Impl;
  explicit TcpProxy(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace squall::harness
