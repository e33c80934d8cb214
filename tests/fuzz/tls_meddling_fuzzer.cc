// libFuzzer: TLS with somebody in the middle.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/tls_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  squall::fuzz::TlsMeddling({reinterpret_cast<const char*>(data), size});
  return 0;
}
