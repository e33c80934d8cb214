#include "harness/process/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "harness/net/port.h"
#include "harness/process/pidfd.h"
#include "tests/support/harness_loop.h"
#include "tests/support/status_matchers.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::squall::testing::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// True when the process is dead (or unknown) within the limit; waits on the process itself.
bool Dead(std::int64_t pid, Duration limit = 2s) {
  const int fd = OpenPidfd(pid);
  if (fd < 0) return true;
  pollfd wait{fd, POLLIN, 0};
  const int events =
      ::poll(&wait, 1,
             static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(Scaled(limit)).count()));
  ::close(fd);
  return events == 1;
}

class ProcessTest : public ::squall::testing::HarnessLoop {
 protected:
  ChildOptions Shell(std::string script) {
    return {.name = "w",
            .role = "worker",
            .argv = {"sh", "-c", std::move(script)},
            .stop_grace = 10s,
            .on_line = [this](Stream, std::string_view line) { lines_.emplace_back(line); }};
  }
  // Starts it and waits for readiness or failure.
  Status Begin(ChildProcess& child) {
    std::optional<Status> result;
    child.Start([&](Status status) { result = std::move(status); });
    Await([&] { return result.has_value(); }, "the start");
    return result.value_or(absl::InternalError("no answer"));
  }
  ProcessExit End(ChildProcess& child) {
    std::optional<ProcessExit> result;
    child.AwaitExit([&](const ProcessExit& exit) { result = exit; });
    Await([&] { return result.has_value(); }, "the exit");
    return result.value_or(ProcessExit{});
  }
  ProcessExit Run(ChildOptions options) {
    ChildProcess child(executor_, journal_, std::move(options));
    EXPECT_OK(Begin(child));
    return End(child);
  }

  std::vector<std::string> lines_;
};

TEST_F(ProcessTest, ExitCodeAndReasonAreKnown) {
  const ProcessExit exit = Run(Shell("echo bye; exit 3"));
  EXPECT_EQ(exit.code, 3);
  EXPECT_EQ(exit.signal, std::nullopt);
  EXPECT_EQ(exit.reason, "unexpected");
  EXPECT_EQ(exit.Describe(), "exited with code 3");
  EXPECT_THAT(exit.last_lines, ElementsAre("bye"));
  const auto exited = Events<journal::ProcessEvent>("exited");
  ASSERT_EQ(exited.size(), 1u);
  EXPECT_EQ(exited[0].exit_code, 3);
  EXPECT_EQ(exited[0].role, "worker");
  EXPECT_GT(exited[0].pid, 0);
  EXPECT_EQ(Count<journal::ProcessEvent>("starting"), 1u);
}

TEST_F(ProcessTest, DeathBySignalIsKnownAndSomebodyElsesKillIsNamed) {
  const ProcessExit exit = Run(Shell("kill -9 $$"));
  EXPECT_EQ(exit.code, std::nullopt);
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_THAT(exit.Describe(), HasSubstr("squall did not send"));
}

TEST_F(ProcessTest, KillAndStopHaveTheirReasons) {
  ChildProcess child(executor_, journal_, Shell("sleep 1000"));
  ASSERT_OK(Begin(child));
  child.Kill(Intent::kInjected, nullptr);
  EXPECT_EQ(End(child).reason, "injected");
  ASSERT_OK(Begin(child));
  child.Stop(Intent::kAsked, nullptr);
  const ProcessExit exit = End(child);
  EXPECT_EQ(exit.signal, SIGTERM);
  EXPECT_EQ(exit.reason, "asked");
  EXPECT_EQ(child.starts(), 2);
}

TEST_F(ProcessTest, StopOfOneThatDoesNotRunCallsBack) {
  ChildProcess child(executor_, journal_, Shell("exit 0"));
  bool stopped = false;
  child.Stop(Intent::kAsked,
             [&](const ProcessExit& exit) { stopped = exit.Describe() == "did not run"; });
  Await([&] { return stopped; }, "the answer");
}

