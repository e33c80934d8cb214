#include "base/wire/misbehaviour.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/wire/misbehaviour_script.h"
#include "tests/support/status_matchers.h"

namespace squall::wire {
namespace {

using ::squall::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using namespace std::chrono_literals;

std::vector<Rule> Read(std::string_view text) {
  auto rules = RulesFromJson(text);
  EXPECT_OK(rules);
  return rules.value_or(std::vector<Rule>());
}

std::string ErrorOf(std::string_view text) {
  const auto rules = RulesFromJson(text);
  EXPECT_THAT(rules, StatusIs(StatusCode::kInvalidArgument, ::testing::_));
  return std::string(Message(rules.status()));
}

TEST(MisbehaviourJson, ReadsARule) {
  const std::vector<Rule> rules = Read(R"({"rules": [{
      "id": "f1", "why": "E5",
      "match": {"method": ["Poll*", "GetSystemInfo"], "namespace": "orders", "task_queue": "q", "identity": "*@h",
                "number": "2-3", "connection": 1, "stream": "5-", "from": "1s", "until": "2.5m",
                "probability": 0.5, "times": 4},
      "do": {"status": {"code": "NOT_FOUND", "message": "m", "details": [{"type": "a.B", "fields": {"x": 1}}]}},
      "after": "250ms"}]})");
  ASSERT_THAT(rules, SizeIs(1));
  Rule expected;
  expected.id = "f1";
  expected.why = "E5";
  expected.match.methods = {"Poll*", "GetSystemInfo"};
  expected.match.ns = "orders";
  expected.match.task_queue = "q";
  expected.match.identity = "*@h";
  expected.match.numbers = Range{2, 3};
  expected.match.connections = Range{1, 1};
  expected.match.streams = Range{5, Range().last};
  expected.match.from = 1s;
  expected.match.until = 150s;
  expected.match.probability = 0.5;
  expected.match.times = 4;
  expected.effect = AnswerStatus{5, "m", {{"a.B", R"({"x":1})"}}};
  expected.after = 250ms;
  EXPECT_EQ(rules[0], expected);
}

TEST(MisbehaviourJson, TriggersFollowFromTheEffect) {
  const auto rules = Read(
      R"({"rules": [{"do": "half_open"}, {"do": "hang"}, {"do": "goaway", "match": {"method": "X"}},
                                        {"do": {"http_answer": {"version": "1.1"}}}, {"do": "reset", "on": "now"}]})");
  std::vector<Trigger> triggers;
  for (const Rule& rule : rules) triggers.push_back(rule.on);
  EXPECT_THAT(triggers, ElementsAre(Trigger::kConnection, Trigger::kCall, Trigger::kCall,
                                    Trigger::kConnection, Trigger::kNow));
}

TEST(MisbehaviourJson, EveryEffectComesBackAsItWas) {
  for (const std::string& name : EffectNames()) {
    std::string fields;
    if (name == "status") fields = R"({"code": "UNAVAILABLE", "message": "x"})";
    if (name == "delay") fields = R"({"by": "3s", "way": "answer"})";
    if (name == "hold") fields = R"({"gate": "g"})";
    if (name == "change_answer") fields = R"({"fields": {"capabilities": {"nexus": false}}})";
    if (name == "lose_answer") fields = R"({"how": "close_connection"})";
    if (name == "goaway")
      fields = R"({"error": "ENHANCE_YOUR_CALM", "last_stream": "none", "debug": "d"})";
    if (name == "settings") fields = R"({"max_concurrent_streams": 0, "max_frame_size": 20000})";
    const auto rules = Read(fmt::format(
        R"({{"rules": [{{"id": "a", "do": {}}}]}})",
        fields.empty() ? '"' + name + '"' : fmt::format(R"({{"{}": {}}})", name, fields)));
    ASSERT_THAT(rules, SizeIs(1)) << name;
    EXPECT_EQ(EffectName(rules[0].effect), name);
    EXPECT_EQ(Read(RulesToJson(rules)), rules) << RulesToJson(rules);
  }
}

