// The judge: all checks over one journal, the oracles beside them, and what the results mean for a
// subject.

#include "scenarios/checks/judge.h"

#include "base/journal/journal.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

using ::squall::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

std::vector<CheckSpec> Specs(const std::string& checks) {
  const StatusOr<Scenario> scenario = LoadChecks(checks);
  EXPECT_OK(scenario);
  return scenario.ok() ? scenario->checks : std::vector<CheckSpec>{};
}

JournalJudgement Judge(const std::string& checks, const Story& story,
                       std::vector<std::string> fail = {}) {
  const auto judgement = JudgeJournal(story.events(), Specs(checks), {.fail = std::move(fail)});
  EXPECT_OK(judgement);
  return judgement.ok() ? *judgement : JournalJudgement{};
}

auto Is(const std::string& check, Outcome outcome) {
  return AllOf(Field(&CheckResult::check, check), Field(&CheckResult::outcome, outcome));
}

constexpr const char* kUp = "  - stays_up: {worker: w, for: 1s}\n";
const Story kFine = Story().Run().ServerUp().Up("w").At(2s).Judging().Finished();
const Story kCrash = Story()
                         .Run()
                         .ServerUp()
                         .Up("w")
                         .At(500ms)
                         .Exited("w", 1, "unexpected", "boom")
                         .At(2s)
                         .Judging()
                         .Finished();

TEST(ChecksJudge, JudgesInTheOrderOfTheScenarioThenTheOracles) {
  const auto results =
      Judge(std::string(kUp) + "  - exits: {worker: v, id: gone}\n", kFine).results;
  EXPECT_THAT(results, ElementsAre(Is("stays_up", Outcome::kPass), Is("gone", Outcome::kUnknown),
                                   Is("oracle:no_unexpected_exit", Outcome::kPass)));
}

TEST(ChecksJudge, WhatTheWorldDoesNotSeeIsUnknownWhateverWasSeen) {
  const Story blind =
      Story().Run({"run", "log"}).ServerUp().Up("w").Exited("w", 1, "unexpected").At(2s).Finished();
  const auto judgement = Judge(kUp, blind);
  EXPECT_THAT(judgement.results, ElementsAre(Is("stays_up", Outcome::kUnknown)));
  EXPECT_THAT(judgement.results[0].happened, HasSubstr("does not see process events"));
  EXPECT_EQ(judgement.subject.verdict, Outcome::kUnknown);
}

TEST(ChecksJudge, NeedsThatComeFromParametersCountToo) {
  const Story blind = Story()
                          .Run({"run", "process"})
                          .ServerUp()
                          .Up("w")
                          .Inject()
                          .Heal()
                          .Poll("arrived")
                          .At(2s)
                          .Finished();
  const auto judgement = Judge("  - reconnects: {worker: w, within: 1s}\n", blind);
  EXPECT_THAT(judgement.results[0], Is("reconnects", Outcome::kUnknown));
  EXPECT_THAT(judgement.results[0].happened, HasSubstr("does not see poller events"));
}

TEST(ChecksJudge, TheMachinesOwnKindsAreInEveryJournal) {
  const Story story = Story().Run({"process"}).ServerUp().Up("w").At(2s).Judging().Finished();
  EXPECT_THAT(Judge("  - order: {events: [process.ready, run.judging]}\n", story).results[0],
              Is("order", Outcome::kPass));
}

TEST(ChecksJudge, AJournalThatDoesNotSayWhatItsWorldSeesProvesNothing) {
  const auto judgement = Judge(kUp, Story().ServerUp().Up("w").At(2s).Finished());
  EXPECT_THAT(judgement.results, ElementsAre(Is("stays_up", Outcome::kUnknown)));
  EXPECT_THAT(Judge(kUp, Story()).subject.verdict, Outcome::kUnknown);
}

TEST(ChecksJudge, WhatFollowsTheEndOfTheRunIsCleanUp) {
  Story story = kFine;
  story.At(3s).Killed("w", 9, "unexpected").Killed("temporal", 9, "unexpected", "server");
  EXPECT_EQ(Judge(kUp, story).subject.verdict, Outcome::kPass);
}

