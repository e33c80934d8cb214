#pragma once
// The faults that act on the stream of one connection: what they say about each byte. Internal to
// harness/net; no socket, timer or clock of its own.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/util/connection_pattern.h"
#include "base/util/executor.h"
#include "harness/net/fault_decisions.h"
#include "harness/net/net_fault.h"

namespace squall::harness {

// A fault that is set, shared by the connections that it acts on.
struct ActiveFault {
  NetFault spec;
  FaultDecisions decisions;
  std::optional<ConnectionPattern> pattern;
  std::uint64_t seen = 0;    // connections that came while it was active
  std::uint64_t chosen = 0;  // of these
};

// A fault on one connection.
struct AttachedFault {
  // Of one direction. Positions count from the start of the connection.
  struct Way {
    StreamDecisions decisions;
    std::uint64_t read_from = 0, written_from = 0;  // positions when it came
    std::uint64_t slice_end = 0;
    std::uint64_t changed = 0;  // bytes, by kCorrupt
  };
  std::shared_ptr<ActiveFault> fault;
  Way up, down;
  bool hit = false;
  TimerId timer = 0;  // swallow, reset_on_data, idle_drop, half_open: until their end
  Way& way(bool is_up) { return is_up ? up : down; }
};

// Positions of one direction: bytes read from its sender, bytes written to its receiver.
struct StreamPosition {
  std::uint64_t read = 0, written = 0;
};

class StreamFaults {
 public:
  // `on_hit` is called when traffic meets a fault for the first time on this connection.
  StreamFaults(std::uint64_t connection, std::function<void(const ActiveFault&)> on_hit)
      : connection_(connection), on_hit_(std::move(on_hit)) {}

  AttachedFault& Attach(std::shared_ptr<ActiveFault> fault, StreamPosition up, StreamPosition down);
  AttachedFault* Find(std::string_view fault_id);
  void Detach(std::string_view fault_id);
  bool ActsOn(bool up) const;
  std::vector<AttachedFault>& all() { return attached_; }
  void MarkHit(AttachedFault& attached);

  // Whether a fault of the kind acts on the direction. A fault of the door that is attached to a
  // connection stalls it.
  bool Acts(const AttachedFault& attached, NetFaultKind kind, bool up) const;
  bool AnyActs(NetFaultKind kind, bool up) const;

  // How late the piece is that was read at this position, or the end of the direction.
  Duration Delay(bool up, std::uint64_t position, bool end);
  // Changes what was read at this position as kCorrupt says.
  void Corrupt(bool up, std::uint64_t position, std::span<char> data);
  // Whether what was read vanishes.
  bool Swallows(bool up);

  // What may be written at this position.
  struct Permit {
    std::size_t bytes = 0;
    AttachedFault* cut = nullptr;      // the connection ends here
    AttachedFault* trigger = nullptr;  // reset_on_data has met its data
    bool held = false;                 // until a fault is detached
    bool paced = false;                // bandwidth or slices act: not before the pace allows it
  };
  Permit MayWrite(bool up, std::uint64_t position, std::size_t available);
  // After a write: the cut that it came to, if it did, and how long nothing more may be written.
  struct Written {
    AttachedFault* cut = nullptr;
    Duration pause{};
  };
  Written Wrote(bool up, std::uint64_t position, std::size_t bytes);

 private:
  const std::uint64_t connection_;
  const std::function<void(const ActiveFault&)> on_hit_;
  std::vector<AttachedFault> attached_;  // in the order they were set
};

}  // namespace squall::harness
