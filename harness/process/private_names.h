#pragma once
// Names looked up elsewhere: a mount namespace of this process's own, in which /etc/resolv.conf
// names a DNS server at 127.0.0.1, and /etc/nsswitch.conf asks files and DNS and nobody else. It
// holds for every resolver that reads those files: glibc's, Go's, c-ares. Without root a user
// namespace gives the rights for it, where the system allows that.

#include <optional>
#include <string>

#include "base/util/status.h"

namespace squall::harness {

// Where resolv.conf says that names are looked up; another port cannot be said there.
inline constexpr int kNamesPort = 53;

// As EnterPrivateNetwork, which it includes: that port must be free. Its two files are written into
// `folder`. PERMISSION_DENIED where it is forbidden. Idempotent.
Status EnterPrivateNames(const std::string& folder);
// Why it cannot be had; nothing when it can.
std::optional<std::string> WhyNoPrivateNames();

}  // namespace squall::harness
