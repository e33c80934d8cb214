#include "harness/net/stream_faults.h"

#include <algorithm>
#include <utility>

namespace squall::harness {
namespace {

bool InDirection(const NetFault& spec, bool up) {
  switch (spec.kind) {
    case NetFaultKind::kIdleDrop:
    case NetFaultKind::kHalfOpen:
      return true;  // traffic of either direction keeps the connection awake
    default:
      return spec.direction == Direction::kBoth || (spec.direction == Direction::kUp) == up;
  }
}

}  // namespace

AttachedFault& StreamFaults::Attach(std::shared_ptr<ActiveFault> fault, StreamPosition up,
                                    StreamPosition down) {
  const FaultDecisions& decisions = fault->decisions;
  attached_.push_back({.fault = fault,
                       .up = {.decisions = decisions.Stream(connection_, true),
                              .read_from = up.read,
                              .written_from = up.written},
                       .down = {.decisions = decisions.Stream(connection_, false),
                                .read_from = down.read,
                                .written_from = down.written}});
  return attached_.back();
}

AttachedFault* StreamFaults::Find(std::string_view fault_id) {
  const auto it = std::find_if(attached_.begin(), attached_.end(), [&](const auto& attached) {
    return attached.fault->spec.id == fault_id;
  });
  return it == attached_.end() ? nullptr : &*it;
}

void StreamFaults::Detach(std::string_view fault_id) {
  std::erase_if(attached_,
                [&](const auto& attached) { return attached.fault->spec.id == fault_id; });
}

bool StreamFaults::ActsOn(bool up) const {
  return std::any_of(attached_.begin(), attached_.end(), [&](const auto& attached) {
    const NetFault& spec = attached.fault->spec;
    return !IsStreamFault(spec.kind) || InDirection(spec, up);
  });
}

void StreamFaults::MarkHit(AttachedFault& attached) {
  if (attached.hit) return;
  attached.hit = true;
  on_hit_(*attached.fault);
}

bool StreamFaults::Acts(const AttachedFault& attached, NetFaultKind kind, bool up) const {
  const NetFault& spec = attached.fault->spec;
  if (!IsStreamFault(spec.kind)) return kind == NetFaultKind::kStall;
  return spec.kind == kind && InDirection(spec, up);
}

bool StreamFaults::AnyActs(NetFaultKind kind, bool up) const {
  return std::any_of(attached_.begin(), attached_.end(),
                     [&](const auto& attached) { return Acts(attached, kind, up); });
}

Duration StreamFaults::Delay(bool up, std::uint64_t position, bool end) {
  Duration delay{};
  for (AttachedFault& attached : attached_) {
    if (!Acts(attached, NetFaultKind::kLatency, up) &&
        !(end && Acts(attached, NetFaultKind::kSlowClose, up))) {
      continue;
    }
    delay += attached.way(up).decisions.Delay(attached.fault->spec, position);
    MarkHit(attached);
  }
  return delay;
}

void StreamFaults::Corrupt(bool up, std::uint64_t position, std::span<char> data) {
  for (AttachedFault& attached : attached_) {
    if (!Acts(attached, NetFaultKind::kCorrupt, up)) continue;
    const NetFault& spec = attached.fault->spec;
    AttachedFault::Way& way = attached.way(up);
    const std::uint64_t first = way.read_from + spec.corrupt_after_bytes;
    for (std::size_t i = first > position ? first - position : 0; i < data.size(); ++i) {
      if (spec.corrupt_most != 0 && way.changed >= spec.corrupt_most) break;
      const std::uint8_t change = way.decisions.Change(spec, position + i);
      if (change == 0) continue;
      data[i] = static_cast<char>(static_cast<std::uint8_t>(data[i]) ^ change);
      ++way.changed;
      MarkHit(attached);
    }
  }
}

bool StreamFaults::Swallows(bool up) {
  bool swallows = false;
  for (AttachedFault& attached : attached_) {
    if (!Acts(attached, NetFaultKind::kSwallow, up)) continue;
    MarkHit(attached);
    swallows = true;
  }
  return swallows;
}

StreamFaults::Permit StreamFaults::MayWrite(bool up, std::uint64_t position,
                                            std::size_t available) {
  Permit permit{.bytes = available};
  for (AttachedFault& attached : attached_) {
    const NetFault& spec = attached.fault->spec;
    if (Acts(attached, NetFaultKind::kStall, up)) {
      MarkHit(attached);
      permit.held = true;
    } else if (Acts(attached, NetFaultKind::kResetOnData, up)) {
      MarkHit(attached);
      permit.held = true;
      if (permit.trigger == nullptr) permit.trigger = &attached;
    }
    if (permit.held || available == 0) continue;  // the end of the direction has no bytes to count
    AttachedFault::Way& way = attached.way(up);
    if (Acts(attached, NetFaultKind::kCut, up)) {
      MarkHit(attached);
      const std::uint64_t until = way.written_from + spec.cut_after_bytes;
      if (until <= position && permit.cut == nullptr) permit.cut = &attached;
      if (until > position) permit.bytes = std::min<std::size_t>(permit.bytes, until - position);
    } else if (Acts(attached, NetFaultKind::kBandwidth, up)) {
      MarkHit(attached);
      permit.paced = true;
      // Twenty pieces a second, so that the rate holds over short times too.
      permit.bytes = std::min<std::size_t>(permit.bytes,
                                           std::max<std::uint64_t>(1, spec.bytes_per_second / 20));
    } else if (Acts(attached, NetFaultKind::kSlice, up)) {
      MarkHit(attached);
      permit.paced = true;
      if (way.slice_end <= position)
        way.slice_end = position + way.decisions.SliceBytes(spec, position);
      permit.bytes = std::min<std::size_t>(permit.bytes, way.slice_end - position);
    }
  }
  return permit;
}

StreamFaults::Written StreamFaults::Wrote(bool up, std::uint64_t position, std::size_t bytes) {
  Written written;
  const std::uint64_t now_at = position + bytes;
  for (AttachedFault& attached : attached_) {
    const NetFault& spec = attached.fault->spec;
    AttachedFault::Way& way = attached.way(up);
    if (Acts(attached, NetFaultKind::kBandwidth, up)) {
      const double seconds =
          static_cast<double>(bytes) / static_cast<double>(spec.bytes_per_second);
      written.pause = std::max(written.pause, Duration(static_cast<Duration::rep>(seconds * 1e9)));
    } else if (Acts(attached, NetFaultKind::kSlice, up)) {
      if (now_at >= way.slice_end) written.pause = std::max(written.pause, spec.slice_pause);
    } else if (Acts(attached, NetFaultKind::kCut, up)) {
      if (attached.hit && now_at >= way.written_from + spec.cut_after_bytes &&
          written.cut == nullptr) {
        written.cut = &attached;
      }
    }
  }
  return written;
}

}  // namespace squall::harness
