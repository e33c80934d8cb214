#pragma once
// Clients that meet faults: one interface for grpc++, the production core (tonic), and programs in
// other languages.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "base/wire/tls.h"

namespace squall::seen {

struct Target {
  std::string address;  // 127.0.0.1:PORT
  bool tls = false;
  // By the name "localhost" (SNI and verified) or by address.
  bool by_name = true;
  std::string ca_pem;
  std::optional<wire::TlsIdentity> identity;
};

// One connection (or channel) as long as it lives. Not thread-safe.
class Client {
 public:
  virtual ~Client() = default;
  // Connects where it has not yet, and makes one call: GetSystemInfo, or StartWorkflowExecution
  // with so many bytes of input. "OK", or "CODE: message" as the client words it.
  virtual std::string Call(std::size_t input_bytes, Duration deadline) = 0;
};

std::unique_ptr<Client> MakeGrpcppClient(const Target& target);
std::unique_ptr<Client> MakeCoreClient(const Target& target);
// A program that is told the target by arguments (port to take calls from, address, server name or
// "", and files of CA, certificate and key, or "") and then calls by lines ("BYTES MILLISECONDS"),
// each answered by a line.
std::unique_ptr<Client> MakeProgramClient(const std::vector<std::string>& command,
                                          const Target& target);

// So many bytes that no compression makes fewer.
std::string Incompressible(std::size_t bytes);

}  // namespace squall::seen
