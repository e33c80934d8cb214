#pragma once
// What operators and clients of activities do, by the dice: for random_test.cc.

#include <cstdint>

#include "base/util/rng.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {

// Resets, pauses and resumes something, changes its options, or starts, ends and deletes an
// activity of its own. The call may be held.
std::uint64_t OperateAtRandom(Rng& rng, Client& client);

}  // namespace squall::fakes::engine