TEST_F(ProcessTest, AProcessThatIgnoresTheStopSignalIsKilledAfterTheGrace) {
  ChildOptions options = Shell("trap '' TERM; echo up; while :; do sleep 1000 & wait; done");
  options.ready.line = [](Stream, std::string_view line) { return line == "up"; };
  options.stop_grace = 50ms;
  ChildProcess child(executor_, journal_, std::move(options));
  ASSERT_OK(Begin(child));
  child.Stop(Intent::kAsked, nullptr);
  const ProcessExit exit = End(child);
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_EQ(exit.reason, "asked");
  const auto signals = Events<journal::ProcessEvent>("signalled");
  ASSERT_EQ(signals.size(), 2u);
  EXPECT_EQ(signals[0].signal, SIGTERM);
  EXPECT_EQ(signals[1].signal, SIGKILL);
  EXPECT_THAT(signals[1].detail, HasSubstr("after it was asked to stop"));
}

TEST_F(ProcessTest, ReadyByALineOfOutput) {
  ChildOptions options = Shell("echo loading; echo serving >&2; sleep 1000");
  options.ready.line = [](Stream stream, std::string_view line) {
    return stream == Stream::kStderr && line == "serving";
  };
  ChildProcess child(executor_, journal_, std::move(options));
  ASSERT_OK(Begin(child));
  EXPECT_EQ(child.state(), ChildProcess::State::kReady);
  EXPECT_EQ(Count<journal::ProcessEvent>("ready"), 1u);
}

TEST_F(ProcessTest, DeathWhileStartingIsToldAtOnceWithCodeAndOutput) {
  ChildOptions options = Shell("echo cannot bind >&2; exit 7");
  options.ready = {.line = [](Stream, std::string_view) { return false; }, .limit = 1h};
  ChildProcess child(executor_, journal_, std::move(options));
  EXPECT_THAT(Begin(child), StatusIs(StatusCode::kFailedPrecondition,
                                     AllOf(HasSubstr("code 7"), HasSubstr("cannot bind"))));
  EXPECT_EQ(Count<journal::ProcessEvent>("ready"), 0u);
}

TEST_F(ProcessTest, MissingEvidenceIsNamedAndTheProcessLeftAlive) {
  ChildOptions options = Shell("echo nearly; sleep 1000");
  options.ready = {.line = [](Stream, std::string_view line) { return line == "serving"; },
                   .limit = 100ms};
  ChildProcess child(executor_, journal_, std::move(options));
  EXPECT_THAT(Begin(child),
              StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("the line of output")));
  EXPECT_TRUE(child.alive());
}

TEST_F(ProcessTest, ReadyByPortOnALeaseThatIsStillHeldAndAgainAfterARestart) {
  StatusOr<PortLease> lease = PortLease::Take();
  ASSERT_OK(lease);
  ChildProcess child(
      executor_, journal_,
      {.name = "s",
       .role = "server",
       .argv = {std::getenv("SQUALL_TEST_CHILD"), "listen", std::to_string(lease->port())},
       .ready = {.tcp_port = lease->port()}});
  for (int life = 1; life <= 3; ++life) {
    ASSERT_OK(Begin(child)) << "life " << life;
    child.Kill(Intent::kInjected, nullptr);
    EXPECT_EQ(End(child).signal, SIGKILL);
  }
}

TEST_F(ProcessTest, AProbeIsAskedUntilItIsOk) {
  ChildOptions options = Shell("sleep 1000");
  int asked = 0;
  options.ready = {
      .probe =
          [&](std::function<void(Status)> answer) {
            executor_.Post([&asked, answer] {
              answer(++asked < 3 ? absl::UnavailableError("not yet") : absl::OkStatus());
            });
          },
      .probe_pause = 1ms};
  ChildProcess child(executor_, journal_, std::move(options));
  ASSERT_OK(Begin(child));
  EXPECT_EQ(asked, 3);
}

TEST_F(ProcessTest, StoppedWhileStartingIsCancelled) {
  ChildOptions options = Shell("sleep 1000");
  options.ready.line = [](Stream, std::string_view) { return false; };
  ChildProcess child(executor_, journal_, std::move(options));
  std::optional<Status> result;
  child.Start([&](Status status) { result = std::move(status); });
  child.Stop(Intent::kAsked, nullptr);
  Await([&] { return result.has_value(); }, "the start's end");
  EXPECT_THAT(*result, StatusIs(StatusCode::kCancelled, HasSubstr("SIGTERM")));
}

