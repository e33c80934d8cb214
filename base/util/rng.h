#pragma once
// The only source of randomness: a seeded generator (xoshiro256**, Blackman and Vigna), and splitting by name so that
// adding a consumer does not change what the others draw.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace squall {

class Rng {
 public:
  using result_type = std::uint64_t;
  explicit Rng(std::uint64_t seed);

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }
  result_type operator()() { return Next(); }

  std::uint64_t Next();
  // Uniform in [0, bound); 0 when bound is 0.
  std::uint64_t Below(std::uint64_t bound);
  // Uniform in [0, 1).
  double Uniform();
  bool Chance(double probability) { return Uniform() < probability; }
  void Fill(std::span<std::uint8_t> bytes);
  // Lower-case hex digits.
  std::string Hex(std::size_t digits);
  // A random (version 4) UUID, as Temporal's run ids are.
  std::string Uuid();

  // An independent generator for `name`, the same for the same seed and name.
  Rng Split(std::string_view name) const;
  std::uint64_t seed() const { return seed_; }

 private:
  std::uint64_t seed_;
  std::array<std::uint64_t, 4> state_;
};

// A seed from the operating system, for runs that were given none; it is printed so that the run can be repeated.
std::uint64_t SeedFromSystem();

}  // namespace squall
