// The console: golden texts at several widths, what a terminal gets beyond them, and what it must
// never get.

#include "reports/console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "reports/text_width.h"
#include "tests/unit/reports/sample.h"

namespace squall::reports {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string Told(const ConsoleOptions& options, const RunReport& run = SampleRun()) {
  std::string text;
  Console console(options, [&](std::string_view part) { text += part; });
  console.Begin(run);
  Duration now{};
  for (const SubjectReport& subject : run.subjects) {
    const std::string label = subject.Label() + "@" + subject.world;
    console.Started(label, now);
    now += subject.took;
    console.Tick(now);
    console.Finished(label, subject, now);
  }
  console.End(run);
  return text;
}

// With SQUALL_UPDATE_DOCS=1 the golden files are written instead; look at the difference before
// committing it.
class Golden : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Golden, IsToldAsBefore) {
  const char* source = std::getenv("SQUALL_SOURCE_DIR");
  const std::string path = std::string(source != nullptr ? source : ".") +
                           "/tests/unit/reports/golden/console-" + std::to_string(GetParam()) +
                           ".txt";
  const std::string told = Told({.width = GetParam()});
  if (const char* update = std::getenv("SQUALL_UPDATE_DOCS");
      update != nullptr && std::string_view(update) == "1") {
    std::ofstream(path, std::ios::binary) << told;
  }
  std::ifstream in(path, std::ios::binary);
  std::stringstream golden;
  golden << in.rdbuf();
  EXPECT_EQ(told, golden.str()) << path;
}