TEST_F(ProcessTest, ProgramsAndFoldersThatAreMissingAreNamed) {
  ChildProcess missing(executor_, journal_, {.name = "x", .argv = {"no-such-program-of-squall"}});
  EXPECT_THAT(Begin(missing),
              StatusIs(StatusCode::kNotFound, HasSubstr("no-such-program-of-squall")));
  EXPECT_EQ(Count<journal::ProcessEvent>("start_failed"), 1u);
  ChildProcess homeless(executor_, journal_,
                        {.name = "y", .argv = {"true"}, .working_directory = "/no/such/folder"});
  EXPECT_THAT(Begin(homeless), StatusIs(StatusCode::kNotFound, HasSubstr("/no/such/folder")));
  TemporaryFolder folder;
  const std::string script = folder.path() + "/script";
  std::ofstream(script) << "#!/no/such/interpreter\n";
  ASSERT_EQ(::chmod(script.c_str(), 0755), 0);
  ChildProcess unrunnable(executor_, journal_, {.name = "z", .argv = {script}});
  EXPECT_THAT(Begin(unrunnable), StatusIs(StatusCode::kNotFound, HasSubstr("No such file")));
  // Nothing that failed to start is left as a zombie.
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST_F(ProcessTest, SignalsAreDefaultAndUnblockedThoughTheParentIgnoresAndBlocksThem) {
  // POSIX: a shell cannot trap a signal that was ignored when it started.
  const auto old_int = ::signal(SIGINT, SIG_IGN);
  const auto old_chld = ::signal(SIGPIPE, SIG_IGN);
  sigset_t block, before;
  ::sigemptyset(&block);
  ::sigaddset(&block, SIGINT);
  ::sigaddset(&block, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &block, &before);
  ChildOptions options = Shell("trap 'exit 42' INT; echo up; sleep 1000 & wait");
  options.ready.line = [](Stream, std::string_view line) { return line == "up"; };
  ChildProcess child(executor_, journal_, std::move(options));
  const Status ready = Begin(child);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGINT, old_int);
  ::signal(SIGPIPE, old_chld);
  ASSERT_OK(ready);
  child.StopWith(SIGINT, 10s, Intent::kInjected, nullptr);
  const ProcessExit exit = End(child);
  EXPECT_EQ(exit.code, 42);
  EXPECT_EQ(exit.reason, "injected");
}

TEST_F(ProcessTest, TheLastLineNeedsNoLineBreakAndCarriageReturnsGo) {
  Run(Shell("printf 'one\\r\\n\\ntwo'"));
  EXPECT_THAT(lines_, ElementsAre("one", "", "two"));
  EXPECT_EQ(Count<journal::LogEvent>("stdout"), 3u);
}

TEST_F(ProcessTest, HugeOutputIsDeliveredWholeInBoundedPieces) {
  ChildOptions options = Shell("head -c 5000000 /dev/zero | tr '\\0' x; echo; seq 1 50000");
  std::size_t bytes = 0, longest = 0, count = 0;
  std::string last;
  options.on_line = [&](Stream, std::string_view line) {
    bytes += line.size();
    longest = std::max(longest, line.size());
    last = line;
    ++count;
  };
  options.journal_lines_max = 100;
  TemporaryFolder folder;
  options.log_directory = folder.path();
  options.log_bytes_max = 1000000;
  Run(std::move(options));
  EXPECT_EQ(bytes, 5000000u + 238894u);  // the digits of 1 to 50000
  EXPECT_EQ(longest, 16u * 1024);
  EXPECT_EQ(last, "50000");
  EXPECT_EQ(Count<journal::LogEvent>("stdout"), 101u);
  const std::string log = ReadText(folder.path() + "/w.stdout.log");
  EXPECT_THAT(log.substr(log.size() - 40), HasSubstr("output is cut here"));
  EXPECT_LT(log.size(), 1100000u);
}

