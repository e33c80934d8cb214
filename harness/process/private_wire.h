#pragma once
// A wire (veth) from this process's private network to a second namespace, for programs that shall
// live at the far end of a real interface: it can go down, and its address can change. Both, and
// all that was set on them, are gone with the object and the processes in it, however they end:
// the namespace has no name, only descriptors hold it.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/util/status.h"

namespace squall::harness {

class PrivateWire {
 public:
  // Of this process at most 255 at a time. FAILED_PRECONDITION outside a private network
  // (private_network.h).
  static StatusOr<std::unique_ptr<PrivateWire>> Create();
  ~PrivateWire();
  PrivateWire(const PrivateWire&) = delete;
  PrivateWire& operator=(const PrivateWire&) = delete;

  // This end's address, where what shall be reached over the wire listens: 198.18.N.1, of the range
  // for tests of networks (RFC 2544).
  const std::string& near_address() const { return near_address_; }
  // What is put in front of a command that shall run at the far end; its pid is the command's.
  std::vector<std::string> Launcher() const;

  // The far end's interface. Down: whoever connects gets ENETUNREACH, what is open stands silent.
  Status SetUp(bool up);
  // Another address instead of the far end's own, or its own again: what is open keeps the old one
  // and stands silent, new connections have the new one.
  Status ChangeAddress(bool other);
  // Packets of the far end that found no way out, those that came for an address that it has not,
  // and those that had to be sent again at this end; since its making.
  StatusOr<std::uint64_t> LostPackets() const;

 private:
  PrivateWire() = default;
  int number_ = 0;
  int namespace_ = -1, control_ = -1;
  std::string near_address_;
};

}  // namespace squall::harness