TEST(ChecksJudge, TheEndOfObservationIsTheFirstConclusion) {
  Story story = Story()
                    .Run()
                    .ServerUp()
                    .Up("w")
                    .At(900ms)
                    .Judging()
                    .Add(AssertionEvent{.what = "pass", .check = "x"})
                    .At(5s)
                    .Finished();
  EXPECT_THAT(Judge(kUp, story).results[0], Is("stays_up", Outcome::kUnknown));
}

TEST(ChecksJudge, SavedAndLiveSayTheSame) {
  for (const Story& story : {kFine, kCrash}) {
    const auto live = ChecksJudge::Create(Specs(kUp));
    ASSERT_OK(live);
    for (const Event& event : story.events()) (*live)->Observe(event);
    const auto live_results = (*live)->Finish(SteadyTime(2s));
    // What a journal file gives back, after a round trip.
    std::vector<Event> saved;
    for (const Event& event : story.events()) saved.push_back(*FromJson(ToJson(event)));
    const auto judged = JudgeJournal(saved, Specs(kUp), {});
    ASSERT_OK(judged);
    ASSERT_EQ(judged->results.size(), live_results.size());
    for (std::size_t i = 0; i < live_results.size(); ++i) {
      EXPECT_EQ(judged->results[i].check, live_results[i].check);
      EXPECT_EQ(judged->results[i].outcome, live_results[i].outcome);
      EXPECT_EQ(judged->results[i].happened, live_results[i].happened);
    }
  }
}

TEST(ChecksJudge, ASavedRunIsJudgedByTheLimitsThatItHad) {
  const auto run = [](const std::string& timeout_scale) {
    RunEvent started{.what = "started", .world = "fake"};
    started.observes.assign(AllKinds().begin(), AllKinds().end());
    if (!timeout_scale.empty()) started.versions["timeout_scale"] = timeout_scale;
    return Story().Add(started).Up("w").At(5s).Exited("w", 0, "asked").Finished();
  };
  const std::string check = "  - exits: {worker: w, within: 2s}\n";
  EXPECT_THAT(Judge(check, run("")).results[0], Is("exits", Outcome::kFail));
  EXPECT_THAT(Judge(check, run("3")).results[0], Is("exits", Outcome::kPass));
  EXPECT_THAT(JudgeJournal(run("fast").events(), Specs(check), {}).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("timeout_scale is 'fast'")));
  EXPECT_FALSE(JudgeJournal(run("0.5").events(), Specs(check), {}).ok());
  // Live, the one who makes the judge says it.
  const auto live = ChecksJudge::Create(Specs(check), 3);
  ASSERT_OK(live);
  const Story slow = run("3");
  for (const Event& event : slow.events()) (*live)->Observe(event);
  EXPECT_EQ((*live)->Finish(SteadyTime(6s))[0].outcome, Outcome::kPass);
}

TEST(ChecksJudge, WaitsForTheLatestDeadlineOfChecksThatCanBeJudged) {
  const auto deadline = [](const std::string& checks, const Story& story) {
    auto judge = ChecksJudge::Create(Specs(checks));
    EXPECT_OK(judge);
    for (const Event& event : story.events()) (*judge)->Observe(event);
    return (*judge)->NextDeadline();
  };
  const std::string checks = std::string(kUp) + "  - log_seen: {pattern: x, within: 9s}\n";
  EXPECT_EQ(deadline(checks, Story().Run().Up("w")), SteadyTime(9s));
  EXPECT_EQ(deadline(checks, Story().Run().Up("w").Log("x")), SteadyTime(1s));
  EXPECT_EQ(deadline(checks, Story().Run({"run", "process"}).Up("w")), SteadyTime(1s));
  EXPECT_EQ(deadline(checks, Story().Run({"run"}).Up("w")), std::nullopt);
}

TEST(ChecksJudge, RefusesChecksThatMakeNoSense) {
  EXPECT_THAT(
      ChecksJudge::Create(Specs("  - exits: {worker: w, signal: 9, code: 1, id: gone}\n")).status(),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("gone: exits: ")));
}

