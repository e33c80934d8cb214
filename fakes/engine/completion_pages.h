#pragma once
// Completions of a workflow task that are too large for one message come in pages, in any order;
// the last, which is not intermediate, says by its number how many there were before.

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

// Keeps an intermediate page (true: nothing more to do), or puts the commands and messages of the
// pages kept in front of those of the last one (false: `request` is the whole completion).
// The run's task is the one that `request` completes.
StatusOr<bool> TakeCompletionPage(Run& run, ws::RespondWorkflowTaskCompletedRequest& request);

}  // namespace squall::fakes::engine
