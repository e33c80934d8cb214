// libFuzzer: an ingress between a client and an upstream that do anything.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/tls_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  squall::fuzz::IngressScript({reinterpret_cast<const char*>(data), size});
  return 0;
}