TEST_F(ProcessTest, LogFilesKeepAllLives) {
  TemporaryFolder folder;
  ChildOptions options = Shell("echo out; echo err >&2");
  options.log_directory = folder.path();
  ChildProcess child(executor_, journal_, std::move(options));
  ASSERT_OK(Begin(child));
  End(child);
  ASSERT_OK(Begin(child));
  End(child);
  EXPECT_EQ(ReadText(folder.path() + "/w.stdout.log"), "out\nout\n");
  EXPECT_EQ(ReadText(folder.path() + "/w.stderr.log"), "err\nerr\n");
}

TEST_F(ProcessTest, EnvironmentAndFolderAreAsAsked) {
  ::setenv("SQUALL_TEST_INHERITED", "yes", 1);
  TemporaryFolder folder;
  ChildOptions options =
      Shell("echo \"$SQUALL_TEST_INHERITED|$SQUALL_TEST_SET|${PATH:+path}|$(pwd -P)\"");
  options.environment = {{"SQUALL_TEST_SET", "a b"}, {"SQUALL_TEST_INHERITED", std::nullopt}};
  options.working_directory = std::filesystem::canonical(folder.path());
  Run(options);
  options.environment.erase("SQUALL_TEST_INHERITED");
  Run(options);
  options.clean_environment = true;
  Run(options);
  ::unsetenv("SQUALL_TEST_INHERITED");
  const std::string here = std::filesystem::canonical(folder.path());
  EXPECT_THAT(lines_,
              ElementsAre("|a b|path|" + here, "yes|a b|path|" + here, "|a b|path|" + here));
}

TEST_F(ProcessTest, NothingButTheThreeStreamsIsInheritedAndStdinIsEmpty) {
  const int leaky = ::open("/dev/null", O_RDONLY);  // no O_CLOEXEC
  Run(Shell("cat; exec ls /proc/self/fd"));
  ::close(leaky);
  EXPECT_THAT(lines_, ElementsAre("0", "1", "2", "3"));  // 3: the folder that ls reads
}

TEST_F(ProcessTest, TheRestOfTheGroupDiesWithItsLeaderAndItsOpenPipeDelaysNothing) {
  const ProcessExit exit = Run(Shell("sleep 1000 & echo $!; exit 0"));
  EXPECT_EQ(exit.code, 0);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_TRUE(Dead(std::stoll(lines_[0])));
}

TEST_F(ProcessTest, PauseStopsTheWholeGroupAndResumeContinuesIt) {
  ChildOptions options =
      Shell("sh -c 'echo up; read line < /dev/null; while :; do sleep 1000; done'; exit 0");
  options.ready.line = [](Stream, std::string_view line) { return line == "up"; };
  ChildProcess child(executor_, journal_, std::move(options));
  ASSERT_OK(Begin(child));
  ASSERT_OK(child.Pause());
  ASSERT_OK(child.Pause());
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WSTOPPED), 0);
  EXPECT_EQ(info.si_status, SIGSTOP);
  EXPECT_EQ(child.state(), ChildProcess::State::kPaused);
  ASSERT_OK(child.Resume());
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WCONTINUED), 0);
  EXPECT_EQ(child.state(), ChildProcess::State::kReady);
  EXPECT_EQ(Count<journal::ProcessEvent>("paused"), 1u);
  EXPECT_EQ(Count<journal::ProcessEvent>("resumed"), 1u);
}

// Four busy processes on few processors: when Pause has returned none of them writes any more.
TEST_F(ProcessTest, WhatIsPausedDoesNothingAnyMore) {
  ChildOptions options =
      Shell("for i in 1 2 3; do (while :; do echo x; done) & done; while :; do echo x; done");
  options.journal_lines = false;
  ChildProcess child(executor_, journal_, std::move(options));
  ASSERT_OK(Begin(child));
  for (int round = 0; round < 20; ++round) {
    lines_.clear();
    Await([&] { return lines_.size() > 100; }, "output");
    ASSERT_OK(child.Pause());
    Settle();  // reads what was written before
    Settle();
    lines_.clear();
    Settle();
    EXPECT_EQ(lines_.size(), 0u) << "round " << round;
    ASSERT_OK(child.Resume());
  }
  child.Kill(Intent::kAsked, nullptr);
  End(child);
}