TEST(MisbehaviourJson, ErrorsHaveAPlaceAndTheNearestName) {
  EXPECT_EQ(ErrorOf(R"({"rules": [{"do": "hang"}, {"match": {"metod": "X"}, "do": "hang"}]})"),
            "rules[1].match.metod: unknown key (did you mean 'method'?)");
  EXPECT_EQ(ErrorOf(R"({"rules": [{"do": "goawy"}]})"),
            "rules[0].do: there is no effect 'goawy' (did you mean 'goaway'?)");
  EXPECT_EQ(ErrorOf(R"({"rules": [{"do": {"status": {"code": "UNAVAILABEL"}}}]})"),
            "rules[0].do.status.code: \"UNAVAILABEL\" is no gRPC error code (did you mean "
            "'UNAVAILABLE'?)");
  EXPECT_EQ(ErrorOf(R"({"rules": [{"do": {"status": {}}}]})"),
            "rules[0].do.status: 'code' is missing");
  EXPECT_EQ(ErrorOf(R"({"rules": [{}]})"), "rules[0]: 'do' is missing");
  EXPECT_EQ(ErrorOf(R"({"rule": []})"), "'rules' is missing");
  EXPECT_EQ(ErrorOf(R"({"rules": [{"do": {"reset_stream": {"error": "CANCELED"}}}]})"),
            "rules[0].do.reset_stream.error: \"CANCELED\" is no HTTP/2 error code (did you mean "
            "'CANCEL'?)");
  EXPECT_EQ(ErrorOf(R"({"rules": [{"do": "hang", "after": 5}]})"),
            "rules[0].after: must be a time with its unit, like '250ms', '5s' or '1m', of "
            "a century at most");
  EXPECT_EQ(
      ErrorOf(R"({"rules": [{"do": {"empty": {"what": "mesage"}}}]})"),
      "rules[0].do.empty.what: 'mesage' is none of message, nothing (did you mean 'message'?)");
  EXPECT_EQ(ErrorOf(R"({"rules": [{"do": "hang", "match": {"number": "0-2"}}]})"),
            "rules[0].match.number: must be like 3, '2-5', '4-' or '-5', from 1");
  EXPECT_EQ(ErrorOf(R"({"rules": [{"do": "hang", "on": "connection"}]})"),
            "rules[0].on: 'hang' happens to calls, not to connections");
  EXPECT_EQ(ErrorOf(R"({"rules": [{"do": "close", "on": "now", "match": {"method": "X"}}]})"),
            "rules[0].match: names calls, but the rule is set off by connections");
  EXPECT_EQ(ErrorOf(R"({"rules": [{"id": "a", "do": "hang"}, {"id": "a", "do": "hang"}]})"),
            "rules[1].id: 'a' is taken by rules[0]");
  EXPECT_EQ(ErrorOf(R"({"rules": [{"do": "hang", "match": {"from": "2s", "until": "1s"}}]})"),
            "rules[0].match: 'until' is not behind 'from'");
  EXPECT_THAT(ErrorOf("{\"rules\": [\n}"), HasSubstr("line 2, column 1"));
}

TEST(MisbehaviourJson, TimesAreNumbersWithAUnitUpToACentury) {
  for (const char* time : {"5", "5 s", "-1s", "nans", "infs", "5parsecs", "1000000h", "1e300h"}) {
    EXPECT_THAT(
        ErrorOf(fmt::format(R"({{"rules": [{{"do": {{"delay": {{"by": "{}"}}}}}}]}})", time)),
        HasSubstr("must be a time with its unit"))
        << time;
  }
}

TEST(MisbehaviourJson, StarsStandForAnything) {
  EXPECT_TRUE(Agrees("", "x"));
  EXPECT_TRUE(Agrees("Poll*", "PollActivityTaskQueue"));
  EXPECT_TRUE(Agrees("*Task*", "PollActivityTaskQueue"));
  EXPECT_TRUE(Agrees("a*b*c", "aXbbYc"));
  EXPECT_FALSE(Agrees("Poll*", "RespondPoll"));
  EXPECT_FALSE(Agrees("a*b*c", "aXbYcd"));
  EXPECT_FALSE(Agrees("x", ""));
}

