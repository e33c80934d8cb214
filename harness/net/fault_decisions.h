#pragma once
// What chance decides about faults on a link: pure functions of the seed, the names of link and
// fault, the number of the connection, the direction, and the position in the stream. Neither the
// order of events nor how the kernel cuts the stream into reads has a say, so that a run repeated
// with the same seed decides the same.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/util/rng.h"
#include "harness/net/net_fault.h"

namespace squall::harness {

// Of one fault, on one direction of one connection.
class StreamDecisions {
 public:
  StreamDecisions() = default;
  explicit StreamDecisions(std::uint64_t key) : key_(key) {}

  // How late the piece that begins here is, at least 0, at most spec.longest.
  Duration Delay(const NetFault& spec, std::uint64_t position) const;
  // How long the slice that begins here is, at least 1.
  std::uint64_t SliceBytes(const NetFault& spec, std::uint64_t position) const;
  // What the byte here is changed by (exclusive or): 0 leaves it as it is.
  std::uint8_t Change(const NetFault& spec, std::uint64_t position) const;

 private:
  Rng At(std::uint64_t position) const;
  std::uint64_t key_ = 0;
};

class FaultDecisions {
 public:
  FaultDecisions(std::uint64_t seed, std::string_view link, std::string_view fault_id);

  // Whether a fault with this probability acts on the connection. Who is chosen with a small
  // probability is chosen with a larger one as well.
  bool Chosen(double probability, std::uint64_t connection) const;
  StreamDecisions Stream(std::uint64_t connection, bool up) const;

 private:
  Rng rng_;  // only split
};

}  // namespace squall::harness
