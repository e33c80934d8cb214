#pragma once
// Bugs that are planted on purpose, to prove that the simulator's swarm finds them (`make
// prove-planted`).
//
// In every program but that proof's own `Planted` is a constant, and nothing of them is compiled.
// The proof compiles the few sources that have one a second time (tests/sim/planted), and switches
// one on at run time. What each does is told where it stands; names, and the smallest scenario that
// shows each, are in tests/sim/planted/bugs.cc.

#include <cstdint>

namespace squall {

enum class PlantedBug : std::uint8_t {
  kNone,
  // The server's engine.
  kTimerLostOnRestart,
  kBacklogLostOnRestart,
  kFirstTaskLostOnRestart,
  kRetryForgotten,
  kActivityTimeoutForgotten,
  kTaskTimeoutForgotten,
  kTaskNotRetried,
  kStickyNeverFallsBack,
  kSignalDropped,
  kResolvedTwice,
  kChildEndNotTold,
  kHeartbeatIgnored,
  kBacklogNotServed,
  kReplayEndsEarly,
  kTaskDroppedWithoutPoller,
  // Its front end.
  kAnswerLostAfterGoaway,
  kClosesAtGoaway,
  kCallOutlivesConnection,
  kSecondAnswerLost,
  kPingsMiscounted,
  // Hosts and workers.
  kNoRetryAfterFailedConnect,
  kNoWorkersAfterReconnect,
  kConnectLimitForgotten,
  kNewWorkersNotStopped,
  kExitRemembersFailure,
  kPollingEndsWithCache,
  kCancelledNeverCompleted,
  kWatchdogBitesAtLoss,
  kBackoffWithoutLimit,
};

#ifdef SQUALL_PLANTED_BUGS
bool Planted(PlantedBug bug);
#else
constexpr bool Planted(PlantedBug) { return false; }
#endif

}  // namespace squall