// --- Decisions
// ------------------------------------------------------------------------------------------------------

class ScriptTest : public ::testing::Test {
 protected:
  ScriptTest() {
    MessageTools tools;
    tools.describe = [](CallFacts&, const std::string&) {};
    tools.methods = [] { return std::vector<std::string>{"A", "B"}; };
    script.emplace(MisbehaviourScript::Options{.seed = 3, .tools = tools, .on_hit = nullptr});
  }
  Status Set(std::string_view text, Duration at = {}) {
    return script->Set(SteadyTime(at), Read(text)).status();
  }
  // The rule that meets a call of A in namespace "n" on connection 1.
  std::string Call(Duration at = {}, const std::string& method = "A", StreamId stream = 1,
                   std::uint64_t connection = 1) {
    CallFacts facts;
    facts.method = method;
    facts.ns = "n";
    const RulePtr rule =
        script->OnCall(SteadyTime(at), {.connection = connection, .listener = "l"}, stream, facts);
    return rule == nullptr ? "" : rule->rule.id;
  }
  std::optional<MisbehaviourScript> script;
};

TEST_F(ScriptTest, NumbersCountWhatAgrees) {
  ASSERT_OK(
      Set(R"({"rules": [{"id": "r", "match": {"method": "A", "number": "2-3"}, "do": "hang"}]})"));
  std::vector<std::string> met;
  for (const char* method : {"A", "B", "A", "A", "A"}) met.push_back(Call({}, method));
  EXPECT_THAT(met, ElementsAre("", "", "r", "r", ""));
  const auto list = script->List();
  EXPECT_EQ(list[0].matched, 4u);
  EXPECT_EQ(list[0].chosen, 2u);
}

TEST_F(ScriptTest, TheFirstDecidesAndTheOthersCount) {
  ASSERT_OK(Set(R"({"rules": [{"id": "third", "match": {"number": 3}, "do": "hang"}]})"));
  ASSERT_OK(Set(R"({"rules": [{"id": "early", "match": {"times": 2}, "do": "hang"}]})"));
  EXPECT_THAT((std::vector{Call(), Call(), Call(), Call()}),
              ElementsAre("early", "early", "third", ""));
}

TEST_F(ScriptTest, EveryFieldHasToAgree) {
  ASSERT_OK(Set(R"({"rules": [
      {"id": "other-ns", "match": {"namespace": "m"}, "do": "hang"},
      {"id": "stream", "match": {"stream": 3, "connection": 2}, "do": "hang"},
      {"id": "listener", "match": {"listener": "tls*"}, "do": "hang"}]})"));
  EXPECT_EQ(Call({}, "A", 3, 1), "");
  EXPECT_EQ(Call({}, "A", 3, 2), "stream");
  EXPECT_EQ(Call({}, "A", 5, 2), "");
}

TEST_F(ScriptTest, WindowsBeginWhenTheRuleIsSet) {
  ASSERT_OK(Set(R"({"rules": [{"id": "r", "match": {"from": "1s", "until": "3s"}, "do": "hang"}]})",
                10s));
  EXPECT_EQ(Call(10s), "");
  EXPECT_EQ(Call(11s), "r");
  EXPECT_EQ(Call(12999ms), "r");
  EXPECT_EQ(Call(13s), "");
}

TEST_F(ScriptTest, ChanceComesFromTheSeed) {
  ASSERT_OK(Set(R"({"rules": [{"id": "r", "match": {"probability": 0.3}, "do": "hang"}]})"));
  std::string first;
  for (int i = 0; i < 1000; ++i) first += Call().empty() ? '.' : 'x';
  EXPECT_NEAR(static_cast<double>(std::count(first.begin(), first.end(), 'x')), 300, 60);
  script->LiftAll({});
  ASSERT_OK(Set(R"({"rules": [{"id": "r", "match": {"probability": 0.3}, "do": "hang"}]})"));
  std::string second;
  for (int i = 0; i < 1000; ++i) second += Call().empty() ? '.' : 'x';
  EXPECT_EQ(first, second);
}