// -----------------------------------------------------------------------------------------------------------------
// oracles

TEST(Oracles, AProcessOfWhichNoCheckSpeaksMustNotEndUnasked) {
  const std::string checks = "  - stays_up: {worker: v, for: 1s}\n";
  const Story crash = Story()
                          .Run()
                          .ServerUp()
                          .Up("v")
                          .Up("w")
                          .At(500ms)
                          .Exited("w", 1, "unexpected")
                          .At(2s)
                          .Finished();
  const auto judgement = Judge(checks, crash);
  EXPECT_THAT(judgement.results, ElementsAre(Is("stays_up", Outcome::kPass),
                                             Is("oracle:no_unexpected_exit", Outcome::kFail)));
  EXPECT_EQ(judgement.subject.verdict, Outcome::kFail);
  EXPECT_THAT(judgement.subject.explanation, HasSubstr("oracle:no_unexpected_exit"));
}

TEST(Oracles, AProcessOfWhichACheckSpeaksIsThatChecksBusiness) {
  EXPECT_THAT(
      Judge(kUp, kCrash).results,
      ElementsAre(Is("stays_up", Outcome::kFail), Is("oracle:no_unexpected_exit", Outcome::kPass)));
  const Story alone = Story().Run().Up("w").At(2s).Finished();
  EXPECT_THAT(Judge(kUp, alone).results, ElementsAre(Is("stays_up", Outcome::kPass)));
  for (const char* check :
       {"exits: {worker: w}", "same_process: {worker: w}", "graceful_stop: {worker: w}",
        "nothing_left_running: {processes: [w]}"}) {
    const auto results = Judge(std::string("  - ") + check + "\n", kCrash).results;
    EXPECT_THAT(results.back(), Is("oracle:no_unexpected_exit", Outcome::kPass)) << check;
  }
  EXPECT_THAT(Judge("  - no_unexpected_exit\n", kCrash).results,
              ElementsAre(Is("no_unexpected_exit", Outcome::kFail)));
}

TEST(Oracles, AFaultThatNothingMetMakesTheVerdictUnknown) {
  const auto with = [](bool hit) {
    Story story = Story().Run().ServerUp().Up("w").Inject();
    if (hit) story.Fault("hit");
    return story.Heal().At(2s).Finished();
  };
  EXPECT_EQ(Judge(kUp, with(true)).subject.verdict, Outcome::kPass);
  const auto unmet = Judge(kUp, with(false));
  EXPECT_THAT(unmet.results.back(), Is("oracle:fault_hit", Outcome::kUnknown));
  EXPECT_THAT(unmet.results.back().happened, HasSubstr("nothing was tested"));
  EXPECT_EQ(unmet.subject.verdict, Outcome::kUnknown);
  // A check that names the fault judges it itself.
  EXPECT_THAT(Judge("  - fault_hit: {fault: outage}\n", with(false)).results,
              ElementsAre(Is("fault_hit", Outcome::kFail),
                          Is("oracle:no_unexpected_exit", Outcome::kPass)));
}

// ----------------------------------------------------------------------------------------------------------------
// subjects

CheckResult Result(std::string check, Outcome outcome) {
  return {std::move(check), outcome, "expected", "happened"};
}

struct Case {
  std::string name;
  std::vector<CheckResult> results;
  std::vector<std::string> expect_fail;
  Outcome verdict;
  bool caught;
  std::string explanation;
};

class SubjectTest : public ::testing::TestWithParam<Case> {};

TEST_P(SubjectTest, IsJudged) {
  const Case& c = GetParam();
  const SubjectJudgement judgement = JudgeSubject(c.results, {.fail = c.expect_fail});
  EXPECT_EQ(judgement.verdict, c.verdict);
  EXPECT_EQ(judgement.caught, c.caught);
  EXPECT_THAT(judgement.explanation, HasSubstr(c.explanation));
  EXPECT_EQ(judgement.explanation.empty(), c.verdict == Outcome::kPass);
}

constexpr Outcome kP = Outcome::kPass, kU = Outcome::kUnknown, kF = Outcome::kFail;

