// The table of checks: what holds for every one of them, and the page that is made from it.

#include "scenarios/checks/registry.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "scenarios/checks/pattern.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

using ::squall::testing::StatusIs;
using ::testing::HasSubstr;

// The example in the documentation, as this check's part of a scenario file. Names in examples are
// those of story.h.
CheckSpec ExampleOf(const CheckKind& kind) {
  const StatusOr<Scenario> scenario = LoadChecks("  " + kind.example + "\n");
  if (!scenario.ok()) {
    ADD_FAILURE() << kind.example << ": " << scenario.status();
    return {};
  }
  return scenario->checks.at(0);
}

TEST(Registry, IsSortedDocumentedAndComplete) {
  std::vector<std::string> names;
  for (const CheckKind& kind : CheckKinds()) {
    names.push_back(kind.definition.name);
    EXPECT_TRUE(kind.definition.doc.ends_with(".")) << kind.definition.name;
    EXPECT_FALSE(kind.nothing_seen.empty()) << kind.definition.name;
    for (const ParamSpec& param : kind.definition.params) {
      EXPECT_TRUE(param.doc.ends_with(".")) << kind.definition.name << "." << param.name;
      EXPECT_FALSE(param.required && !param.default_text.empty())
          << kind.definition.name << "." << param.name;
      EXPECT_EQ(param.type == ParamType::kWord, !param.words.empty())
          << kind.definition.name << "." << param.name;
    }
    for (const std::string& need : kind.definition.needs)
      EXPECT_FALSE(WordsOf(need).empty()) << need;
    EXPECT_EQ(FindCheck(kind.definition.name), &kind);
  }
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(Checks().size(), CheckKinds().size());
  EXPECT_EQ(FindCheck("no such check"), nullptr);
}

TEST(Registry, EveryExampleLoadsAndIsOfItsCheck) {
  for (const CheckKind& kind : CheckKinds()) {
    const CheckSpec spec = ExampleOf(kind);
    EXPECT_EQ(spec.name, kind.definition.name);
    EXPECT_OK(MakeChecker(spec));
  }
}

TEST(Registry, DefaultsAreTheLoadersDefaults) {
  for (const CheckKind& kind : CheckKinds()) {
    const CheckSpec spec = ExampleOf(kind);
    for (const ParamSpec& param : kind.definition.params) {
      if (param.default_text.empty()) continue;
      ASSERT_TRUE(spec.params.Has(param.name)) << kind.definition.name << "." << param.name;
      Params given = spec.params;
      given.Set(param.name, std::monostate{});
      const auto filled = WithDefaults(kind.definition.params, given);
      if (kind.example.find(param.name + ":") != std::string::npos)
        continue;  // the example says otherwise
      EXPECT_EQ(filled.values().find(param.name)->second,
                spec.params.values().find(param.name)->second)
          << kind.definition.name << "." << param.name;
    }
  }
}

TEST(Registry, UpperLimitsAreThoseCalledWithin) {
  for (const CheckKind& kind : CheckKinds()) {
    for (const ParamSpec& param : kind.definition.params) {
      EXPECT_EQ(param.upper_limit, param.name == "within")
          << kind.definition.name << "." << param.name;
      EXPECT_TRUE(!param.upper_limit || param.type == ParamType::kDuration)
          << kind.definition.name << "." << param.name;
    }
  }
}

TEST(Registry, OnASlowMachineUpperLimitsGrowAndNothingElse) {
  const std::string ends = "exits: {worker: w, code: 3, within: 2s}";
  const auto after = [](Duration time, int code) {
    return Story().Up("w").At(time).Exited("w", code, "unexpected");
  };
  EXPECT_THAT(Judged(ends, after(6s, 3)), Fails("only after 6.00s"));
  EXPECT_THAT(JudgedSlowly(ends, after(6s, 3), 3), Passes(""));
  EXPECT_THAT(JudgedSlowly(ends, after(6s + 1ns, 3), 3), Fails("only after 6.00s"));
  EXPECT_THAT(JudgedSlowly(ends, after(1s, 1), 3), Fails("code 1"));
  // The text says what was judged by.
  EXPECT_THAT(JudgedSlowly(ends, after(6s, 3), 3).expected, HasSubstr("within 6.00s"));
  // A span that it must last.
  const std::string stays = "stays_up: {worker: w, for: 2s}";
  EXPECT_THAT(JudgedSlowly(stays, Story().Up("w").At(2s), 3), Passes(""));
  EXPECT_THAT(JudgedSlowly(stays, Story().Up("w").At(2s - 1ns), 3), IsUnknown(""));
}

TEST(Registry, NothingObservedNeverPasses) {
  for (const CheckKind& kind : CheckKinds()) {
    const auto checker = MakeChecker(ExampleOf(kind));
    ASSERT_OK(checker);
    for (const Duration end : {Duration{}, Duration(1h)}) {
      EXPECT_NE((*checker)->Finish(SteadyTime(end)).outcome, Outcome::kPass)
          << kind.definition.name;
    }
  }
}

TEST(Registry, AVerdictSaysWhatWasExpectedAndChangesNothing) {
  for (const CheckKind& kind : CheckKinds()) {
    const auto checker = MakeChecker(ExampleOf(kind));
    ASSERT_OK(checker);
    const Verdict first = (*checker)->Finish(SteadyTime(1h));
    const Verdict second = (*checker)->Finish(SteadyTime(1h));
    EXPECT_FALSE(first.expected.empty());
    EXPECT_FALSE(first.happened.empty());
    EXPECT_EQ(first.happened, second.happened);
  }
}

