#include "fakes/server/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <vector>

#include "tests/support/harness_loop.h"
#include "tests/support/status_matchers.h"

namespace squall::fakes {
namespace {

using ::squall::testing::StatusIs;
using ::squall::testing::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsNull;
using ::testing::NotNull;
using ::testing::StartsWith;

std::optional<int> Parse(Program& program, std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "program");
  return program.Parse(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Program, GoesOnWithWhatItUnderstands) {
  Program program("squall-test");
  int answer = 0;
  program.options().add_option("--answer", answer);
  EXPECT_EQ(Parse(program, {"--answer", "42"}), std::nullopt);
  EXPECT_EQ(answer, 42);
  const auto journal = program.OpenJournal();
  ASSERT_OK(journal);
  EXPECT_THAT(*journal, IsNull());
  EXPECT_EQ(program.Finish(), 0);
}

TEST(Program, HelpEndsItWell) {
  Program program("squall-test");
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(Parse(program, {"--help"}), 0);
  EXPECT_THAT(::testing::internal::GetCapturedStdout(),
              AllOf(HasSubstr("--journal"), HasSubstr("--die-with-parent")));
}

TEST(Program, ComplainsOfWhatItDoesNotUnderstand) {
  Program program("squall-test");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(Parse(program, {"--no-such"}), kWrongUsage);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(StartsWith("squall-test: "), HasSubstr("--no-such"), HasSubstr("--help")));
}

TEST(Program, TellsAWrongOptionFromAFailedStart) {
  const Program program("squall-test");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(program.ComplainOfStart(Status(StatusCode::kInvalidArgument, "no")), kWrongUsage);
  EXPECT_EQ(program.ComplainOfStart(Status(StatusCode::kUnavailable, "port in use")),
            kCouldNotStart);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "squall-test: no\nsquall-test: port in use\n");
}

TEST(Program, OpensAJournalThatIsNew) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/events.jsonl";
  Program program("squall-test");
  EXPECT_EQ(Parse(program, {"--journal", path.c_str()}), std::nullopt);
  const auto journal = program.OpenJournal();
  ASSERT_OK(journal);
  EXPECT_THAT(*journal, NotNull());
  EXPECT_EQ(program.Finish(), 0);

  Program second("squall-test");
  EXPECT_EQ(Parse(second, {"--journal", path.c_str()}), std::nullopt);
  EXPECT_FALSE(second.OpenJournal().ok());
}

TEST(Program, PrintsTheReadyLine) {
  ::testing::internal::CaptureStdout();
  Program::PrintReady({.port = 40123, .address = "127.0.0.1:40123", .tls = true});
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            R"({"squall_event":"ready","port":40123,"address":"127.0.0.1:40123","pid":)" +
                std::to_string(::getpid()) + ",\"tls\":true}\n");
}

TEST(Program, MayHaveAsManyConnectionsAsItsStarterAllows) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{.rlim_cur = 64, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const Program program("squall-test");
  rlimit after{};
  EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST(Program, HearsASignalThatCameBeforeItWaited) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const Program program("squall-test");
    ::raise(signal);
    program.WaitForStop();
  }
}

TEST(ReadText, SaysWhatItCannotRead) {
  const TemporaryFolder folder;
  EXPECT_THAT(
      ReadText(folder.path() + "/none", "--tls-cert"),
      StatusIs(StatusCode::kInvalidArgument, "cannot read --tls-cert " + folder.path() + "/none"));
  EXPECT_THAT(ReadText("", "--tls-key"),
              StatusIs(StatusCode::kInvalidArgument, "cannot read --tls-key (not given)"));
  EXPECT_FALSE(ReadText(folder.path(), "--tls-cert").ok());
}

TEST(WriteText, KeepsASecretFromOthers) {
  const TemporaryFolder folder;
  const std::filesystem::path path = std::filesystem::path(folder.path()) / "key.pem";
  ASSERT_OK(WriteText(path, std::string("a\0b\n", 4), /*secret=*/true));
  const auto text = ReadText(path.string(), "key");
  ASSERT_OK(text);
  EXPECT_EQ(*text, std::string("a\0b\n", 4));
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_THAT(WriteText(path / "below", "x", /*secret=*/false),
              StatusIs(StatusCode::kUnavailable, StartsWith("cannot write ")));
}

}  // namespace
}  // namespace squall::fakes
