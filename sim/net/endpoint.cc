#include "sim/net/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace squall::sim {

std::string Endpoint::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(v6 ? AF_INET6 : AF_INET, address.data(), text.data(), text.size());
  return v6 ? fmt::format("[{}]:{}", text.data(), port) : fmt::format("{}:{}", text.data(), port);
}

std::optional<Endpoint> Endpoint::Parse(const std::string& text) {
  Endpoint endpoint;
  if (::inet_pton(AF_INET, text.c_str(), endpoint.address.data()) == 1) return endpoint;
  endpoint.v6 = true;
  if (::inet_pton(AF_INET6, text.c_str(), endpoint.address.data()) == 1) return endpoint;
  return std::nullopt;
}

Endpoint Endpoint::V4(std::array<std::uint8_t, 4> bytes, std::uint16_t port) {
  Endpoint endpoint;
  std::copy(bytes.begin(), bytes.end(), endpoint.address.begin());
  endpoint.port = port;
  return endpoint;
}

Endpoint Endpoint::From(const sockaddr& given) {
  Endpoint endpoint;
  if (given.sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &given, sizeof in);
    endpoint.v6 = true;
    std::memcpy(endpoint.address.data(), &in.sin6_addr, 16);
    endpoint.port = ntohs(in.sin6_port);
  } else {
    sockaddr_in in{};
    std::memcpy(&in, &given, sizeof in);
    std::memcpy(endpoint.address.data(), &in.sin_addr, 4);
    endpoint.port = ntohs(in.sin_port);
  }
  return endpoint;
}

void Endpoint::To(sockaddr* given, unsigned* size) const {
  sockaddr_storage storage{};
  unsigned full = sizeof(sockaddr_in);
  if (v6) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, address.data(), 16);
    full = sizeof in;
    std::memcpy(&storage, &in, sizeof in);
  } else {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.data(), 4);
    std::memcpy(&storage, &in, sizeof in);
  }
  std::memcpy(given, &storage, std::min(*size, full));
  *size = full;
}

}  // namespace squall::sim
