#pragma once
// What replaying recorded inputs rests on: which calls leave no trace, and how two engines are
// compared.

#include <cstdint>

#include "fakes/engine/engine.h"

namespace squall::fakes::engine {

struct Core;

// Whether a call that is answered at once cannot have changed anything.
bool OnlyReads(const RpcRequest& request);

std::uint64_t StateDigest(const Core& core);

}  // namespace squall::fakes::engine
