#pragma once
// A DNS server over UDP for the names of links: it answers from a table, and misbehaves on demand.
//
// A (IPv4) of a known name is answered with its address and a time to live of zero, so that nobody
// keeps it; every other type of it with no record, and every other name with NXDOMAIN. Questions
// are matched without regard to case. What is no single question is passed over.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/status.h"
#include "harness/net/asio_executor.h"
#include "harness/net/port.h"

namespace squall::harness {

struct NameFault {
  enum class Kind {
    kAnswers,  // with these addresses instead
    kFails,    // with this code
    kHangs,    // never
  };
  std::string id;    // unique among the active ones
  std::string name;  // whose questions meet it; the fault set last rules
  Kind kind = Kind::kHangs;
  std::vector<std::string> addresses;  // kAnswers: IPv4
  std::uint8_t code = 2;               // kFails: 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED
  // Told of the first question that meets it.
  std::function<void(std::string question)> met;
};

// Loop thread only.
class NameServer {
 public:
  // Port 0 is a free one. UNAVAILABLE when it cannot be had.
  static StatusOr<std::unique_ptr<NameServer>> Create(AsioExecutor& executor,
                                                      const HostPort& listen);
  ~NameServer();
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  std::uint16_t port() const;
  // INVALID_ARGUMENT when it is no IPv4 address.
  Status Add(std::string_view name, std::string_view address);
  // INVALID_ARGUMENT for addresses, ALREADY_EXISTS for an id that is active.
  Status Set(NameFault fault);
  void Remove(std::string_view fault_id);  // idempotent

 private:
  struct Impl;
  explicit NameServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

// "c->temporal" as a name that DNS takes: small letters, digits and hyphens below squall.test, a
// domain that nobody has (RFC 6761).
std::string DnsNameOf(std::string_view link);

}  // namespace squall::harness
