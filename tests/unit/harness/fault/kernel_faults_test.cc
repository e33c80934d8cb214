// Faults that the kernel does, in a network namespace of this test's own. A program of its own,
// since a namespace is entered before the first socket and never left.
#include "harness/process/private_network.h"
#include "harness/process/process.h"
#include "tests/unit/harness/fault/fault_fixture.h"

namespace squall::harness {
namespace {

using ::squall::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class KernelFaults : public FaultTest {
 protected:
  void SetUp() override {
    if (const auto reason = WhyNoPrivateNetwork()) GTEST_SKIP() << *reason;
    for (const char* tool : {"nft", "tc"}) {
      if (!FindProgram(tool).ok()) GTEST_SKIP() << tool << " is not installed";
    }
    // gRPC has a thread by now that keeps the old namespace; it opens no socket of ours.
    ASSERT_OK(EnterPrivateNetwork());
    FaultTest::SetUp();
  }
};

TEST_F(KernelFaults, DroppedPacketsAreMissedAndSentAgainAfterHealing) {
  ASSERT_OK(Call());
  const auto fault = Injected("kernel_drop", "c->temporal");
  ASSERT_NE(fault, nullptr);
  EXPECT_THAT(Call(300ms), StatusIs(StatusCode::kDeadlineExceeded, ::testing::_));
  EXPECT_OK(Heal(*fault));
  client_->Reconnect();
  AwaitService();
  EXPECT_THAT(Words(), ElementsAre("injecting", "injected", "healing", "hit", "healed"));
  EXPECT_OK(Info(server_->client())) << "another port was never met";
}

TEST_F(KernelFaults, RejectedPacketsResetAndRefuse) {
  const auto fault = Injected("kernel_reject", "c->temporal");
  ASSERT_NE(fault, nullptr);
  EXPECT_THAT(Call(), StatusIs(StatusCode::kUnavailable, ::testing::_));
  EXPECT_OK(Heal(*fault));
  AwaitService();
}

TEST_F(KernelFaults, TheBucketLetsBytesPassSlowlyAndOnlyOnItsPort) {
  const auto fault = Injected("kernel_bandwidth", "c->temporal", {{"rate", std::int64_t{2000}}});
  ASSERT_NE(fault, nullptr);
  const SteadyTime begin = clock_.Now();
  // 4 KiB pass at once; what comes behind waits for its tokens.
  for (int i = 0; i < 16 && clock_.Now() - begin < 500ms; ++i) EXPECT_OK(Call(20s));
  EXPECT_GE(clock_.Now() - begin, 500ms);
  EXPECT_OK(Info(server_->client()));
  EXPECT_OK(Heal(*fault));
  AwaitService();
  EXPECT_EQ(Count<journal::FaultEvent>("hit"), 1u);
  auto again =
      Injected("kernel_bandwidth", "c->temporal", {{"rate", std::int64_t{1 << 20}}}, "again");
  EXPECT_OK(Heal(*again));
}

TEST_F(KernelFaults, ATwiceInjectedBucketIsRefusedAndLeavesTheFirst) {
  const auto first = Injected("kernel_bandwidth", "c->temporal", {{"rate", std::int64_t{1 << 20}}});
  auto second =
      Create("kernel_bandwidth", "c->temporal", {{"rate", std::int64_t{1 << 20}}}, "second");
  ASSERT_OK(second);
  EXPECT_THAT(Wait<Status>([&](Done done) { (*second)->Inject(std::move(done)); }),
              StatusIs(StatusCode::kUnavailable, HasSubstr("tc")));
  EXPECT_OK(Heal(*first));
}

}  // namespace
}  // namespace squall::harness
