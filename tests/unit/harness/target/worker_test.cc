#include <signal.h>

#include <utility>

#include "tests/unit/harness/target/target_fixture.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ExpandTemplateTest, ReplacesNamesAndKeepsDoubledBraces) {
  const TemplateValues values = {{"address", "127.0.0.1:7"}, {"name", "w"}};
  const auto expanded = ExpandTemplate("{name}@{address} {{\"json\": {{}}}}", values);
  ASSERT_OK(expanded);
  EXPECT_EQ(*expanded, "w@127.0.0.1:7 {\"json\": {}}");
  EXPECT_THAT(
      ExpandTemplate("{adress}", values),
      StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("{adress}"), HasSubstr("'address'"))));
  EXPECT_THAT(ExpandTemplate("a{name", values),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("without '}'")));
  EXPECT_THAT(ExpandTemplate("a}", values),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("without '{'")));
}

TEST(ParseLifecycleLineTest, ReadsEveryField) {
  const auto event = ParseLifecycleLine(
      R"({"squall_event":"retrying","pid":12,"task_queue":"q","task":"Ping","workflow_id":"w","delay_ns":1500,"detail":"refused","extra":[1]})");
  ASSERT_OK(event);
  ASSERT_TRUE(event->has_value());
  EXPECT_EQ((*event)->what, "retrying");
  EXPECT_EQ((*event)->pid, 12);
  EXPECT_EQ((*event)->task_queue, "q");
  EXPECT_EQ((*event)->task, "Ping");
  EXPECT_EQ((*event)->workflow_id, "w");
  EXPECT_EQ((*event)->delay, 1500ns);
  EXPECT_EQ((*event)->detail, "refused");
}

TEST(ParseLifecycleLineTest, OtherOutputIsNone) {
  for (const char* line : {"", "started", "{}", "{\"event\":\"started\"}", "{not json at all",
                           "[1]", "{\"a\":{\"squall_event\":\"started\"}}"}) {
    const auto event = ParseLifecycleLine(line);
    ASSERT_OK(event) << line;
    EXPECT_FALSE(event->has_value()) << line;
  }
}

