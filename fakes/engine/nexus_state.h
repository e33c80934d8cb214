#pragma once
// What a run knows of the Nexus operations that it called, and of the callbacks that wait for its
// own end: plain data in Run. The rules are in nexus_operations.h and callbacks.h.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/util/clock.h"
#include "base/util/executor.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

// The delivery of one request, start or cancel, to the handler.
struct NexusAttempts {
  int completed = 0;       // attempts that ended, well or not
  std::uint64_t task = 0;  // the Nexus task of the attempt in progress; 0: none
  bool backing_off = false;
  TimerId retry = 0;  // while backing off, of an open run
  WallTime last_complete{}, next{};
  std::optional<failure::Failure> last_failure;
};

struct NexusCancellation {
  std::int64_t requested_event_id = 0;
  // Unspecified until the operation has started: only then there is something to cancel.
  enums::NexusOperationCancellationState state =
      enums::NEXUS_OPERATION_CANCELLATION_STATE_UNSPECIFIED;
  WallTime requested{};
  NexusAttempts attempts;
};

struct NexusOperation {
  std::int64_t scheduled_event_id = 0;
  historypb::NexusOperationScheduledEventAttributes attributes;
  WallTime scheduled{};
  SteadyTime scheduled_steady{}, started_steady{};
  bool started = false;  // the handler answered with a token: the completion comes as a callback
  std::string token;
  NexusAttempts attempts;
  std::optional<NexusCancellation> cancellation;
  TimerId schedule_to_close = 0, schedule_to_start = 0, start_to_close = 0;
};

// Told when the run closes for good.
struct CompletionCallback {
  common::Callback callback;
  std::string request_id;  // of the request that attached it
  WallTime registered{};
  enums::CallbackState state = enums::CALLBACK_STATE_STANDBY;
  int attempts = 0;
  WallTime last_complete{};
  std::optional<failure::Failure> last_failure;
};

}  // namespace squall::fakes::engine
