// libFuzzer: a client's bytes, through the front end to the engine.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/engine_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  squall::fuzz::FrontendBytes({reinterpret_cast<const char*>(data), size});
  return 0;
}
