// rpc_fails, rpc_succeeds.

#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

constexpr const char* kFails =
    "rpc_fails: {method: StartWorkflowExecution, within: 2s, code: UNAVAILABLE}";

TEST(RpcFails, FastAndWithTheStatusExpected) {
  EXPECT_THAT(Judged(kFails, Story().Call(14, 2s)),
              Passes("1 call failed, the slowest after 2.00s"));
  EXPECT_THAT(Judged(kFails, Story().Call(14, 2s + 1ns)), Fails("UNAVAILABLE after 2.00s"));
  EXPECT_THAT(
      Judged(kFails, Story().Call(14, 1s).Call(4, 1s, "StartWorkflowExecution", "app", "too late")),
      Fails("DEADLINE_EXCEEDED after 1.00s: too late"));
  EXPECT_THAT(Judged("rpc_fails: {method: StartWorkflowExecution, within: 2s, code: [UNAVAILABLE, "
                     "DEADLINE_EXCEEDED]}",
                     Story().Call(14, 1s).Call(4, 1s)),
              Passes("2 calls"));
}

TEST(RpcFails, SuccessIsNoFailure) {
  EXPECT_THAT(Judged(kFails, Story().Call(0, 5ms).Call(0, 5ms)), Fails("2 calls succeeded"));
  EXPECT_THAT(Judged(kFails, Story().Call(0, 5ms).Call(14, 5ms)), Passes("1 call failed"));
  EXPECT_THAT(Judged("rpc_fails: {method: StartWorkflowExecution, within: 2s, all: true}",
                     Story().Call(0, 5ms).Call(14, 5ms)),
              Fails("only 1 of 2 calls failed"));
}

TEST(RpcFails, WithoutACallNothingIsKnown) {
  EXPECT_THAT(Judged(kFails, Story()), IsUnknown("never called"));
  EXPECT_THAT(Judged(kFails, Story().Call(14, 1s, "DescribeNamespace")), IsUnknown("never called"));
  Story server;
  server.Add(RpcEvent{.what = "answered",
                      .side = "server",
                      .endpoint = "temporal",
                      .method = "StartWorkflowExecution",
                      .code = 14});
  EXPECT_THAT(Judged(kFails, server), IsUnknown("never called"));
}

TEST(RpcFails, MayBeOfOneClient) {
  const char* check = "rpc_fails: {method: StartWorkflowExecution, client: app, within: 2s}";
  EXPECT_THAT(Judged(check, Story().Call(14, 1s, "StartWorkflowExecution", "direct")),
              IsUnknown("never called"));
  EXPECT_THAT(Judged(check, Story().Call(14, 1s, "StartWorkflowExecution", "app")), Passes(""));
}

TEST(RpcFails, ACallBelongsToTheTimeInWhichItBegan) {
  const char* check =
      "rpc_fails: {method: StartWorkflowExecution, within: 9s, after: fault.injected, until: "
      "fault.healed}";
  EXPECT_THAT(Judged(check, Story().Call(14, 1s)), IsUnknown("fault.injected never happened"));
  EXPECT_THAT(Judged(check, Story().At(5s).Inject().At(6s).Call(14, 2s).At(20s).Heal()),
              IsUnknown("never called"));
  EXPECT_THAT(Judged(check, Story().At(5s).Inject().At(8s).Call(14, 2s).At(20s).Heal().At(21s).Call(
                                0, 10ms)),
              Passes("1 call failed"));
  EXPECT_THAT(Judged(check, Story().At(5s).Inject().At(20s).Heal().At(22s).Call(14, 3s)),
              Passes(""));
}

TEST(RpcFails, RefusesCodesThatAreNone) {
  EXPECT_FALSE(MakeChecker(Spec("rpc_fails: {method: X, within: 2s, code: unavailable}")).ok());
  EXPECT_FALSE(MakeChecker(Spec("rpc_fails: {method: X, within: 2s, code: OK}")).ok());
}

constexpr const char* kSucceeds = "rpc_succeeds: {method: StartWorkflowExecution, within: 2s}";

TEST(RpcSucceeds, TheLastCallCounts) {
  EXPECT_THAT(Judged(kSucceeds, Story().Call(14, 1s).Call(0, 2s)),
              Passes("1 of 2 calls OK, the last after 2.00s"));
  EXPECT_THAT(Judged(kSucceeds, Story().Call(0, 1s).Call(14, 1s)), Fails("UNAVAILABLE"));
  EXPECT_THAT(Judged(kSucceeds, Story().Call(0, 2s + 1ns)), Fails("OK after 2.00s"));
  EXPECT_THAT(Judged(kSucceeds, Story()), IsUnknown("never called"));
}

TEST(RpcSucceeds, OrEveryCallDoes) {
  const char* all = "rpc_succeeds: {method: StartWorkflowExecution, within: 2s, all: true}";
  EXPECT_THAT(Judged(all, Story().Call(14, 1s).Call(0, 1s)), Fails("UNAVAILABLE"));
  EXPECT_THAT(Judged(all, Story().Call(0, 1s).Call(0, 1s)), Passes("2 of 2"));
}

}  // namespace
}  // namespace squall::scenarios