TEST(Registry, RefusesWhatIsNoCheckAndWhatIsIncomplete) {
  EXPECT_THAT(MakeChecker({.name = "exit", .id = "exit", .params = {}, .pos = {}}).status(),
              StatusIs(StatusCode::kNotFound, "unknown check 'exit' (did you mean 'exits'?)"));
  EXPECT_THAT(MakeChecker({.name = "exits", .id = "exits", .params = {}, .pos = {}}).status(),
              StatusIs(StatusCode::kInvalidArgument, "exits: parameter 'worker' is missing"));
  Params params;
  params.Set("pattern", std::string("("));
  EXPECT_THAT(
      MakeChecker({.name = "log_never", .id = "log_never", .params = params, .pos = {}}).status(),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a regular expression")));
}

// What the loader's table lets through, the checkers accept.
TEST(Registry, EveryCheckOfTheLibraryCanBeMade) {
  const char* source = std::getenv("SQUALL_SOURCE_DIR");
  const auto library =
      LoadLibrary(std::string(source != nullptr ? source : ".") + "/scenarios/library", Checks());
  ASSERT_OK(library);
  std::size_t made = 0;
  for (const LibraryEntry& entry : *library) {
    ASSERT_OK(entry.scenario) << entry.path;
    for (const Subject& subject : entry.scenario->subjects) {
      for (const CheckSpec& spec : subject.checks) {
        EXPECT_OK(MakeChecker(spec)) << entry.path << ":" << spec.pos.line;
        ++made;
      }
    }
  }
  EXPECT_GT(made, 30u);
}

// With SQUALL_UPDATE_DOCS=1 the page is written instead: `SQUALL_UPDATE_DOCS=1 ctest -R
// scenarios_checks_test`.
TEST(ChecksPage, IsMadeFromTheTable) {
  const char* source = std::getenv("SQUALL_SOURCE_DIR");
  const std::string path = std::string(source != nullptr ? source : ".") + "/docs/checks.md";
  if (const char* update = std::getenv("SQUALL_UPDATE_DOCS");
      update != nullptr && std::string_view(update) == "1") {
    std::ofstream(path) << ChecksPage();
  }
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), ChecksPage()) << "write it anew with SQUALL_UPDATE_DOCS=1";
}

// ----------------------------------------------------------------------------------------------------------------
// patterns

bool Matches(const std::string& pattern, Payload payload) {
  const auto parsed = EventPattern::Parse(pattern);
  if (!parsed.ok()) {
    ADD_FAILURE() << pattern << ": " << parsed.status();
    return false;
  }
  return parsed->Matches({.source = "runner", .payload = std::move(payload)});
}

TEST(EventPattern, MatchesKindWordAndFields) {
  const ProcessEvent exit{.what = "exited",
                          .process = "w",
                          .exit_code = 1,
                          .reason = "unexpected",
                          .detail = "last line\nboom"};
  EXPECT_TRUE(Matches("process.exited", exit));
  EXPECT_TRUE(Matches("process.exited process=w exit_code=1", exit));
  EXPECT_TRUE(Matches("process.exited  source=runner", exit));
  EXPECT_TRUE(Matches("process.exited detail=/bo+m$/", exit));
  EXPECT_FALSE(Matches("process.exited detail=boom", exit));
  EXPECT_FALSE(Matches("process.exited process=v", exit));
  EXPECT_FALSE(Matches("process.ready", exit));
  EXPECT_FALSE(Matches("worker.stopped", exit));
}

TEST(EventPattern, ValuesMayHoldSpacesAndSlashes) {
  const LogEvent log{.what = "stderr", .process = "w", .line = "GET /health HTTP/1.1"};
  EXPECT_TRUE(Matches("log.stderr line=\"GET /health HTTP/1.1\" process=w", log));
  EXPECT_TRUE(Matches("log.stderr line=/GET \\/health/ process=w", log));
  EXPECT_FALSE(Matches("log.stderr line=/GET \\/ready/", log));
}

TEST(EventPattern, SaysWhatIsWrongWithIt) {
  const auto error = [](const std::string& text) { return EventPattern::Parse(text).status(); };
  EXPECT_THAT(error(""), StatusIs(StatusCode::kInvalidArgument, HasSubstr("an event is missing")));
  EXPECT_THAT(error("exited"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'exited' is no event")));
  EXPECT_THAT(error("proces.exited"),
              StatusIs(StatusCode::kInvalidArgument,
                       "unknown kind of event 'proces' (did you mean 'process'?)"));
  EXPECT_THAT(error("process.exitd"),
              StatusIs(StatusCode::kInvalidArgument,
                       "unknown process event 'exitd' (did you mean 'exited'?)"));
  EXPECT_THAT(error("process.exited proces=w"),
              StatusIs(StatusCode::kInvalidArgument,
                       "process events have no field 'proces' (did you mean 'process'?)"));
  EXPECT_THAT(error("process.exited w"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'w' is no field=value")));
  EXPECT_THAT(error("process.exited detail=/(/"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no regular expression")));
  EXPECT_THAT(error("process.exited detail=\"open"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("has an open \"")));
}

}  // namespace
}  // namespace squall::scenarios