TEST_F(ProcessTest, APausedProcessCanBeStopped) {
  ChildProcess child(executor_, journal_, Shell("sleep 1000"));
  ASSERT_OK(Begin(child));
  ASSERT_OK(child.Pause());
  child.Stop(Intent::kAsked, nullptr);
  EXPECT_EQ(End(child).signal, SIGTERM);
}

TEST_F(ProcessTest, TheDestructorStopsGracefullyAndCallsNothing) {
  bool called = false;
  std::int64_t pid = 0;
  {
    ChildOptions options = Shell("trap 'echo leaving; exit 5' TERM; echo up; sleep 1000 & wait");
    options.ready.line = [](Stream, std::string_view line) { return line == "up"; };
    options.on_exit = [&](const ProcessExit&) { called = true; };
    ChildProcess child(executor_, journal_, std::move(options));
    ASSERT_OK(Begin(child));
    child.AwaitExit([&](const ProcessExit&) { called = true; });
    pid = child.pid();
  }
  EXPECT_TRUE(Dead(pid, 0s));
  Settle();
  EXPECT_FALSE(called);
  const auto exited = Events<journal::ProcessEvent>("exited");
  ASSERT_EQ(exited.size(), 1u);
  EXPECT_EQ(exited[0].exit_code, 5);
  EXPECT_THAT(exited[0].detail, HasSubstr("leaving"));
}

TEST_F(ProcessTest, TheDestructorKillsWhatDoesNotStop) {
  ChildOptions options = Shell("trap '' TERM; echo up; while :; do head -c 100000 /dev/zero; done");
  options.ready.line = [](Stream, std::string_view line) { return line == "up"; };
  options.journal_lines = false;
  options.stop_grace = 50ms;
  std::int64_t pid = 0;
  {
    ChildProcess child(executor_, journal_, std::move(options));
    ASSERT_OK(Begin(child));
    pid = child.pid();
  }
  EXPECT_TRUE(Dead(pid, 0s));
  EXPECT_EQ(Events<journal::ProcessEvent>("exited").at(0).signal, SIGKILL);
}

TEST_F(ProcessTest, ItMayBeDestroyedOrStartedAgainFromItsOwnCallbacks) {
  auto child = std::make_unique<ChildProcess>(executor_, journal_,
                                              ChildOptions{.name = "n", .argv = {"true"}});
  int lives = 0;
  ChildOptions options{.name = "again", .argv = {"true"}};
  std::unique_ptr<ChildProcess> again;
  options.on_exit = [&](const ProcessExit&) {
    if (++lives < 3) {
      again->Start(nullptr);
    } else {
      again.reset();
    }
  };
  again = std::make_unique<ChildProcess>(executor_, journal_, std::move(options));
  again->Start(nullptr);
  Await([&] { return lives == 3; }, "three lives");
  EXPECT_EQ(again, nullptr);

  ChildOptions talker = Shell("for i in 1 2 3 4 5; do echo line; done; sleep 1000");
  talker.on_line = [&](Stream, std::string_view) { child.reset(); };
  child = std::make_unique<ChildProcess>(executor_, journal_, std::move(talker));
  child->Start(nullptr);
  Await([&] { return child == nullptr; }, "the end within a callback");
  Settle();
}

// A restart reuses the descriptors of the life before at once; no event of that one may be taken
// for the new one's.
TEST_F(ProcessTest, TheNextLifeIsNotEndedByTheLastOnesEvents) {
  ChildProcess child(executor_, journal_, Shell("sleep 1000"));
  for (int i = 0; i < 100; ++i) {
    ASSERT_OK(Begin(child)) << "life " << i;
    child.Kill(Intent::kInjected, nullptr);
    ASSERT_EQ(End(child).reason, "injected") << "life " << i;
  }
}

TEST_F(ProcessTest, FiftyLivesLeaveNoDescriptorBehind) {
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  ChildProcess child(executor_, journal_, Shell("exit 0"));
  ASSERT_OK(Begin(child));
  End(child);
  Settle();
  const auto before = count();
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(Begin(child));
    End(child);
  }
  Settle();
  EXPECT_EQ(count(), before);
}

}  // namespace
}  // namespace squall::harness
