#pragma once
// The workflows and activities that every worker under test offers, in C++ here and in Python in
// harness/subjects/python/, under the same names and with the same results, so that a scenario may
// change its worker.
//
//   Ping(x)         x, without an activity
//   Echo(x)         x through activity echo
//   Chain(n)        n activities effect, then n
//   Timer(ms)       a timer, then "done"
//   Slow(seconds)   heartbeating activity slow, then "slow done"
//   Flaky(n)        activity flaky fails n times, 1 s apart at first, then twice as long; 5
//                   attempts; the attempt that worked
//   FlakyOnce(n)    the same with one attempt
//   SignalWait      the payload of signal "go"; query "state", update "set"
//   Parent(x)       x through a child Ping
//   Loop(n)         continues as new n times, then n
//   Cancellable     waits to be cancelled, and is
//
// Every activity has one side effect, at the end of its body; hooks.on_effect tells of it, so that
// a checker can count how often each really happened. Keys: "echo/<workflow id>", "slow/<workflow
// id>", "flaky/<workflow id>", "effect/<workflow id>/<number>".

#include <functional>
#include <string>

#include "core/worker/registry.h"

namespace squall::fakes {

struct BuiltinHooks {
  // On the worker's executor. Default: none.
  std::function<void(const std::string& key, const std::string& workflow_id)> on_effect;
};

void RegisterBuiltins(core::Registry& registry, BuiltinHooks hooks = {});

}  // namespace squall::fakes
