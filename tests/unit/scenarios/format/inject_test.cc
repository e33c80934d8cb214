// The inject step: what it goes into, when it comes, how often.
#include <gmock/gmock.h>

#include "scenarios/format/loader.h"
#include "tests/support/status_matchers.h"

namespace squall::scenarios {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

StatusOr<Scenario> Load(const std::string& inject) {
  return LoadScenario(R"(id: T1
title: t
topology:
  servers: {s: {}}
  links: {l: s, m: s, nobody: closed}
  workers: {w: {connect: l, count: 3}, v: {connect: m}}
steps:
  - inject: {)" + inject + "}\nexpect: [check]\n",
                      "T1.yaml", {{.name = "check", .doc = "A check."}});
}

Step Loaded(const std::string& inject) {
  const auto scenario = Load(inject);
  EXPECT_OK(scenario) << inject;
  if (!scenario.ok()) return {};
  return scenario->subjects.at(0).steps.at(0);
}
InjectStep Read(const std::string& inject) {
  const Step step = Loaded(inject);
  const auto* read = std::get_if<InjectStep>(&step.action);
  return read != nullptr ? *read : InjectStep();
}

TEST(Inject, GoesIntoOneNodeSeveralAGroupOrAll) {
  EXPECT_THAT(Read("fault: stall, on: l").on, ElementsAre("l"));
  EXPECT_THAT(Read("fault: stall, on: [m, l]").on, ElementsAre("m", "l"));
  EXPECT_THAT(Read("fault: stall, on: all links").on, ElementsAre("l", "m"))
      << "one that leads nowhere has nothing to stall";
  EXPECT_THAT(Read("fault: kill, on: w").on, ElementsAre("w-1", "w-2", "w-3"));
  EXPECT_THAT(Read("fault: kill, on: [w-2, v]").on, ElementsAre("w-2", "v"));
  EXPECT_THAT(Read("fault: kill, on: all workers").on, ElementsAre("w-1", "w-2", "w-3", "v"));
  EXPECT_EQ(Read("fault: kill, on: all workers").target, FaultTarget::kWorker);
  EXPECT_EQ(Read("fault: kill, on: all servers").target, FaultTarget::kServer);
  EXPECT_TRUE(Read("fault: kill, on: w, pick: one").one);
  EXPECT_FALSE(Read("fault: kill, on: w").one);
}

TEST(Inject, ComesAtOnceAtAnEventAgainAndByChance) {
  const InjectStep plain = Read("fault: stall, on: l");
  EXPECT_FALSE(plain.when || plain.every || plain.span);
  EXPECT_EQ(plain.chance, 1);
  const InjectStep full = Read(
      "fault: stall, on: l, every: 5s, for: 2s, times: 4, chance: 0.25, "
      "when: {event: poller.arrived, where: {task_queue: q}, count: 2}");
  EXPECT_EQ(full.every, Duration(5s));
  EXPECT_EQ(full.span, Duration(2s));
  EXPECT_EQ(full.times, 4);
  EXPECT_EQ(full.chance, 0.25);
  ASSERT_TRUE(full.when.has_value());
  EXPECT_EQ(full.when->kind + "." + full.when->event, "poller.arrived");
  EXPECT_EQ(full.when->count, 2);
  EXPECT_EQ(full.when->where.at("task_queue"), "q");
  EXPECT_EQ(Read("fault: stall, on: l, when: worker.polling").when->event, "polling");
  EXPECT_EQ(Loaded("fault: kill, on: w, pick: one, every: 1s, when: worker.polling").text,
            "inject kill into one of w-1, w-2, w-3 every 1.00s when worker.polling");
}

TEST(Inject, MistakesAreNamedWithTheirPlace) {
  const struct {
    const char* inject;
    const char* error;
  } cases[] = {
      {"fault: stall, on: [l, n]", "8:36: 'on' of fault 'stall': there is no node 'n'"},
      {"fault: stall, on: al links", "did you mean 'all links'"},
      {"fault: stall, on: [l, v]", "fault 'stall' goes into a link, and 'v' is none"},
      {"fault: stall, on: [l, l]", "'on' names 'l' twice"},
      {"fault: stall, on: nobody", "leads nowhere"},
      {"fault: stall, on: []", "'on' names nothing"},
      {"fault: stall, on: l, every: 2s", "`every` needs a `for` that is shorter"},
      {"fault: stall, on: l, every: 2s, for: 2s", "`every` needs a `for` that is shorter"},
      {"fault: kill, on: w, every: 0s", "`every` needs"},
      {"fault: kill, on: w, times: 2", "it needs an `every`"},
      {"fault: kill, on: w, every: 2s, for: 1s", "happens once: it has no `for`"},
      {"fault: stall, on: l, chance: 2", "'chance' of fault 'stall' is at most 1"},
      {"fault: stall, on: l, as: a@b", "holds @ or #"},
      {"fault: stall, on: l, when: poller", "kind.what"},
      {"fault: stall, on: l, when: {event: poller.arrivd}", "did you mean 'arrived'"},
      {"fault: stall, on: l, when: {event: poller.arrived, were: {}}", "did you mean 'where'"},
  };
  for (const auto& one : cases) {
    EXPECT_THAT(Load(one.inject), StatusIs(StatusCode::kInvalidArgument, HasSubstr(one.error)))
        << one.inject;
  }
}

}  // namespace
}  // namespace squall::scenarios
