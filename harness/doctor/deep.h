#pragma once
// --deep: what takes longer than a look. A long poll as workers hold them, on a queue of the
// doctor's own, and beside it pings, the time of calls, a large message and the server's clock.

#include "harness/doctor/probe.h"
#include "harness/doctor/rpc.h"

namespace squall::doctor {

struct DeepOptions {
  std::string tag;  // makes the doctor's own queue and identity unique
  // Servers answer a poll without a task after a minute; whoever cuts it does so before.
  Duration poll = std::chrono::seconds(70);
  // As SDKs send them.
  Duration ping_interval = std::chrono::seconds(30);
  Duration ping_limit = std::chrono::seconds(15);
  // Of the large message: below the 2 MiB that Temporal takes for one payload, above what proxies
  // often have for a limit (1 MiB).
  std::size_t message_bytes = 1'900'000;
  // The connection is held at least this long, poll after poll. Temporal's frontend ends its own
  // after 5 min, give or take a tenth (frontend.keepAliveMaxConnectionAge).
  Duration hold{};
  int calls = 20;  // whose time is taken
};

// Rows of the layer "path". False when the path does not do what a worker needs of it.
bool ProbeDeep(const Probe& probe, Rpc& rpc, const DeepOptions& options);

}  // namespace squall::doctor
