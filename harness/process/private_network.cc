#include "harness/process/private_network.h"

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>

#include "harness/process/interfaces.h"

namespace squall::harness {
namespace {

std::atomic<bool> entered = false;

// A new namespace's loopback is down.
Status RaiseLoopback() {
  // Packets of a size as on a wire: the kernel's buckets drop what is larger than their burst.
  constexpr int kWireMtu = 1500;
  SQUALL_ASSIGN_OR_RETURN(const int control, OpenControl());
  Status raised = SetInterfaceUp(control, "lo", true);
  if (raised.ok()) raised = SetInterfaceMtu(control, "lo", kWireMtu);
  // Resolvers that are told to look at what addresses a machine has (AI_ADDRCONFIG: getent, gRPC)
  // find no name for one that has loopback addresses alone.
  if (raised.ok()) raised = SetInterfaceAddress(control, "lo:1", "198.18.255.1");
  ::close(control);
  return raised;
}

}  // namespace

Status EnterPrivateNetwork() {
  if (entered) return absl::OkStatus();
  if (::unshare(CLONE_NEWNET) != 0) {
    const int number = errno;
    return MakeStatus(number == EPERM ? StatusCode::kPermissionDenied : StatusCode::kUnavailable,
                      "a network namespace of its own: {}", std::strerror(number));
  }
  entered = true;
  return RaiseLoopback();
}

bool InPrivateNetwork() { return entered; }

bool MayMakeNamespaces() {
  std::ifstream file("/proc/thread-self/status");
  for (std::string line; std::getline(file, line);) {
    constexpr std::string_view kField = "CapEff:";
    if (!line.starts_with(kField)) continue;
    constexpr std::uint64_t kSysAdmin = 1u << 21, kNetAdmin = 1u << 12;
    const std::uint64_t held = std::stoull(line.substr(kField.size()), nullptr, 16);
    return (held & kSysAdmin) != 0 && (held & kNetAdmin) != 0;
  }
  return false;
}

std::optional<std::string> WhyNoPrivateNetwork() {
  if (entered || MayMakeNamespaces()) return std::nullopt;
  return ::geteuid() == 0 ? "a network namespace of its own is forbidden here: root without "
                            "CAP_SYS_ADMIN and CAP_NET_ADMIN"
                          : "a network namespace of its own needs root";
}

}  // namespace squall::harness
