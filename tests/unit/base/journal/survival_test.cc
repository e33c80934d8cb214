// What was appended survives SIGKILL of the writer, and a full disk is reported without losing what
// is in memory. Both need a process that may be killed or limited, so these tests fork; the child
// runs nothing but the journal and ends with _exit, never through GoogleTest.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "base/journal/journal.h"
#include "tests/support/status_matchers.h"

namespace squall::journal {
namespace {

class SurvivalTest : public ::testing::Test {
 protected:
  SurvivalTest()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                ("squall-survival-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~SurvivalTest() override { std::filesystem::remove_all(folder_); }
  std::string Path() const { return folder_ / "journal.jsonl"; }

  std::filesystem::path folder_;
};

// Appends for ever and reports each event's number through the pipe after Append has returned.
[[noreturn]] void WriteUntilKilled(const std::string& path, int report) {
  const RealClock clock;
  auto journal = Journal::Create(clock, path);
  if (!journal.ok()) _exit(3);
  for (std::uint32_t n = 1;; ++n) {
    (*journal)->Append(
        "child", LogEvent{.what = "stdout", .process = "w", .line = std::string(n % 3000, 'x')});
    if (::write(report, &n, sizeof n) != sizeof n) _exit(4);
  }
}

TEST_F(SurvivalTest, SigkillLosesNothingThatWasAppended) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(fds[0]);
    WriteUntilKilled(Path(), fds[1]);
  }
  ::close(fds[1]);
  std::uint32_t acknowledged = 0;
  const auto read_one = [&] {
    std::uint32_t n = 0;
    if (::read(fds[0], &n, sizeof n) != sizeof n) return false;
    acknowledged = n;
    return true;
  };
  while (acknowledged < 500 && read_one()) {
  }
  ASSERT_EQ(::kill(child, SIGKILL), 0);  // in the middle of whatever it is doing
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "status " << status;
  while (read_one()) {
  }
  ::close(fds[0]);

  ASSERT_GE(acknowledged, 500u);
  const auto events = ReadFile(Path());
  ASSERT_OK(events);
  // At most the one event in flight is there beyond what was acknowledged.
  EXPECT_GE(events->size(), acknowledged);
  EXPECT_LE(events->size(), acknowledged + 1u);
  for (std::size_t i = 0; i < events->size(); ++i) {
    ASSERT_EQ((*events)[i].sequence, i + 1);
    ASSERT_EQ((*events)[i].As<LogEvent>()->line.size(), (i + 1) % 3000);
  }
}

// Exit codes of the child below.
enum : int {
  kOk = 0,
  kNotCreated = 3,
  kErrorTooEarly = 4,
  kNoError = 5,
  kMemoryLost = 6,
  kErrorForgotten = 7
};

int AppendBeyondTheLimit(const std::string& path) {
  const RealClock clock;
  auto journal = Journal::Create(clock, path);
  if (!journal.ok()) return kNotCreated;
  (*journal)->Append("child", LogEvent{.what = "stdout", .line = "fits"});
  if (!(*journal)->status().ok()) return kErrorTooEarly;
  (*journal)->Append("child", LogEvent{.what = "stdout", .line = std::string(8192, 'x')});
  if ((*journal)->status().ok()) return kNoError;
  const std::string first(Message((*journal)->status()));
  (*journal)->Append("child", LogEvent{.what = "stdout", .line = "after"});
  if ((*journal)->Events().size() != 3) return kMemoryLost;
  if (first != Message((*journal)->status())) return kErrorForgotten;
  return kOk;
}

TEST_F(SurvivalTest, AFullDiskIsReportedAndMemoryGoesOn) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);  // writes fail with EFBIG instead
    const rlimit limit{4096, 4096};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(9);
    _exit(AppendBeyondTheLimit(Path()));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), kOk);
  // What reached the disk is a journal with a torn last line: readable up to there.
  const auto events = ReadFile(Path());
  ASSERT_OK(events);
  ASSERT_EQ(events->size(), 1u);
  EXPECT_EQ(events->front().As<LogEvent>()->line, "fits");
}

}  // namespace
}  // namespace squall::journal
