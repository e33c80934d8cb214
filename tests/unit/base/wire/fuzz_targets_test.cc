// Runs the fuzzers' entry points over their seeds and over seeds that were damaged at random, so
// that every build exercises them.

#include <gtest/gtest.h>

#include "base/util/rng.h"
#include "base/wire/grpc.h"
#include "tests/fuzz/damage.h"
#include "tests/fuzz/wire_targets.h"

namespace squall::fuzz {
namespace {

void RunOver(void (*target)(std::string_view), const std::vector<std::string>& seeds = WireSeeds(),
             int damaged = 300) {
  Rng rng(99);
  for (const std::string& seed : seeds) {
    target(seed);
    for (int i = 0; i < damaged; ++i) target(Damage(seed, rng));
  }
}

TEST(FuzzTargets, GrpcServerBytes) { RunOver(GrpcServerBytes); }
TEST(FuzzTargets, GrpcClientBytes) { RunOver(GrpcClientBytes); }
TEST(FuzzTargets, GrpcFrames) { RunOver(GrpcFrames); }
TEST(FuzzTargets, GrpcFields) { RunOver(GrpcFields); }

TEST(FuzzTargets, RelayScript) { RunOver(RelayScript, RelaySeeds(), 20); }

TEST(FuzzTargets, SeedsReachTheHandler) {
  // A seed that no longer parses would make the runs above meaningless.
  struct Counter : wire::GrpcServerHandler {
    int messages = 0;
    void OnCallStarted(wire::StreamId, wire::GrpcCallHead) override {}
    void OnMessage(wire::StreamId, std::string) override { ++messages; }
    void OnCancelled(wire::StreamId) override {}
  };
  int messages = 0;
  for (const std::string& seed : WireSeeds()) {
    Counter counter;
    wire::GrpcServerConnection server({}, counter);
    if (!seed.empty() && server.Feed(std::string_view(seed).substr(1)).ok()) {
      messages += counter.messages;
    }
  }
  EXPECT_EQ(messages, 12);  // two conversations of three calls, whole and in pieces
}

}  // namespace
}  // namespace squall::fuzz
