#pragma once
// What a TcpProxy can be told to do wrong: one record for each fault, and what may be said in it.
//
// Whatever chance decides about a fault is a pure function of (seed of the link, name of the link,
// id of the fault, number of the connection, direction, position in the stream): fault_decisions.h.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/util/clock.h"
#include "base/util/status.h"

namespace squall::harness {

enum class NetFaultKind {
  // At the door: what becomes of a new connection. Of several the one set last rules.
  kRefuse,           // nobody listens: ECONNREFUSED
  kReset,            // accepted, then RST
  kBlackhole,        // accepted, then nothing is read or written, and no upstream is called
  kNeverAccept,      // the listener stands and accepts nothing: the handshake is the kernel's,
                     // silence follows
  kConnectionLimit,  // as long as so many connections are open, new ones are reset
  // On the stream: they add up.
  kStall,        // bytes stop in the chosen direction, connections stay
  kLatency,      // each piece of data is late by latency and a drawn deviation
  kBandwidth,    // bytes per second, for each connection and direction
  kCut,          // after N bytes in the chosen direction the connection ends
  kSlowClose,    // the end of a direction is passed on late by latency and a drawn deviation
  kSlice,        // data leaves in small pieces, with a pause behind each
  kCorrupt,      // bytes are changed
  kSwallow,      // bytes vanish; after `latency`, if it is above 0, the connection ends
  kResetOnData,  // the first data of the chosen direction has the connection reset, after `latency`
  kIdleDrop,     // a connection that was silent for `idle` is forgotten, as by a NAT
  kHalfOpen,     // a connection that was silent for `idle` ends for one side; the other is not told
};

// up: client to server.
enum class Direction { kUp, kDown, kBoth };
enum class CutWith { kFin, kReset };
// What an accept fault does to the connections that are open when it comes.
enum class Existing { kKeep, kStall, kClose, kReset };
// How a forgotten connection looks to its ends.
enum class IdleEnd {
  kSilent,     // what they send vanishes, and nobody says anything
  kReset,      // both are reset when the time is over
  kResetNext,  // whoever speaks next is reset; the other is left in the dark until it speaks
};
// How delays are spread around `latency`, with `jitter` as their measure.
enum class Spread {
  kUniform,      // latency +- jitter
  kNormal,       // jitter is the standard deviation
  kExponential,  // latency is the shortest, jitter the mean of what comes on top
  kPareto,       // likewise, with a heavy tail: on top comes jitter * (u^(-1/shape) - 1)
};

struct NetFault {
  // Unique; journal events carry it.
  std::string id;
  NetFaultKind kind = NetFaultKind::kRefuse;
  // All on the stream but idle_drop. half_open: who is not told (up: the client; down: the server).
  Direction direction = Direction::kBoth;
  // latency, slow_close: the middle, or the shortest, of the delays. swallow, reset_on_data: how
  // long until the end.
  Duration latency{};
  Duration jitter{};
  Spread spread = Spread::kUniform;
  // Pareto's alpha, > 0: the smaller, the heavier the tail.
  double shape = 1.5;
  // No delay is longer; 0: no limit.
  Duration longest{};
  // never_accept: the kernel's backlog is full as well, SYNs are dropped and connect hangs.
  bool backlog_full = false;
  // bandwidth; > 0.
  std::uint64_t bytes_per_second = 0;
  // cut: bytes that still pass, counted from the start of a new connection, or from now on an open
  // one, each direction on its own. The cut is exact to the byte.
  std::uint64_t cut_after_bytes = 0;
  CutWith cut_with = CutWith::kReset;
  // slice: bytes of a piece, > 0, and how much they vary to either side, < slice_bytes.
  std::uint64_t slice_bytes = 0, slice_variation = 0;
  // The pause behind each piece.
  Duration slice_pause{};
  // corrupt: so many bytes stay whole (counted as of cut), from then on each is changed with this
  // probability, at most `corrupt_most` of them in each direction (0: no limit).
  std::uint64_t corrupt_after_bytes = 0;
  double corrupt_share = 1.0;
  std::uint64_t corrupt_most = 0;
  // connection_limit: so many may be open.
  std::uint64_t most_connections = 0;
  // idle_drop, half_open; > 0.
  Duration idle{};
  IdleEnd idle_end = IdleEnd::kSilent;
  // refuse, reset, blackhole, never_accept. Default: reset for refuse and reset, stall for the
  // other two.
  std::optional<Existing> existing;
  // Stream faults on the connections that are open already.
  bool on_existing = true;
  // Only the first N connections that come while the fault is active (0: all). Not for refuse and
  // never_accept.
  std::uint64_t first_connections = 0;
  // Only the connections with these numbers, counted from 1 while the fault is active, as a
  // ConnectionPattern: "2-3" lets the first pass and takes the next two. Not for refuse and
  // never_accept.
  std::string connections;
  // Each connection is chosen with this probability, by the link's seed. Not for refuse and
  // never_accept.
  double probability = 1.0;
};

// refuse, reset, blackhole, never_accept, connection_limit, stall, latency, bandwidth, cut,
// slow_close, slice, corrupt, swallow, reset_on_data, idle_drop, half_open.
std::string_view NetFaultName(NetFaultKind kind);

// Whether it acts on the stream; the others decide at the door.
bool IsStreamFault(NetFaultKind kind);
// Whether the kernel answers instead of the proxy, so that connections cannot be chosen.
bool IsKernelsFault(NetFaultKind kind);
// What the fault does to open connections when it does not say so itself.
Existing DefaultExisting(NetFaultKind kind);

// INVALID_ARGUMENT for values that make no sense.
Status ValidateFault(const NetFault& fault);

}  // namespace squall::harness
