#include "harness/runner/environment.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "scenarios/format/loader.h"
#include "tests/support/status_matchers.h"

namespace squall::harness {
namespace {

using scenarios::WorldKind;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

class EnvironmentTest : public ::testing::Test {
 protected:
  // Why a scenario with this topology and these steps does not run.
  std::optional<std::string> Missing(const std::string& topology, const std::string& steps,
                                     WorldKind world, bool external) {
    const std::string text =
        "id: T\ntitle: t\ntopology: " + topology + "\nsteps: " + steps + "\nexpect: [check]\n";
    auto loaded = scenarios::LoadScenario(text, "T.yaml", {{.name = "check", .doc = "A check."}});
    EXPECT_THAT(loaded, testing::IsOk());
    if (!loaded.ok()) return std::nullopt;
    std::optional<ExternalServer> given;
    if (external) given.emplace().address = "127.0.0.1:1";
    return MissingRequirement(loaded->subjects[0], world, given);
  }
};

TEST_F(EnvironmentTest, NothingIsMissingForAFakeServerAlone) {
  EXPECT_EQ(Missing("{servers: {s: {}}}", "[]", WorldKind::kFake, false), std::nullopt);
}

TEST_F(EnvironmentTest, AToolThatIsNotThereIsNamedWithTheRemedy) {
  const std::string text =
      "id: T\ntitle: t\nneeds: {tools: [typescript]}\n"
      "topology: {servers: {s: {}}}\nsteps: []\nexpect: [check]\n";
  auto loaded = scenarios::LoadScenario(text, "T.yaml", {{.name = "check", .doc = "A check."}});
  ASSERT_OK(loaded);
  const char* cache = std::getenv("SQUALL_CACHE");
  const std::string before = cache == nullptr ? "" : cache;
  ASSERT_EQ(setenv("SQUALL_CACHE", ::testing::TempDir().c_str(), 1), 0);
  EXPECT_EQ(TypeScriptDirectory(), ::testing::TempDir() + "/subjects/typescript");
  EXPECT_THAT(MissingRequirement(loaded->subjects[0], WorldKind::kFake, std::nullopt),
              Optional(HasSubstr("make setup-typescript")));
  ASSERT_EQ(cache == nullptr ? unsetenv("SQUALL_CACHE") : setenv("SQUALL_CACHE", before.c_str(), 1),
            0);
}

TEST_F(EnvironmentTest, AGivenServerIsLeftAlone) {
  const std::string plain = "{servers: {s: {}}, links: {l: s}}";
  EXPECT_EQ(Missing(plain, "[{inject: {fault: refuse, on: l}}]", WorldKind::kReal, true),
            std::nullopt);
  for (const char* steps :
       {"[{restart: s}]", "[{stop: s}]", "[{kill: s}]", "[{pause: s}]", "[{register_namespace: x}]",
        "[{inject: {fault: server_down, on: s}}]"}) {
    EXPECT_THAT(Missing(plain, steps, WorldKind::kReal, true),
                Optional(HasSubstr("given by its address")))
        << steps;
  }
  EXPECT_THAT(Missing("{servers: {s: {start: manual}}}", "[]", WorldKind::kReal, true),
              Optional(HasSubstr("given by its address")));
  EXPECT_THAT(Missing("{servers: {s: {}, t: {}}}", "[]", WorldKind::kReal, true),
              Optional(HasSubstr("several servers")));
}

TEST_F(EnvironmentTest, WhatOnlyTheFakeServerCanIsSkippedInTheRealWorld) {
  EXPECT_THAT(Missing("{servers: {s: {}}}",
                      "[{inject: {fault: rpc_error, on: s, methods: Poll*, code: UNAVAILABLE}}]",
                      WorldKind::kReal, true),
              Optional(AllOf(HasSubstr("rpc_error"), HasSubstr("fake server only"))));
  EXPECT_THAT(Missing("{servers: {s: {}}, workers: {w: {kind: command, command: [x], connect: s}}}",
                      "[{inject: {fault: cancel, on: w}}]", WorldKind::kFake, false),
              Optional(HasSubstr("program of your own")));
  EXPECT_THAT(Missing("{servers: {s: {api_keys: [k]}}}", "[]", WorldKind::kReal, true),
              Optional(HasSubstr("API keys")));
  EXPECT_THAT(Missing("{servers: {s: {tls: server}}}", "[]", WorldKind::kReal, true),
              Optional(HasSubstr("TLS")));
}

TEST_F(EnvironmentTest, NothingOfASubjectsOwnNetworkReachesAGivenServer) {
  for (const char* fault : {"kernel_drop", "kernel_link_down", "dns_hang"}) {
    EXPECT_THAT(
        Missing("{servers: {s: {}}, links: {l: s}}",
                std::string("[{inject: {on: l, fault: ") + fault + "}}]", WorldKind::kReal, true),
        Optional(HasSubstr("given by its address")))
        << fault;
  }
}

TEST_F(EnvironmentTest, WhatASubjectNeedsAroundItsLinksMayNotBeHadAllAtOnce) {
  constexpr const char* kDown = "[{inject: {fault: kernel_link_down, on: l}}]";
  const std::string plain = "{servers: {s: {}}, links: {l: s, m: s}, workers: {w: {connect: l}}}";
  if (const auto reason = Missing(plain, kDown, WorldKind::kFake, false)) GTEST_SKIP() << *reason;
  EXPECT_THAT(Missing(plain,
                      "[{inject: {fault: kernel_link_down, on: l}}, "
                      "{inject: {fault: dns_fail, on: l, as: lost}}]",
                      WorldKind::kFake, false),
              Optional(HasSubstr("nobody reaches the DNS server")));
  EXPECT_EQ(Missing(plain,
                    "[{inject: {fault: kernel_link_down, on: l}}, "
                    "{inject: {fault: dns_fail, on: m, as: lost}}]",
                    WorldKind::kFake, false),
            std::nullopt);
  EXPECT_THAT(
      Missing("{servers: {s: {}}, links: {l: s}, workers: {w: {kind: host, host: supervising, "
              "connect: l, health: /healthz}}}",
              kDown, WorldKind::kFake, false),
      Optional(HasSubstr("its network is its own")));
}

TEST(NodesThatNeed, AreThoseOfItsInjectSteps) {
  auto loaded = scenarios::LoadScenario(
      "id: T\ntitle: t\ntopology: {servers: {s: {}}, links: {l: s, m: s}}\nsteps: "
      "[{inject: {fault: kernel_drop, on: [l, m]}}, {inject: {fault: dns_hang, on: m}}]\n"
      "expect: [check]\n",
      "T.yaml", {{.name = "check", .doc = "A check."}});
  ASSERT_OK(loaded);
  const scenarios::Subject& subject = loaded->subjects[0];
  EXPECT_THAT(NodesThatNeed(subject, scenarios::FaultNeed::kOwnNetwork), ElementsAre("l", "m"));
  EXPECT_THAT(NodesThatNeed(subject, scenarios::FaultNeed::kOwnNames), ElementsAre("m"));
  EXPECT_THAT(NodesThatNeed(subject, scenarios::FaultNeed::kOwnWire), IsEmpty());
}

}  // namespace
}  // namespace squall::harness
