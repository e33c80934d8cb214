#include "harness/process/private_network.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace squall::harness {
namespace {

std::atomic<bool> entered = false;

// A new namespace's loopback is down.
Status RaiseLoopback() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return MakeStatus(StatusCode::kUnavailable, "socket: {}", std::strerror(errno));
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
  bool up = ::ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags |= IFF_UP | IFF_RUNNING;
  up = up && ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  // Packets of a size as on a wire: the kernel's buckets drop what is larger than their burst.
  request.ifr_mtu = 1500;
  up = up && ::ioctl(fd, SIOCSIFMTU, &request) == 0;
  const int number = errno;
  ::close(fd);
  if (!up)
    return MakeStatus(StatusCode::kUnavailable, "raise the loopback: {}", std::strerror(number));
  return absl::OkStatus();
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

std::optional<std::string> WhyNoPrivateNetwork() {
  if (entered || ::geteuid() == 0) return std::nullopt;
  return "a network namespace of its own needs root";
}

}  // namespace squall::harness
