#pragma once
// An address and a port in the simulated network.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

struct sockaddr;

namespace squall::sim {

struct Endpoint {
  bool v6 = false;
  std::array<std::uint8_t, 16> address{};  // four bytes of it when not v6
  std::uint16_t port = 0;

  auto operator<=>(const Endpoint&) const = default;
  // "127.0.0.1:7000", "[::1]:7000"
  std::string ToString() const;

  // "10.0.0.1", "fd00::1"; port 0. Nothing for what is no address.
  static std::optional<Endpoint> Parse(const std::string& address);
  static Endpoint V4(std::array<std::uint8_t, 4> address, std::uint16_t port);
  // Of a family that the simulation has; the caller has checked it.
  static Endpoint From(const sockaddr& address);
  // Fills in `address` as the kernel does, and its full size.
  void To(sockaddr* address, unsigned* size) const;
};

}  // namespace squall::sim
