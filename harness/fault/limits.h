#pragma once
// Resource limits of processes that run: lowered while a fault is in force, and as before after it.

#include <cstdint>

#include "base/util/status.h"

namespace squall::harness {

// The soft limit only: the hard one stays, so that nobody needs privileges to undo it.
// `resource`: RLIMIT_NOFILE, RLIMIT_AS. NOT_FOUND when the process is gone.
StatusOr<std::uint64_t> SoftLimit(std::int64_t pid, int resource);
Status SetSoftLimit(std::int64_t pid, int resource, std::uint64_t limit);

// The number that its next descriptor but `left` would get, counting gaps: with it as the limit it
// can open `left` more.
StatusOr<std::uint64_t> DescriptorLimitFor(std::int64_t pid, std::int64_t left);
// Bytes of address space that it has.
StatusOr<std::uint64_t> AddressSpace(std::int64_t pid);

}  // namespace squall::harness
