#include "harness/net/net_fault.h"

#include "base/util/connection_pattern.h"

namespace squall::harness {

std::string_view NetFaultName(NetFaultKind kind) {
  switch (kind) {
    case NetFaultKind::kRefuse:
      return "refuse";
    case NetFaultKind::kReset:
      return "reset";
    case NetFaultKind::kBlackhole:
      return "blackhole";
    case NetFaultKind::kNeverAccept:
      return "never_accept";
    case NetFaultKind::kConnectionLimit:
      return "connection_limit";
    case NetFaultKind::kStall:
      return "stall";
    case NetFaultKind::kLatency:
      return "latency";
    case NetFaultKind::kBandwidth:
      return "bandwidth";
    case NetFaultKind::kCut:
      return "cut";
    case NetFaultKind::kSlowClose:
      return "slow_close";
    case NetFaultKind::kSlice:
      return "slice";
    case NetFaultKind::kCorrupt:
      return "corrupt";
    case NetFaultKind::kSwallow:
      return "swallow";
    case NetFaultKind::kResetOnData:
      return "reset_on_data";
    case NetFaultKind::kIdleDrop:
      return "idle_drop";
    case NetFaultKind::kHalfOpen:
      return "half_open";
  }
  return "?";
}

bool IsStreamFault(NetFaultKind kind) {
  switch (kind) {
    case NetFaultKind::kRefuse:
    case NetFaultKind::kReset:
    case NetFaultKind::kBlackhole:
    case NetFaultKind::kNeverAccept:
    case NetFaultKind::kConnectionLimit:
      return false;
    default:
      return true;
  }
}

bool IsKernelsFault(NetFaultKind kind) {
  return kind == NetFaultKind::kRefuse || kind == NetFaultKind::kNeverAccept;
}

Existing DefaultExisting(NetFaultKind kind) {
  switch (kind) {
    case NetFaultKind::kRefuse:
    case NetFaultKind::kReset:
      return Existing::kReset;
    case NetFaultKind::kConnectionLimit:
      return Existing::kKeep;
    default:
      return Existing::kStall;
  }
}

Status ValidateFault(const NetFault& fault) {
  const auto bad = [&](std::string_view why) {
    return MakeStatus(StatusCode::kInvalidArgument, "fault {} ({}): {}", fault.id,
                      NetFaultName(fault.kind), why);
  };
  if (fault.id.empty()) return bad("it has no id");
  for (const Duration time : {fault.latency, fault.jitter, fault.longest, fault.slice_pause})
    if (time < Duration::zero()) return bad("a time is negative");
  if (!(fault.probability >= 0 && fault.probability <= 1) ||
      !(fault.corrupt_share >= 0 && fault.corrupt_share <= 1)) {
    return bad("a probability lies between 0 and 1");
  }
  switch (fault.kind) {
    case NetFaultKind::kBandwidth:
      if (fault.bytes_per_second == 0) return bad("bytes per second must be above 0");
      break;
    case NetFaultKind::kSlice:
      if (fault.slice_bytes == 0) return bad("a piece has at least one byte");
      if (fault.slice_variation >= fault.slice_bytes)
        return bad("pieces vary by less than their size");
      break;
    case NetFaultKind::kHalfOpen:
      if (fault.direction == Direction::kBoth)
        return bad("one side is not told: the direction is up (the client) or down (the server)");
      [[fallthrough]];
    case NetFaultKind::kIdleDrop:
      if (fault.idle <= Duration::zero()) return bad("the idle time must be above 0");
      break;
    default:
      break;
  }
  if (fault.spread == Spread::kPareto && !(fault.shape > 0))
    return bad("the shape must be above 0");
  if (!fault.connections.empty()) {
    if (const auto pattern = ConnectionPattern::Parse(fault.connections); !pattern.ok())
      return bad(Message(pattern.status()));
  }
  if (IsKernelsFault(fault.kind) &&
      (fault.first_connections != 0 || fault.probability != 1 || !fault.connections.empty())) {
    return bad("it cannot choose connections: the kernel answers them");
  }
  return absl::OkStatus();
}

}  // namespace squall::harness
