// libFuzzer: what a gRPC server makes of a client's bytes.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/wire_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  squall::fuzz::GrpcServerBytes({reinterpret_cast<const char*>(data), size});
  return 0;
}