INSTANTIATE_TEST_SUITE_P(
    All, SubjectTest,
    ::testing::Values(
        Case{"nothing", {}, {}, kU, false, "nothing was checked"},
        Case{"nothing_of_a_broken_one", {}, {"a"}, kU, false, "nothing was checked"},
        Case{"all_pass", {Result("a", kP), Result("b", kP)}, {}, kP, false, ""},
        Case{"one_unknown", {Result("a", kP), Result("b", kU)}, {}, kU, false, "cannot be told: b"},
        Case{"the_worst_wins",
             {Result("a", kU), Result("b", kF), Result("c", kF)},
             {},
             kF,
             false,
             "failed: b and c"},
        Case{"steps_count", {Result("a", kP), Result("steps", kF)}, {}, kF, false, "failed: steps"},
        Case{"caught", {Result("a", kF), Result("b", kP)}, {"a"}, kP, true, ""},
        Case{"caught_by_both", {Result("a", kF), Result("b", kF)}, {"a", "b"}, kP, true, ""},
        Case{"missed", {Result("a", kP), Result("b", kP)}, {"a"}, kF, false, "a did not fail"},
        Case{"half_caught",
             {Result("a", kF), Result("b", kP)},
             {"a", "b"},
             kF,
             false,
             "b did not fail"},
        Case{"caught_and_more",
             {Result("a", kF), Result("b", kF)},
             {"a"},
             kF,
             false,
             "not expected: b"},
        Case{"oracle_too",
             {Result("a", kF), Result("oracle:no_unexpected_exit", kF)},
             {"a"},
             kF,
             false,
             "oracle:no_unexpected_exit"},
        Case{"named_one_unknown",
             {Result("a", kU), Result("b", kP)},
             {"a"},
             kU,
             false,
             "cannot be told: a"},
        Case{"named_one_absent", {Result("b", kP)}, {"a"}, kU, false, "cannot be told: a"},
        Case{"other_unknown_is_no_news", {Result("a", kF), Result("b", kU)}, {"a"}, kP, true, ""},
        Case{"fault_not_met",
             {Result("a", kF), Result("oracle:fault_hit", kU)},
             {"a"},
             kU,
             false,
             "oracle:fault_hit"},
        Case{"infrastructure",
             {Result("a", kF), Result("infrastructure", kU)},
             {"a"},
             kU,
             false,
             "infrastructure"},
        Case{"its_steps_may_fail", {Result("a", kF), Result("steps", kF)}, {"a"}, kP, true, ""},
        Case{"its_steps_may_be_named",
             {Result("a", kP), Result("steps", kF)},
             {"steps"},
             kP,
             true,
             ""}),
    [](const auto& c) { return c.param.name; });

TEST(JudgeJournal, TakesTheMachinesOwnResultsFromTheJournal) {
  Story story = Story().Run().ServerUp().Up("w").At(2s).Judging();
  story.Add(AssertionEvent{.what = "pass", .check = "stays_up"})
      .Add(AssertionEvent{.what = "fail", .check = "steps", .happened = "timed out"})
      .Finished();
  const auto judgement = Judge(kUp, story);
  EXPECT_THAT(judgement.results, ElementsAre(Is("stays_up", Outcome::kPass),
                                             Is("oracle:no_unexpected_exit", Outcome::kPass)));
  EXPECT_THAT(judgement.machine, ElementsAre(Is("steps", Outcome::kFail)));
  EXPECT_EQ(judgement.machine.back().happened, "timed out");
  EXPECT_EQ(judgement.subject.verdict, Outcome::kFail);
}

TEST(JudgeJournal, AJournalThatBreaksOffIsUnknown) {
  const auto judgement = Judge(kUp, Story().Run().ServerUp().Up("w").At(2s).Says("w", "task"));
  EXPECT_THAT(judgement.results.back(), Is("infrastructure", Outcome::kUnknown));
  EXPECT_THAT(judgement.results.back().happened, HasSubstr("ends after 2.00s"));
  EXPECT_EQ(judgement.subject.verdict, Outcome::kUnknown);
}

}  // namespace
}  // namespace squall::scenarios
