// The seeds of the fuzzers reach what the fuzzers are for. That they find nothing is for `ctest -L
// fuzz`.

#include "tests/fuzz/engine_targets.h"

#include <gtest/gtest.h>

namespace squall::fuzz {
namespace {

TEST(EngineFuzzTargets, SeedsAreServed) {
  std::size_t programs = 0, bytes = 0;
  for (const std::string& seed : EngineSeeds()) {
    programs += EngineCalls(seed);
    bytes += EngineBytes(seed);
  }
  EXPECT_GT(programs, 100u);
  EXPECT_GT(bytes, 100u);
}

TEST(EngineFuzzTargets, SeedsReachTheEngineThroughTheFrontEnd) {
  std::size_t calls = 0;
  for (const std::string& seed : FrontendSeeds()) calls += FrontendBytes(seed);
  EXPECT_GT(calls, 20u);
}

}  // namespace
}  // namespace squall::fuzz
