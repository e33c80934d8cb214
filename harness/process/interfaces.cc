#include "harness/process/interfaces.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace squall::harness {
namespace {

Status InterfaceError(std::string_view what, const std::string& name, int number) {
  return MakeStatus(number == EPERM ? StatusCode::kPermissionDenied : StatusCode::kUnavailable,
                    "{} of interface {}: {}", what, name, std::strerror(number));
}

ifreq RequestFor(const std::string& name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), sizeof request.ifr_name - 1);
  return request;
}

// A message of rtnetlink's (man 7 rtnetlink): attributes, some of them with attributes inside.
class LinkMessage {
 public:
  LinkMessage(std::uint16_t type, std::uint16_t flags) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    Append(&header, sizeof header);
    const ifinfomsg nothing{};
    Append(&nothing, sizeof nothing);
  }
  void Add(unsigned short type, const void* data, std::size_t size) {
    const std::size_t at = Begin(type);
    Append(data, size);
    End(at);
  }
  std::size_t Begin(unsigned short type) {
    const std::size_t at = bytes_.size();
    rtattr attribute{};
    attribute.rta_type = type;
    Append(&attribute, sizeof attribute);
    return at;
  }
  // The length is that of what was added since, without the padding behind it.
  void End(std::size_t at) {
    const auto length = static_cast<unsigned short>(bytes_.size() - at);
    std::memcpy(bytes_.data() + at + offsetof(rtattr, rta_len), &length, sizeof length);
    bytes_.resize(RTA_ALIGN(bytes_.size()));
  }
  void Append(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
  }
  const std::string& Finished() {
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
    return bytes_;
  }

 private:
  std::string bytes_;
};

// 0, or the number of the error.
int Ask(const std::string& message) {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return errno;
  struct {
    nlmsghdr header;
    nlmsgerr error;
    char rest[1024];
  } answer{};
  int number = 0;
  // The kernel answers within the call.
  if (::send(fd, message.data(), message.size(), 0) < 0 ||
      ::recv(fd, &answer, sizeof answer, 0) < 0) {
    number = errno;
  } else if (answer.header.nlmsg_type == NLMSG_ERROR) {
    number = -answer.error.error;
  }
  ::close(fd);
  return number;
}

}  // namespace

StatusOr<int> OpenControl() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return MakeStatus(StatusCode::kUnavailable, "socket: {}", std::strerror(errno));
  return fd;
}

Status SetInterfaceUp(int control, const std::string& name, bool up) {
  ifreq request = RequestFor(name);
  if (::ioctl(control, SIOCGIFFLAGS, &request) != 0) return InterfaceError("flags", name, errno);
  const auto flag = static_cast<short>(IFF_UP);
  request.ifr_flags = static_cast<short>(up ? request.ifr_flags | flag : request.ifr_flags & ~flag);
  if (::ioctl(control, SIOCSIFFLAGS, &request) != 0) return InterfaceError("flags", name, errno);
  return absl::OkStatus();
}

Status SetInterfaceMtu(int control, const std::string& name, int bytes) {
  ifreq request = RequestFor(name);
  request.ifr_mtu = bytes;
  if (::ioctl(control, SIOCSIFMTU, &request) != 0) return InterfaceError("MTU", name, errno);
  return absl::OkStatus();
}

Status SetInterfaceAddress(int control, const std::string& name, const std::string& address) {
  ifreq request = RequestFor(name);
  sockaddr_in inet{};
  inet.sin_family = AF_INET;
  if (::inet_pton(AF_INET, address.c_str(), &inet.sin_addr) != 1)
    return MakeStatus(StatusCode::kInvalidArgument, "'{}' is no IPv4 address", address);
  std::memcpy(&request.ifr_addr, &inet, sizeof inet);
  if (::ioctl(control, SIOCSIFADDR, &request) != 0) return InterfaceError("address", name, errno);
  return absl::OkStatus();
}

Status MakeWire(const std::string& near, const std::string& far, int far_namespace) {
  constexpr char kKind[] = "veth";
  LinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.Add(IFLA_IFNAME, near.c_str(), near.size() + 1);
  const std::size_t info = message.Begin(IFLA_LINKINFO);
  message.Add(IFLA_INFO_KIND, kKind, sizeof kKind - 1);
  const std::size_t data = message.Begin(IFLA_INFO_DATA);
  const std::size_t peer = message.Begin(VETH_INFO_PEER);
  const ifinfomsg nothing{};
  message.Append(&nothing, sizeof nothing);
  message.Add(IFLA_IFNAME, far.c_str(), far.size() + 1);
  message.Add(IFLA_NET_NS_FD, &far_namespace, sizeof far_namespace);
  message.End(peer);
  message.End(data);
  message.End(info);
  if (const int number = Ask(message.Finished()); number != 0)
    return InterfaceError("making", near, number);
  return absl::OkStatus();
}

Status RemoveInterface(const std::string& name) {
  LinkMessage message(RTM_DELLINK, 0);
  message.Add(IFLA_IFNAME, name.c_str(), name.size() + 1);
  if (const int number = Ask(message.Finished()); number != 0)
    return InterfaceError("removal", name, number);
  return absl::OkStatus();
}

}  // namespace squall::harness
