#pragma once
// Turns the bytes of a fuzzer into choices: what is asked for is taken from the front, and is zero
// once they are used up, so that every input means something and small changes mean small changes.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace squall::fuzz {

class ByteSource {
 public:
  explicit ByteSource(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }
  // 0 to n - 1; n up to 256.
  std::size_t Below(std::size_t n) { return n <= 1 ? 0 : Byte() % n; }
  // One time in n.
  bool OneIn(std::size_t n) { return Below(n) == 1 % n; }
  std::uint64_t Number(int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | Byte();
    return value;
  }
  // So many bytes, or what is left.
  std::string_view Take(std::size_t size) {
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  // With their number in the first two bytes.
  std::string_view Chunk() { return Take(static_cast<std::size_t>(Number(2))); }
  std::string_view Rest() { return Take(bytes_.size()); }

 private:
  std::string_view bytes_;
};

}  // namespace squall::fuzz
