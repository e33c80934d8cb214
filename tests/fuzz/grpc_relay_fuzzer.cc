// libFuzzer: a relay with rules, between a client and a server that do anything.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/wire_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  squall::fuzz::RelayScript({reinterpret_cast<const char*>(data), size});
  return 0;
}