TEST(ParseLifecycleLineTest, WhatClaimsToBeOneAndIsNotIsAnError) {
  EXPECT_THAT(
      ParseLifecycleLine(R"({"squall_event":"startet"})"),
      StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("startet"), HasSubstr("'started'"))));
  EXPECT_THAT(ParseLifecycleLine(R"({"squall_event":"started","pid":"12"})"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'pid'")));
  EXPECT_THAT(ParseLifecycleLine(R"({"squall_event":3})"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a text")));
  EXPECT_THAT(ParseLifecycleLine(R"({"squall_event":"started")"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not JSON")));
}

class WorkerTest : public TargetTest {
 protected:
  WorkerOptions Shell(std::string script) {
    return {.name = "w",
            .kind = WorkerKind::kCommand,
            .address = "127.0.0.1:7",
            .ns = "orders",
            .task_queue = "q",
            .command = {"sh", "-c", std::move(script)},
            .ready_word = "",
            .work_directory = folder_.path()};
  }
  std::unique_ptr<WorkerUnderTest> Make(WorkerOptions options) {
    auto worker = WorkerUnderTest::Create(executor_, journal_, std::move(options));
    EXPECT_OK(worker);
    return worker.ok() ? *std::move(worker) : nullptr;
  }
  Status StartWorker(WorkerUnderTest& worker) {
    return Wait<Status>([&](Done done) { worker.Start(std::move(std::move(done))); });
  }
  void AwaitExit(WorkerUnderTest& worker) {
    Await([&] { return !worker.process().alive(); }, "the worker's end");
  }
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    for (const auto& log : Events<journal::LogEvent>("stdout")) lines.push_back(log.line);
    return lines;
  }
};

TEST_F(WorkerTest, IsReadyByItsLifecycleLineAndTellsItsEvents) {
  WorkerOptions options = Shell(
      "echo loading; echo '{{\"squall_event\":\"connecting\"}}'; echo "
      "'{{\"squall_event\":\"started\",\"task_queue\":\"q\"}}'; "
      "echo '{{\"squall_event\":\"effect\",\"task\":\"{name}\",\"workflow_id\":\"wf\"}}'; sleep "
      "1000");
  options.ready_word = "started";
  std::vector<std::string> heard;
  options.on_event = [&](const journal::WorkerEvent& event) { heard.push_back(event.what); };
  const auto worker = Make(options);
  ASSERT_OK(StartWorker(*worker));
  Await([&] { return heard.size() == 3; }, "the effect");
  EXPECT_THAT(heard, ElementsAre("connecting", "started", "effect"));
  const auto effect = Events<journal::WorkerEvent>("effect").at(0);
  EXPECT_EQ(effect.worker, "w");
  EXPECT_EQ(effect.pid, worker->process().pid());
  EXPECT_EQ(effect.task, "w");
  EXPECT_EQ(effect.task_queue, "q");
}

TEST_F(WorkerTest, ABadLifecycleLineIsNamedInTheJournal) {
  const auto worker = Make(Shell("echo '{{\"squall_event\":\"startet\"}}'"));
  ASSERT_OK(StartWorker(*worker));
  AwaitExit(*worker);
  EXPECT_THAT(Lines(), Contains(HasSubstr("no such lifecycle event: 'startet'")));
  EXPECT_EQ(Events<journal::WorkerEvent>().size(), 0u);
}

TEST_F(WorkerTest, HasTheSdksVariablesAndNothingOfTheCallers) {
  ::setenv("TEMPORAL_API_KEY", "the caller's", 1);
  ::setenv("TEMPORAL_PROFILE", "the caller's", 1);
  WorkerOptions options = Shell("env | grep -E '^(TEMPORAL_|MINE)' | sort; pwd -P");
  options.tls = true;
  options.ca_file = "/ca.pem";
  options.environment = {{"MINE", "{task_queue}-{work_directory}"},
                         {"TEMPORAL_NAMESPACE", std::nullopt}};
  const auto worker = Make(options);
  ASSERT_OK(StartWorker(*worker));
  AwaitExit(*worker);
  ::unsetenv("TEMPORAL_API_KEY");
  ::unsetenv("TEMPORAL_PROFILE");
  EXPECT_THAT(Lines(), ElementsAre("MINE=q-" + folder_.path(), "TEMPORAL_ADDRESS=127.0.0.1:7",
                                   "TEMPORAL_TASK_QUEUE=q", "TEMPORAL_TLS=true",
                                   "TEMPORAL_TLS_SERVER_CA_CERT_PATH=/ca.pem",
                                   std::filesystem::canonical(folder_.path()).string()));
}

TEST_F(WorkerTest, KillPauseAndSignalsCarryTheirReason) {
  const auto worker =
      Make(Shell("trap 'exit 9' INT; echo up; while :; do sleep 1000 & wait; done"));
  ASSERT_OK(StartWorker(*worker));
  Await([&] { return !Lines().empty(); }, "the trap");
  ASSERT_OK(worker->Pause(Intent::kInjected));
  ASSERT_OK(worker->Resume(Intent::kInjected));
  ASSERT_OK(worker->Signal(SIGINT, Intent::kInjected));
  AwaitExit(*worker);
  EXPECT_EQ(worker->process().last_exit()->code, 9);
  EXPECT_EQ(worker->process().last_exit()->reason, "injected");
  ASSERT_OK(StartWorker(*worker));
  bool killed = false;
  worker->Kill(Intent::kAsked, [&](const ProcessExit& exit) {
    killed = exit.signal == SIGKILL && exit.reason == "asked";
  });
  Await([&] { return killed; }, "the kill");
}

TEST_F(WorkerTest, MistakesAreFoundBeforeAnythingStarts) {
  EXPECT_THAT(WorkerUnderTest::Create(executor_, journal_, {.kind = WorkerKind::kCommand}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no command")));
  WorkerOptions options = Shell("true");
  options.command.push_back("{prot}");
  options.values["port"] = "1";
  EXPECT_THAT(WorkerUnderTest::Create(executor_, journal_, options),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'port'")));
}

}  // namespace
}  // namespace squall::harness
