#include "tests/fuzz/damage.h"

#include <algorithm>

namespace squall::fuzz {

std::string Damage(std::string bytes, Rng& rng) {
  for (std::uint64_t n = 1 + rng.Below(8); n > 0 && !bytes.empty(); --n) {
    const std::size_t at = rng.Below(bytes.size());
    const std::size_t length = std::min<std::size_t>(bytes.size() - at, 1 + rng.Below(40));
    switch (rng.Below(5)) {
      case 0:
        bytes[at] = static_cast<char>(rng.Next());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.Below(8)));
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(at, length));
        break;
      default:
        for (std::size_t i = at; i < at + length; ++i) bytes[i] = static_cast<char>(rng.Next());
    }
  }
  return bytes;
}

}  // namespace squall::fuzz