TEST_F(ScriptTest, SettingRefusesWhatCannotWork) {
  EXPECT_THAT(Set(R"({"rules": [{"do": "hang"}, {"match": {"method": "C"}, "do": "hang"}]})"),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("rules[1].match.method: no RPC is called 'C'")));
  EXPECT_FALSE(script->active()) << "all or none";
  EXPECT_THAT(Set(R"({"rules": [{"do": {"change_answer": {"fields": {"a": 1}}}}]})"),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("rules[0].do: nothing here can change messages")));
  ASSERT_OK(Set(R"({"rules": [{"id": "a", "do": "hang"}]})"));
  EXPECT_THAT(Set(R"({"rules": [{"id": "a", "do": "hang"}]})"),
              StatusIs(StatusCode::kAlreadyExists, HasSubstr("'a'")));
  MisbehaviourScript blind({});
  EXPECT_THAT(blind.Set({}, Read(R"({"rules": [{"match": {"namespace": "n"}, "do": "hang"}]})")),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("inside messages")));
}

TEST_F(ScriptTest, IdsAreGivenAndLifted) {
  const auto ids =
      script->Set({}, Read(R"({"rules": [{"do": "hang"}, {"id": "x", "do": "hang"}]})"));
  ASSERT_OK(ids);
  EXPECT_THAT(*ids, ElementsAre("rule-1", "x"));
  EXPECT_TRUE(script->Lift({}, "rule-1"));
  EXPECT_FALSE(script->Lift({}, "rule-1"));
  EXPECT_EQ(Call(), "x");
}

TEST_F(ScriptTest, GatesLetGoInOrder) {
  ASSERT_OK(Set(R"({"rules": [{"id": "r", "do": {"hold": {"gate": "g"}}}]})"));
  CallFacts facts;
  const RulePtr rule = script->OnCall({}, {}, 1, facts);
  std::vector<int> went;
  for (int i = 1; i <= 4; ++i)
    script->Wait("g", rule, [&went, i](SteadyTime) { went.push_back(i); });
  EXPECT_THAT(script->Gates(), ElementsAre(::testing::Pair("g", 4u)));
  EXPECT_EQ(script->Release({}, "other"), 0u);
  EXPECT_EQ(script->Release({}, "g", 1), 1u);
  EXPECT_THAT(went, ElementsAre(1));
  EXPECT_EQ(script->Release({}, "g", 2), 2u);
  script->Lift({}, "r");
  EXPECT_THAT(went, ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(script->Gates().empty());
}

// Every example of the documentation is read, and no effect is without one.
TEST(MisbehaviourDocs, ExamplesAreRead) {
  const char* root = std::getenv("SQUALL_SOURCE_DIR");
  std::ifstream file(std::string(root != nullptr ? root : ".") + "/docs/misbehaviour.md");
  ASSERT_TRUE(file) << "docs/misbehaviour.md";
  std::ostringstream buffer;
  buffer << file.rdbuf();
  const std::string text = buffer.str();
  std::vector<std::string> seen;
  std::size_t examples = 0;
  for (std::size_t at = 0; (at = text.find("```json\n", at)) != std::string::npos;) {
    at += 8;
    const std::size_t end = text.find("```", at);
    const std::string example = text.substr(at, end - at);
    at = end;
    const auto rules = RulesFromJson(example);
    ASSERT_OK(rules) << example;
    ++examples;
    for (const Rule& rule : *rules) seen.emplace_back(EffectName(rule.effect));
  }
  EXPECT_GE(examples, 3u);
  for (const std::string& name : EffectNames()) EXPECT_THAT(seen, ::testing::Contains(name));
}

}  // namespace
}  // namespace squall::wire
