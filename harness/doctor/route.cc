#include "harness/doctor/route.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/udp.hpp>
#include <cerrno>
#include <cstring>

namespace squall::doctor {
namespace {

using boost::asio::ip::udp;

// This machine has an address of the family on a device that is up and is not loopback.
bool HasFamily(int family) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return true;  // cannot be told: no reason to say no
  bool found = false;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != family) continue;
    if ((one->ifa_flags & IFF_UP) == 0 || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    if (family == AF_INET6) {
      sockaddr_in6 address;
      std::memcpy(&address, one->ifa_addr, sizeof address);
      if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr)) continue;
    }
    found = true;
  }
  ::freeifaddrs(all);
  return found;
}

}  // namespace

StatusOr<std::string> SourceAddressFor(const std::string& ip) {
  boost::system::error_code bad;
  const auto address = boost::asio::ip::make_address(ip, bad);
  if (bad) return absl::InvalidArgumentError("no IP address");
  // Connecting a datagram socket looks the route up and sends nothing; any port will do.
  constexpr std::uint16_t kDiscard = 9;
  udp::endpoint there(address, kDiscard);
  const int family = address.is_v6() ? AF_INET6 : AF_INET;
  const int fd = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return errno == EAFNOSUPPORT ? Status(absl::UnimplementedError(std::strerror(errno)))
                                 : Status(absl::UnavailableError(std::strerror(errno)));
  }
  udp::endpoint here;
  auto size = static_cast<socklen_t>(here.capacity());
  const bool found = ::connect(fd, there.data(), static_cast<socklen_t>(there.size())) == 0 &&
                     ::getsockname(fd, here.data(), &size) == 0;
  const int number = errno;
  ::close(fd);
  if (found) {
    here.resize(size);
    return here.address().to_string();
  }
  const std::string why = std::strerror(number);
  if (number == ENETUNREACH || number == EADDRNOTAVAIL) {
    // Without either, the network as a whole is down.
    if (!HasFamily(family) && HasFamily(family == AF_INET ? AF_INET6 : AF_INET))
      return absl::UnimplementedError(why);
    return absl::NotFoundError(why);
  }
  return absl::UnavailableError(why);
}

}  // namespace squall::doctor
