#pragma once
// What must hold after every step of the engine.

#include <string>

namespace squall::fakes::engine {

struct Core;

// The first violation, or "":
//  - nothing is left to be done later than now: no deferred work, no deadline in the past;
//  - event ids are dense from 1, and the pending workflow task lies where its events are or will
//  be;
//  - a started workflow task has a time-out running; without one nothing is buffered;
//  - closed runs have no task, timer, activity, waiter or buffered event;
//  - closed schedules wait for nothing, batch operations run exactly as long as they have work;
//  - every activity id is in the index, and every activity waits for something;
//  - polls and tasks that fit do not wait beside each other (Matching::Check).
std::string CheckInvariants(const Core& core);

}  // namespace squall::fakes::engine
