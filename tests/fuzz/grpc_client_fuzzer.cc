// libFuzzer: what a gRPC client makes of a server's bytes.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/wire_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  squall::fuzz::GrpcClientBytes({reinterpret_cast<const char*>(data), size});
  return 0;
}
