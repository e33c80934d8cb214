#pragma once

#include "fakes/engine/run.h"

namespace squall::fakes::engine {

// Puts what is paused, the workflow itself or activities of it, into the search attribute
// TemporalPauseInfo.
void TellPauses(Run& run);

}  // namespace squall::fakes::engine
