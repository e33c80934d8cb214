// A target with a defect, for the test of smoke_main.cc.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 2 && data[1] == 'x') std::abort();
  return 0;
}
