#pragma once
// A network namespace of this process's own, with nothing in it but its loopback: what the kernel
// is told to do to traffic there, nobody else sees, and it is gone with the processes in it,
// however they end.

#include <optional>
#include <string>

#include "base/util/status.h"

namespace squall::harness {

// For the calling thread and for threads and processes that it starts from now on: call it before
// there are any, and before the first socket. Idempotent. PERMISSION_DENIED without root.
Status EnterPrivateNetwork();
// Whether this process has done so.
bool InPrivateNetwork();
// Whether the calling thread has the rights for it: root outside a container mostly, inside seldom.
bool MayMakeNamespaces();
// Why it cannot be had; nothing when it can.
std::optional<std::string> WhyNoPrivateNetwork();

}  // namespace squall::harness
