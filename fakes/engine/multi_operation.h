#pragma once
// How an update-with-start fails.

#include "fakes/engine/errors.h"

namespace squall::fakes::engine {

// The error of ExecuteMultiOperation: the failed operation (0: the start, 1: the update) carries
// `status`, the other one was aborted, or `other_done`.
Status MultiOperationFailure(const Status& status, int failed_operation, bool other_done = false);

}  // namespace squall::fakes::engine
