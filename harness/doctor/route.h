#pragma once
// What the kernel says of the way to an address, before anything is sent.

#include <optional>
#include <string>

#include "base/util/status.h"

namespace squall::doctor {

// The address of this machine that connections to `ip` would come from. NOT_FOUND: there is no
// route to that network; UNIMPLEMENTED: this machine has no address of that family (IPv6 or IPv4)
// that could reach beyond itself; UNAVAILABLE: the kernel's other reasons, as its message. Sends
// nothing.
StatusOr<std::string> SourceAddressFor(const std::string& ip);

}  // namespace squall::doctor