TEST_P(Golden, NoLineIsWiderThanTheTerminalButCommandsAndPaths) {
  std::istringstream lines(Told({.width = GetParam()}));
  for (std::string line; std::getline(lines, line);) {
    if (line.find("squall run ") != std::string::npos ||
        line.find("/work/squall-runs/") != std::string::npos)
      continue;
    EXPECT_LE(DisplayWidth(line), GetParam()) << line;
    EXPECT_THAT(line, Not(EndsWith(" ")));
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, Golden, ::testing::Values(60, 80, 100, 160));

TEST(Console, WithoutATerminalThereIsNoEscapeAndNoCarriageReturn) {
  const std::string told = Told({.width = 80});
  EXPECT_EQ(told.find('\033'), std::string::npos);
  EXPECT_EQ(told.find('\r'), std::string::npos);
}

TEST(Console, ColoursAreTheOnlyDifferenceTheyMake) {
  const std::string plain = Told({.width = 80});
  const std::string coloured = Told({.width = 80, .colour = true});
  std::string stripped;
  for (std::size_t i = 0; i < coloured.size(); ++i) {
    if (coloured[i] == '\033') {
      i = coloured.find('m', i);
      continue;
    }
    stripped += coloured[i];
  }
  EXPECT_EQ(stripped, plain);
  EXPECT_THAT(coloured, HasSubstr("\033[31;1mFAIL\033[0m"));
  EXPECT_THAT(coloured, HasSubstr("\033[32mCAUGHT\033[0m"));
}

TEST(Console, SubjectsCannotWriteEscapesToTheTerminal) {
  const std::string told = Told({.width = 80});
  EXPECT_THAT(told, HasSubstr("\\x1b[31mred\\x1b[0m"));
  EXPECT_THAT(told, HasSubstr("\\x01 controls"));
}

TEST(Console, ATerminalSeesWhatRuns) {
  std::vector<std::string> parts;
  Console console({.width = 50, .terminal = true},
                  [&](std::string_view part) { parts.emplace_back(part); });
  RunReport run = SampleRun();
  console.Begin(run);
  parts.clear();
  console.Started("E1/broken@fake", 0s);
  console.Started("R2/fixed@real", 1500ms);
  console.Tick(3500ms);
  EXPECT_EQ(parts.back(), "\r\033[K0/14 done, 3s  running: E1/broken@fake 3s, R2/...");
  EXPECT_LT(DisplayWidth(parts.back().substr(4)), 50u);
  parts.clear();
  console.Finished("E1/broken@fake", run.subjects[0], 4s);
  // The status line is erased before the subject's line is written, and drawn again below it.
  EXPECT_THAT(parts,
              ElementsAre("\r\033[K", StartsWith(" CAUGHT"),
                          StartsWith("\r\033[K1/14 done, 4s  running: R2/fixed@real 2s")));
  parts.clear();
  console.Finished("R2/fixed@real", run.subjects[1], 5s);
  EXPECT_THAT(parts, ElementsAre("\r\033[K", StartsWith("   PASS")));
  parts.clear();
  console.Tick(6s);
  EXPECT_THAT(parts, ElementsAre());
}

TEST(Console, WithoutATerminalTicksAreSilent) {
  std::string text;
  Console console({.width = 80}, [&](std::string_view part) { text += part; });
  console.Started("E1/broken@fake", 0s);
  console.Tick(1s);
  EXPECT_EQ(text, "");
}

TEST(Console, AnEmptyAbortedRunSaysSo) {
  RunReport run;
  run.version = "0.1.0";
  run.aborted = true;
  run.took = 20ms;
  EXPECT_THAT(Told({.width = 80}, run), HasSubstr("aborted: 0 subjects in 20.0ms: nothing ran\n"));
}

TEST(IncidentTable, OneRowPerScenarioInNaturalOrder) {
  EXPECT_THAT(
      IncidentTable(SampleRun(), 80),
      ElementsAre("incident                                          fake            real",
                  "A2        Graceful shutdown on SIGINT and SIG...  -      LEAK     -      -",
                  "A4        Connection refused                      -      FAIL     -      -",
                  "E1        Worker container that runs the HTTP...  caught green    caught green",
                  "I2        Twenty workflows back to back           -      -        -      skip",
                  "I3        Größe, 漢字, 🌩 and a line\\x0abreak      -      -        -      "
                  "UNKNOWN",
                  "R2        Server restart while running: the h...  MISSED FAIL     -      -",
                  "R10       Cut short                               -      UNKNOWN  -      -"));
}

TEST(IncidentTable, SeveralSubjectsOfAKindAreCounted) {
  RunReport run;
  run.worlds = {"fake"};
  for (const char* name : {"a", "b"})
    run.subjects.push_back(Sample("X1", name, "fake", "Title", 1s));
  run.subjects.push_back(Caught(Sample("X1", "c", "fake", "Title", 1s), "check"));
  EXPECT_EQ(IncidentTable(run, 80).at(1), "X1        Title  caught 2 green");
  run.subjects[1].skipped = "no python";
  EXPECT_EQ(IncidentTable(run, 80).at(1), "X1        Title  caught green");
  EXPECT_TRUE(IncidentTable(RunReport{}, 80).empty());
}

// The environment is this process's own; each case sets what it needs.
class ConsoleOptionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::pipe(fds_), 0);
    ::unsetenv("COLUMNS");
    ::unsetenv("NO_COLOR");
  }
  void TearDown() override {
    ::close(fds_[0]);
    ::close(fds_[1]);
    ::unsetenv("COLUMNS");
  }
  int fds_[2] = {-1, -1};
};

TEST_F(ConsoleOptionsTest, APipeIsNoTerminal) {
  const ConsoleOptions options = ConsoleOptionsFor(fds_[1]);
  EXPECT_FALSE(options.terminal);
  EXPECT_FALSE(options.colour);
  EXPECT_EQ(options.width, 100u);
}

TEST_F(ConsoleOptionsTest, ColumnsCountWhereThereIsNoTerminal) {
  ::setenv("COLUMNS", "72", 1);
  EXPECT_EQ(ConsoleOptionsFor(fds_[1]).width, 72u);
  ::setenv("COLUMNS", "wide", 1);
  EXPECT_EQ(ConsoleOptionsFor(fds_[1]).width, 100u);
}

}  // namespace
}  // namespace squall::reports
