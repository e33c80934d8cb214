// Events and their lines: every kind and every field goes to JSON and comes back the same; what is
// not in the vocabulary is refused.

#include "base/journal/event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/journal/journal.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/base/journal/payloads.h"

namespace squall::journal {
namespace {

using ::squall::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Event At(Payload payload) {
  return {.sequence = 18'446'744'073'709'551'615u,
          .time = SteadyTime(Duration(9'007'199'254'740'993)),  // more than a double holds exactly
          .wall = WallTime(Duration(1'772'323'445'000'000'007)),
          .source = "proxy:w->temporal",
          .payload = std::move(payload)};
}

class EveryKind : public ::testing::TestWithParam<std::size_t> {
 protected:
  Payload Empty() const { return OneOfEachKind().at(GetParam()); }
};

TEST_P(EveryKind, ComesBackWithEveryFieldAndEveryWord) {
  Payload payload = Empty();
  Fill(payload);
  std::set<std::string> values;
  for (const auto& [name, value] : FieldsOf(payload)) values.insert(name + value);
  ASSERT_EQ(values.size(), FieldsOf(payload).size());
  const Event first = At(payload);
  const Words words = WordsOf(first.kind());
  ASSERT_FALSE(words.empty());
  for (const std::string_view word : words) {
    std::visit([&](auto& p) { p.what = std::string(word); }, payload);
    const Event event = At(payload);
    const std::string line = ToJson(event);
    EXPECT_EQ(line.find('\n'), std::string::npos) << "one event is one line";
    const StatusOr<Event> back = FromJson(line);
    ASSERT_OK(back);
    EXPECT_EQ(back->sequence, event.sequence);
    EXPECT_EQ(back->time, event.time);
    EXPECT_EQ(back->wall, event.wall);
    EXPECT_EQ(back->source, event.source);
    EXPECT_EQ(back->kind(), event.kind());
    EXPECT_EQ(back->what(), word);
    EXPECT_EQ(back->payload.index(), event.payload.index());
    EXPECT_EQ(FieldsOf(back->payload), FieldsOf(event.payload));
    EXPECT_EQ(ToJson(*back), line);
  }
}

TEST_P(EveryKind, EmptyFieldsAreNotWrittenAndComeBackEmpty) {
  const Payload payload = Empty();
  const std::string line = ToJson(At(payload));
  EXPECT_EQ(nlohmann::json::parse(line).size(), 8u)
      << line;  // v, seq, t_ns, wall, wall_ns, source, kind, what
  const StatusOr<Event> back = FromJson(line);
  ASSERT_OK(back);
  EXPECT_EQ(FieldsOf(back->payload), FieldsOf(payload));
}

TEST_P(EveryKind, NoFieldHidesOneOfTheLinesOwnKeys) {
  Payload payload = Empty();
  Fill(payload);
  const std::size_t fields = FieldsOf(payload).size();
  EXPECT_EQ(nlohmann::json::parse(ToJson(At(payload))).size(), 8 + fields);
}

TEST_P(EveryKind, RefusesUnknownWords) {
  nlohmann::json line = nlohmann::json::parse(ToJson(At(Empty())));
  line["what"] = "exploded";
  const std::string kind = line["kind"];
  EXPECT_THAT(FromJson(line.dump()),
              StatusIs(StatusCode::kInvalidArgument, "unknown " + kind + " event 'exploded'"));
}

INSTANTIATE_TEST_SUITE_P(Journal, EveryKind,
                         ::testing::Range<std::size_t>(0, std::variant_size_v<Payload>),
                         [](const auto& kind) { return std::string(AllKinds()[kind.param]); });

TEST(Vocabulary, KindsAndWordsAreDistinct) {
  EXPECT_EQ(AllKinds().size(), std::variant_size_v<Payload>);
  std::set<std::string_view> kinds;
  for (const std::string_view kind : AllKinds()) {
    kinds.insert(kind);
    std::set<std::string_view> words(WordsOf(kind).begin(), WordsOf(kind).end());
    EXPECT_EQ(words.size(), WordsOf(kind).size()) << kind;
  }
  EXPECT_EQ(kinds.size(), AllKinds().size());
  EXPECT_TRUE(WordsOf("no such kind").empty());
}

TEST(Event, AsGivesThePayloadOfItsKindOnly) {
  const Event event = At(LogEvent{.what = "stderr", .process = "w", .line = "hello"});
  ASSERT_NE(event.As<LogEvent>(), nullptr);
  EXPECT_EQ(event.As<LogEvent>()->line, "hello");
  EXPECT_EQ(event.As<StepEvent>(), nullptr);
}

TEST(ToJson, OutputThatIsNotUtf8IsReplacedNotRefused) {
  const std::string line =
      ToJson(At(LogEvent{.what = "stdout", .process = "w", .line = "bad \xff byte"}));
  const StatusOr<Event> back = FromJson(line);
  ASSERT_OK(back);
  EXPECT_THAT(back->As<LogEvent>()->line,
              AllOf(HasSubstr("bad "), HasSubstr(" byte"), Not(HasSubstr("\xff"))));
}

TEST(FromJson, RefusesWhatIsNotALineOfThisSchema) {
  const std::string good = ToJson(At(LogEvent{.what = "stdout"}));
  ASSERT_OK(FromJson(good));
  const auto changed = [&](const std::string& key, const nlohmann::json& value) {
    nlohmann::json line = nlohmann::json::parse(good);
    line[key] = value;
    return FromJson(line.dump());
  };
  const auto without = [&](const std::string& key) {
    nlohmann::json line = nlohmann::json::parse(good);
    line.erase(key);
    return FromJson(line.dump());
  };
  EXPECT_THAT(changed("v", 2), StatusIs(StatusCode::kInvalidArgument,
                                        "journal schema version 2; this squall reads 1"));
  EXPECT_THAT(changed("kind", "weather"),
              StatusIs(StatusCode::kInvalidArgument, "unknown kind of event 'weather'"));
  for (const char* key : {"v", "seq", "t_ns", "wall_ns", "source", "kind", "what"}) {
    EXPECT_THAT(without(key), StatusIs(StatusCode::kInvalidArgument, HasSubstr(key)));
  }
  EXPECT_THAT(changed("line", 5),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a journal line")));
  for (const char* text : {"", "{", "[]", "null", "5", "\"text\"", "{\"v\":1}", "\xff\xfe"}) {
    EXPECT_THAT(FromJson(text),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a journal line")))
        << text;
  }
}

TEST(FromJson, UnknownFieldsOfANewerWriterAreIgnored) {
  nlohmann::json line = nlohmann::json::parse(ToJson(At(LogEvent{.what = "stdout", .line = "x"})));
  line["colour"] = "blue";
  const StatusOr<Event> back = FromJson(line.dump());
  ASSERT_OK(back);
  EXPECT_EQ(back->As<LogEvent>()->line, "x");
}

}  // namespace
}  // namespace squall::journal
