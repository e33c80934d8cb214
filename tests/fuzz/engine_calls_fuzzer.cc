// libFuzzer: RPCs by a program of choices, typed.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/engine_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  squall::fuzz::EngineCalls({reinterpret_cast<const char*>(data), size});
  return 0;
}
