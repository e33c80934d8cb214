#pragma once
// When a server that skips time may do so, and how far.

#include <optional>

#include "base/util/clock.h"

namespace squall::fakes::engine {

struct Core;

// See Engine::NextSkip. Always the very next deadline, whatever it is, so that what fires on the
// way and makes work (a schedule, a time-out) ends the skipping there.
std::optional<SteadyTime> NextSkip(const Core& core);

}  // namespace squall::fakes::engine
