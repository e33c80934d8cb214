#pragma once
// A TCP proxy that misbehaves on demand: one per link, between a client under test and what it
// talks to.
//
// It listens on 127.0.0.1, or where it is told to, and a port that stays its own for its whole
// life: a bound socket that never listens reserves it, so that "refuse" (the listener is closed)
// cannot lose it to another program. Bytes are passed through unread; a half-close is passed on as
// one; at most 64 KiB per direction are held (512 KiB in the kernel while data comes in bulk and
// nothing acts on it; 8 MiB under way where latency acts), then reading stops.
//
// Faults (net_fault.h) are set and removed while it runs, or before the first byte; several may be
// active at once. Of those that decide what happens to a new connection the one set last rules;
// those on the stream add up. An end of a stall, black hole, latency or bandwidth lets what was
// held flow on, in order; connections that lost bytes (swallow) or were forgotten (idle_drop,
// half_open) end when the fault does. A closure is passed on like a byte: a stalled link hides it
// from the other side.
//
// What chance decides depends on the seed, on names, numbers and positions, and on nothing else
// (fault_decisions.h).
//
// Journal (source "proxy:LINK"), connection events: "listening"; "attempt" for each connection that
// reaches the proxy, with its number, which back-off checks count; "accepted" when it is let in;
// "established" when the upstream answered; "failed" when it could not be reached (the client is
// then reset); "closed" or "reset" at its end with byte counts, and fault_id where a fault decided.
// While a link refuses or does not accept, attempts cannot be seen here (the kernel answers, or
// nobody): use `reset`, which sees and times them, or the client's own events. Fault events "hit":
// the first traffic that meets a fault. "injecting" and "injected" come from harness/fault.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/status.h"
#include "harness/net/asio_executor.h"
#include "harness/net/net_fault.h"
#include "harness/net/port.h"

namespace squall::harness {

struct ProxyOptions {
  // The link's name, e.g. "w->temporal".
  std::string link;
  // Where connections go: an IP address, or a name that is looked up for each connection.
  HostPort upstream;
  // Where it listens: an IP address or a name of this machine; port 0 is a free one.
  HostPort listen = {"127.0.0.1", 0};
  // The port is taken at once and kept until the end; false: only while it is open (SetOpen).
  bool keep_port = true;
  // Seed of latency jitter and of chance.
  std::uint64_t seed = 1;
  // An upstream that does not answer for this long has failed.
  Duration connect_timeout = std::chrono::seconds(10);
  // What a client sees whose upstream could not be reached.
  CutWith failed_with = CutWith::kReset;
  // Listening from the start; false: as if refused, until SetOpen(true).
  bool open = true;
};

struct ProxyCounters {
  std::uint64_t attempts = 0;     // connections that reached the proxy
  std::uint64_t established = 0;  // of these, connected to the upstream
  std::uint64_t failed = 0;       // upstream could not be reached
  std::uint64_t reset = 0;        // ended by RST from the proxy
  std::uint64_t open = 0;         // now
  std::uint64_t received_up = 0, received_down = 0;
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
  bool open() const;            // as SetOpen said last
  HostPort upstream() const;
  // Where connections from now on go.
  void SetUpstream(HostPort upstream);
  // Whether somebody listens when no fault says otherwise. Connections that are open stay.
  // UNAVAILABLE when the port cannot be had.
  Status SetOpen(bool open);
  // FAILED_PRECONDITION while it is open, or keeps its port.
  Status SetListen(HostPort listen);

  // INVALID_ARGUMENT for values that make no sense, ALREADY_EXISTS for an id that is active.
  Status Set(NetFault fault);
  // Gives an active fault other values, of the same kind and direction: connections keep what they
  // have counted, and are chosen anew by a new probability. NOT_FOUND, or as Set.
  Status Update(NetFault fault);
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
  // Closes their sockets, whatever is held.
  void DropConnections();
  ProxyCounters counters() const;

 private:
  struct Impl;
  explicit TcpProxy(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace squall::harness
