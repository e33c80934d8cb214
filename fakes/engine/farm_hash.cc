#include "fakes/engine/farm_hash.h"

#include <cstring>

namespace squall::fakes::engine {
namespace {

constexpr std::uint32_t kC1 = 0xcc9e2d51, kC2 = 0x1b873593;

std::uint32_t Fetch(const char* s) {
  std::uint32_t value;
  std::memcpy(&value, s, sizeof value);
  return value;
}
std::uint32_t Rotate(std::uint32_t value, int by) { return (value >> by) | (value << (32 - by)); }
std::uint32_t Mur(std::uint32_t a, std::uint32_t h) {
  a = Rotate(a * kC1, 17) * kC2;
  return Rotate(h ^ a, 19) * 5 + 0xe6546b64;
}
std::uint32_t Mix(std::uint32_t h) {
  h = (h ^ (h >> 16)) * 0x85ebca6b;
  h = (h ^ (h >> 13)) * 0xc2b2ae35;
  return h ^ (h >> 16);
}

std::uint32_t HashUpTo4(std::string_view text) {
  std::uint32_t b = 0, c = 9;
  for (const char byte : text) {
    b = b * kC1 + static_cast<std::uint32_t>(static_cast<signed char>(byte));
    c ^= b;
  }
  return Mix(Mur(b, Mur(static_cast<std::uint32_t>(text.size()), c)));
}

std::uint32_t HashUpTo12(std::string_view text) {
  const char* s = text.data();
  const auto size = static_cast<std::uint32_t>(text.size());
  std::uint32_t a = size, b = size * 5, c = 9;
  const std::uint32_t d = b;
  a += Fetch(s);
  b += Fetch(s + size - 4);
  c += Fetch(s + ((size >> 1) & 4));
  return Mix(Mur(c, Mur(b, Mur(a, d))));
}

std::uint32_t HashUpTo24(std::string_view text) {
  const char* s = text.data();
  const auto size = static_cast<std::uint32_t>(text.size());
  std::uint32_t a = Fetch(s - 4 + (size >> 1));
  const std::uint32_t b = Fetch(s + 4), c = Fetch(s + size - 8), d = Fetch(s + (size >> 1)),
                      e = Fetch(s), f = Fetch(s + size - 4);
  std::uint32_t h = d * kC1 + size;
  a = Rotate(a, 12) + f;
  h = Mur(c, h) + a;
  a = Rotate(a, 3) + c;
  h = Mur(e, h) + a;
  a = Rotate(a + f, 12) + d;
  h = Mur(b, h) + a;
  return Mix(h);
}

}  // namespace

std::uint32_t Fingerprint32(std::string_view text) {
  if (text.size() <= 4) return HashUpTo4(text);
  if (text.size() <= 12) return HashUpTo12(text);
  if (text.size() <= 24) return HashUpTo24(text);
  const char* s = text.data();
  const std::size_t size = text.size();
  std::uint32_t h = static_cast<std::uint32_t>(size), g = kC1 * h, f = g;
  const auto tail = [&](std::size_t back) {
    return Rotate(Fetch(s + size - back) * kC1, 17) * kC2;
  };
  const auto fold = [](std::uint32_t& into, std::uint32_t value) {
    into = Rotate(into ^ value, 19) * 5 + 0xe6546b64;
  };
  const std::uint32_t a0 = tail(4), a1 = tail(8), a2 = tail(16), a3 = tail(12), a4 = tail(20);
  fold(h, a0);
  fold(h, a2);
  fold(g, a1);
  fold(g, a3);
  f = Rotate(f + a4, 19) + 113;
  for (std::size_t left = (size - 1) / 20; left != 0; --left, s += 20) {
    const std::uint32_t a = Fetch(s), b = Fetch(s + 4), c = Fetch(s + 8), d = Fetch(s + 12),
                        e = Fetch(s + 16);
    h += a;
    g += b;
    f += c;
    h = Mur(d, h) + e;
    g = Mur(c, g) + a;
    f = Mur(b + e * kC1, f) + d;
    f += g;
    g += f;
  }
  g = Rotate(Rotate(g, 11) * kC1, 17) * kC1;
  f = Rotate(Rotate(f, 11) * kC1, 17) * kC1;
  h = Rotate(Rotate(h + g, 19) * 5 + 0xe6546b64, 17) * kC1;
  return Rotate(Rotate(h + f, 19) * 5 + 0xe6546b64, 17) * kC1;
}

}  // namespace squall::fakes::engine
