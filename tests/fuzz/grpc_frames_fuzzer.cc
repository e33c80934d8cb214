// libFuzzer: gRPC message framing and gzip.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/wire_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  squall::fuzz::GrpcFrames({reinterpret_cast<const char*>(data), size});
  return 0;
}
