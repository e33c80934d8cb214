// libFuzzer: encodings of gRPC header values.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/wire_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  squall::fuzz::GrpcFields({reinterpret_cast<const char*>(data), size});
  return 0;
}
