// Randomness: the published algorithm, and splitting that keeps consumers independent.

#include "base/util/rng.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <regex>
#include <set>
#include <vector>

namespace squall {
namespace {

// From a second implementation (Python, written from the authors' C: xoshiro256starstar.c seeded by
// splitmix64.c). Those of seed 0 are also the ones that rand_xoshiro's seed_from_u64(0) gives.
TEST(Rng, MatchesTheReferenceVectors) {
  Rng zero(0);
  EXPECT_EQ(zero.Next(), 0x99ec5f36cb75f2b4u);
  EXPECT_EQ(zero.Next(), 0xbf6e1f784956452au);
  EXPECT_EQ(zero.Next(), 0x1a5f849d4933e6e0u);
  EXPECT_EQ(zero.Next(), 0x6aa594f1262d2d2cu);
  Rng one(1);
  EXPECT_EQ(one(), 0xb3f2af6d0fc710c5u);
  EXPECT_EQ(one(), 0x853b559647364ceau);
  EXPECT_EQ(one(), 0x92f89756082a4514u);
  EXPECT_EQ(one(), 0x642e1c7bc266a3a7u);
}

TEST(Rng, SplitIsASeedOfItsOwnByName) {
  Rng worker = Rng(1).Split("worker");
  EXPECT_EQ(worker.seed(), 1u ^ 0xa51a677d5b590177u);  // FNV-1a of the name
  EXPECT_EQ(worker.Next(), 0xe2a4755dcdeefc3aULL);
}

TEST(Rng, SplitDoesNotDependOnWhatWasDrawnBefore) {
  Rng fresh(42);
  Rng used(42);
  for (int i = 0; i < 100; ++i) used.Next();
  EXPECT_EQ(fresh.Split("network").Next(), used.Split("network").Next());
}

TEST(Rng, SplitsOfDifferentNamesOrSeedsDiffer) {
  std::set<std::uint64_t> firsts;
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    for (const char* name : {"", "a", "b", "ab", "ba"}) firsts.insert(Rng(seed).Split(name).Next());
  }
  // Splitting by the empty name is still a split: no stream but one's own is shared.
  EXPECT_EQ(firsts.size(), 15u);
}

TEST(Rng, BelowStaysBelowAndReachesEveryValue) {
  Rng rng(7);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = rng.Below(6);
    ASSERT_LT(value, 6u);
    seen.insert(value);
  }
  EXPECT_EQ(seen.size(), 6u);
  EXPECT_EQ(rng.Below(1), 0u);
  EXPECT_EQ(rng.Below(0), 0u);
}

TEST(Rng, BelowIsUniform) {
  // Chi-square with 9 degrees of freedom; 27.9 is the 0.1 % point, and the seed is fixed.
  Rng rng(11);
  constexpr int kDraws = 100'000;
  std::array<int, 10> count{};
  for (int i = 0; i < kDraws; ++i) ++count[rng.Below(10)];
  double chi = 0;
  for (const int n : count) chi += (n - kDraws / 10.0) * (n - kDraws / 10.0) / (kDraws / 10.0);
  EXPECT_LT(chi, 27.9);
}

TEST(Rng, UniformAndChance) {
  Rng rng(3);
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double value = rng.Uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
  EXPECT_FALSE(rng.Chance(0.0));
  EXPECT_TRUE(rng.Chance(1.0));
}

TEST(Rng, FillIsTheStreamInLittleEndianOrder) {
  Rng rng(0);
  std::array<std::uint8_t, 11> bytes{};
  rng.Fill(bytes);
  EXPECT_THAT(bytes, ::testing::ElementsAre(0xb4, 0xf2, 0x75, 0xcb, 0x36, 0x5f, 0xec, 0x99, 0x2a,
                                            0x45, 0x56));
}

TEST(Rng, HexAndUuidHaveTheirForm) {
  Rng rng(5);
  EXPECT_EQ(rng.Hex(0), "");
  EXPECT_TRUE(std::regex_match(rng.Hex(5), std::regex("[0-9a-f]{5}")));
  EXPECT_TRUE(std::regex_match(rng.Hex(33), std::regex("[0-9a-f]{33}")));
  const std::regex uuid("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string id = rng.Uuid();
    EXPECT_TRUE(std::regex_match(id, uuid)) << id;
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 100u);
}

TEST(SeedFromSystem, DiffersAndStaysPositive) {
  std::set<std::uint64_t> seeds;
  for (int i = 0; i < 8; ++i) seeds.insert(SeedFromSystem());
  EXPECT_GT(seeds.size(), 1u);
  for (const std::uint64_t seed : seeds) EXPECT_GE(static_cast<std::int64_t>(seed), 0);
}

}  // namespace
}  // namespace squall
