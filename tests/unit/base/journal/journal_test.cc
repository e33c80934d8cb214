// The journal in memory and on disk: stamps, order, observers, threads, and files that were cut
// short.

#include "base/journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/status_matchers.h"

namespace squall::journal {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

LogEvent Line(std::string text) {
  return {.what = "stdout", .process = "w", .line = std::move(text)};
}

std::vector<std::string> LinesOf(const std::vector<Event>& events) {
  std::vector<std::string> lines;
  for (const Event& event : events) lines.push_back(event.As<LogEvent>()->line);
  return lines;
}

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() : folder_(std::filesystem::path(::testing::TempDir()) / UniqueName()) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~JournalTest() override { std::filesystem::remove_all(folder_); }

  static std::string UniqueName() {
    return std::string("squall-journal-") +
           ::testing::UnitTest::GetInstance()->current_test_info()->name() + "-" +
           std::to_string(::getpid());
  }
  std::string Path() const { return folder_ / "journal.jsonl"; }
  void WriteRaw(std::string_view text) {
    std::ofstream(Path(), std::ios::binary | std::ios::app) << text;
  }

  std::filesystem::path folder_;
  ManualClock clock_;
};

TEST_F(JournalTest, StampsSequenceTimeSinceCreationAndWall) {
  clock_.Advance(1h);
  Journal journal(clock_);
  EXPECT_EQ(journal.origin(), SteadyTime(1h));
  clock_.Advance(5ms);
  journal.Append("runner", Line("a"));
  clock_.Advance(5ms);
  journal.Append("worker:w", Line("b"));
  const std::vector<Event> events = journal.Events();
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[0].sequence, 1u);
  EXPECT_EQ(events[0].time, SteadyTime(5ms));
  EXPECT_EQ(events[0].source, "runner");
  EXPECT_EQ(events[1].sequence, 2u);
  EXPECT_EQ(events[1].time, SteadyTime(10ms));
  EXPECT_EQ(events[1].wall, clock_.WallNow());
  EXPECT_EQ(events[1].source, "worker:w");
}

TEST_F(JournalTest, AFileHoldsWhatMemoryHolds) {
  auto journal = Journal::Create(clock_, Path());
  ASSERT_OK(journal);
  (*journal)->Append("runner", Line("a"));
  (*journal)->Append("runner", Line("line\nbreak"));
  // Read while it is still open: every event is on disk once Append has returned.
  const auto events = ReadFile(Path());
  ASSERT_OK(events);
  EXPECT_THAT(LinesOf(*events), ElementsAre("a", "line\nbreak"));
  EXPECT_OK((*journal)->status());
}

TEST_F(JournalTest, RefusesToWriteOverAnotherRunsJournal) {
  WriteRaw("precious\n");
  EXPECT_THAT(Journal::Create(clock_, Path()),
              StatusIs(StatusCode::kUnavailable, HasSubstr(Path())));
  EXPECT_THAT(Journal::Create(clock_, Path() + "/no/such/folder/j"),
              StatusIs(StatusCode::kUnavailable, HasSubstr("create journal")));
  std::ifstream in(Path());
  std::string text;
  std::getline(in, text);
  EXPECT_EQ(text, "precious");
}

TEST_F(JournalTest, TheObserverSeesEveryEventInOrder) {
  Journal journal(clock_);
  std::vector<std::uint64_t> seen;
  journal.SetObserver([&](const Event& event) { seen.push_back(event.sequence); });
  for (int i = 0; i < 3; ++i) journal.Append("runner", Line("x"));
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
}

TEST_F(JournalTest, ThreadsNeverTearALineOrLeaveAGap) {
  const RealClock clock;
  auto journal = Journal::Create(clock, Path());
  ASSERT_OK(journal);
  constexpr int kThreads = 4;
  constexpr int kEach = 250;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        (*journal)->Append("t" + std::to_string(t),
                           Line(std::string(static_cast<std::size_t>(i), 'x')));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto events = ReadFile(Path());
  ASSERT_OK(events);
  ASSERT_THAT(*events, SizeIs(kThreads * kEach));
  std::map<std::string, std::size_t> next;
  SteadyTime last{};
  for (std::size_t i = 0; i < events->size(); ++i) {
    const Event& event = (*events)[i];
    EXPECT_EQ(event.sequence, i + 1);
    EXPECT_GE(event.time, last) << "time never goes back";
    last = event.time;
    EXPECT_EQ(event.As<LogEvent>()->line.size(), next[event.source]++)
        << "each thread's own order is kept";
  }
}

TEST_F(JournalTest, ATornLastLineIsDropped) {
  const std::string whole =
      ToJson({.sequence = 1, .source = "runner", .payload = Line("whole")}) + "\n";
  const std::string cut = ToJson({.sequence = 2, .source = "runner", .payload = Line("cut")});
  for (std::size_t length = 1; length < cut.size(); ++length) {
    std::filesystem::remove(Path());
    WriteRaw(whole + cut.substr(0, length));
    const auto events = ReadFile(Path());
    ASSERT_OK(events) << length;
    EXPECT_THAT(LinesOf(*events), ElementsAre("whole")) << length;
  }
}

TEST_F(JournalTest, ALastLineThatLacksOnlyItsBreakIsKept) {
  WriteRaw(ToJson({.sequence = 1, .source = "runner", .payload = Line("whole")}));
  const auto events = ReadFile(Path());
  ASSERT_OK(events);
  EXPECT_THAT(LinesOf(*events), ElementsAre("whole"));
}

TEST_F(JournalTest, AnyOtherBadLineIsAnErrorWithItsNumber) {
  const std::string good = ToJson({.sequence = 1, .source = "runner", .payload = Line("x")}) + "\n";
  WriteRaw(good + "{\"v\":1,\n" + good);
  EXPECT_THAT(ReadFile(Path()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr(Path() + ":2: not a journal line")));
}

TEST_F(JournalTest, ABadLastLineWithABreakIsAnErrorToo) {
  WriteRaw(ToJson({.sequence = 1, .source = "runner", .payload = Line("x")}) + "\ngarbage\n");
  EXPECT_THAT(ReadFile(Path()), StatusIs(StatusCode::kInvalidArgument, HasSubstr(":2: ")));
}

TEST_F(JournalTest, AnEmptyFileIsAnEmptyJournalAndAMissingOneAnError) {
  EXPECT_THAT(ReadFile(Path()), StatusIs(StatusCode::kNotFound, HasSubstr(Path())));
  WriteRaw("");
  const auto events = ReadFile(Path());
  ASSERT_OK(events);
  EXPECT_THAT(*events, SizeIs(0));
}

TEST_F(JournalTest, AWordThatIsNotInTheVocabularyStopsTheProgram) {
  Journal journal(clock_);
  EXPECT_DEATH(journal.Append("runner", LogEvent{.what = "stdoot"}), "no such log event: 'stdoot'");
}

}  // namespace
}  // namespace squall::journal
