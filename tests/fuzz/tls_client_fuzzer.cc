// libFuzzer: what a TLS client makes of a server's bytes.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/tls_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  squall::fuzz::TlsClientBytes({reinterpret_cast<const char*>(data), size});
  return 0;
}
