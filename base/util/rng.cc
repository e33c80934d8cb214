#include "base/util/rng.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <bit>

namespace squall {
namespace {

// splitmix64 (Vigna): spreads a seed over the whole state.
std::uint64_t SplitMix(std::uint64_t& x) {
  x += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = x;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

}  // namespace

Rng::Rng(std::uint64_t seed) : seed_(seed) {
  std::uint64_t x = seed;
  for (std::uint64_t& word : state_) word = SplitMix(x);
}

std::uint64_t Rng::Next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17U;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Rng::Below(std::uint64_t bound) {
  if (bound == 0) return 0;
  // Rejection keeps it uniform: the last, incomplete stretch of the range is drawn again.
  const std::uint64_t limit = max() - max() % bound;
  std::uint64_t value = Next();
  while (value >= limit) value = Next();
  return value % bound;
}

double Rng::Uniform() { return static_cast<double>(Next() >> 11U) * 0x1.0p-53; }

void Rng::Fill(std::span<std::uint8_t> bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % 8 == 0) word = Next();
    bytes[i] = static_cast<std::uint8_t>(word >> (8 * (i % 8)));
  }
}

std::string Rng::Hex(std::size_t digits) {
  std::string text;
  while (text.size() < digits) text += fmt::format("{:016x}", Next());
  text.resize(digits);
  return text;
}

std::string Rng::Uuid() {
  std::string hex = Hex(32);
  hex[12] = '4';
  hex[16] = "89ab"[Below(4)];
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                     hex.substr(16, 4), hex.substr(20));
}

Rng Rng::Split(std::string_view name) const {
  // FNV-1a over the name, folded into the seed: stable across platforms and versions.
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) {
    hash ^= static_cast<std::uint8_t>(c);
    hash *= 0x100000001b3ULL;
  }
  return Rng(seed_ ^ hash);
}

std::uint64_t SeedFromSystem() {
  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = 1;
  return seed & 0x7fffffffffffffffULL;  // stays positive in YAML, JSON and on a command line
}

}  // namespace squall
