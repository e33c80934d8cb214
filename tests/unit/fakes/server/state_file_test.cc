// The state file: what is replayed, and which files are refused.

#include "fakes/server/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/util/rng.h"
#include "fakes/server/server_time.h"
#include "fakes/server/state_format.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/support/status_matchers.h"

namespace squall::fakes {
namespace {

namespace ws = temporal::api::workflowservice::v1;
using ::squall::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::string StartBytes(const std::string& id, Duration delay = {}) {
  ws::StartWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id(id);
  request.set_request_id(id);
  request.mutable_workflow_type()->set_name("Ping");
  request.mutable_task_queue()->set_name("q");
  if (delay > Duration::zero()) {
    request.mutable_workflow_start_delay()->set_seconds(
        std::chrono::duration_cast<std::chrono::seconds>(delay).count());
  }
  return request.SerializeAsString();
}

// An engine with a state file, as FakeServer puts them together.
struct Server {
  explicit Server(EngineOptions options = {}) : engine(std::move(options), sink) {}

  static StatusOr<std::unique_ptr<Server>> Start(StateFileOptions file,
                                                 const EngineOptions& options = {}) {
    auto server = std::make_unique<Server>(options);
    SQUALL_ASSIGN_OR_RETURN(server->state, StateFile::Open(std::move(file), options));
    SQUALL_RETURN_IF_ERROR(server->state->Replay(server->engine));
    return server;
  }

  RpcResponse Call(const std::string& method, std::string message) {
    engine.Call(clock.MomentNow(), ++calls,
                {.service = std::string(kWorkflowService),
                 .method = method,
                 .metadata = {{"client-name", "temporal-test"}, {"authorization", "Bearer hush"}},
                 .message = std::move(message)});
    auto answers = engine.TakeResponses();
    EXPECT_LE(answers.size(), 1u);
    return answers.empty() ? RpcResponse{} : std::move(answers[0]);
  }
  void StartWorkflow(const std::string& id, Duration delay = {}) {
    EXPECT_EQ(Call("StartWorkflowExecution", StartBytes(id, delay)).status.message, "");
  }

  journal::NullSink sink;
  ManualClock clock;
  std::uint64_t calls = 0;
  Engine engine;
  std::unique_ptr<StateFile> state;
};

class StateFileTest : public ::testing::Test {
 protected:
  StateFileTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("squall-state-" + Rng(SeedFromSystem()).Hex(12))),
        path_(folder_ / "state") {
    std::filesystem::create_directories(folder_);
  }
  ~StateFileTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string Bytes() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void Write(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  // Where each frame of the file begins, and the end.
  static std::vector<std::size_t> Frames(const std::string& file) {
    std::vector<std::size_t> offsets = {state::kMark.size()};
    for (;;) {
      const state::FrameAt frame = state::ReadFrame(file, offsets.back());
      if (frame.state != state::FrameAt::State::kWhole) return offsets;
      offsets.push_back(frame.next);
    }
  }
  // A file of that many workflows; the digest of its engine.
  std::uint64_t Record(int workflows) const {
    auto server = Server::Start({.path = path_});
    EXPECT_OK(server);
    for (int i = 0; i < workflows; ++i) (*server)->StartWorkflow("wf" + std::to_string(i));
    return (*server)->engine.StateDigest();
  }
  Status StatusOf(StateFileOptions options, const EngineOptions& engine = {}) const {
    options.path = path_;
    return Server::Start(options, engine).status();
  }

  const std::filesystem::path folder_;
  const std::string path_;
};

TEST_F(StateFileTest, GivesTheStateBack) {
  const std::uint64_t digest = Record(3);
  auto server = Server::Start({.path = path_});
  ASSERT_OK(server);
  EXPECT_EQ((*server)->engine.open_workflows(), 3u);
  EXPECT_EQ((*server)->engine.StateDigest(), digest);
  EXPECT_EQ((*server)->state->report().inputs, 3u);
  // And goes on: what is recorded now comes after what was there.
  (*server)->StartWorkflow("another");
  server->reset();
  server = Server::Start({.path = path_});
  ASSERT_OK(server);
  EXPECT_EQ((*server)->engine.open_workflows(), 4u);
}

TEST_F(StateFileTest, IsItsOwnersAloneAndHoldsNoKeys) {
  Record(1);
  EXPECT_EQ(std::filesystem::status(path_).permissions() & std::filesystem::perms::all,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(Bytes().find("hush"), std::string::npos);
  EXPECT_NE(Bytes().find("temporal-test"), std::string::npos);
}

TEST_F(StateFileTest, DropsTheCallsThatWereHeld) {
  {
    auto server = Server::Start({.path = path_});
    ASSERT_OK(server);
    ws::PollWorkflowTaskQueueRequest poll;
    poll.set_namespace_("default");
    poll.mutable_task_queue()->set_name("q");
    (*server)->Call("PollWorkflowTaskQueue", poll.SerializeAsString());
    ASSERT_EQ((*server)->engine.held_calls(), 1u);
  }
  auto server = Server::Start({.path = path_});
  ASSERT_OK(server);
  EXPECT_EQ((*server)->engine.held_calls(), 0u);
}

TEST_F(StateFileTest, ResetStartsEmpty) {
  Record(3);
  auto server = Server::Start({.path = path_, .reset = true});
  ASSERT_OK(server);
  EXPECT_EQ((*server)->engine.open_workflows(), 0u);
  EXPECT_EQ((*server)->state->report().inputs, 0u);
}

TEST_F(StateFileTest, ATornLastRecordIsNoticedAtEveryByteAndCutOffWhenAsked) {
  Record(3);
  const std::string whole = Bytes();
  const auto frames = Frames(whole);
  ASSERT_EQ(frames.size(), 5u);  // header, three inputs, the end
  ASSERT_EQ(frames.back(), whole.size());
  const std::size_t last = frames[3];
  for (std::size_t size = last + 1; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    Write(whole.substr(0, size));
    ASSERT_THAT(StatusOf({}),
                StatusIs(StatusCode::kDataLoss,
                         AllOf(HasSubstr(path_), HasSubstr(fmt::format("offset {},", last)),
                               HasSubstr("--state-file-repair"))));
    ASSERT_EQ(Bytes().size(), size);  // looking changes nothing
    auto server = Server::Start({.path = path_, .repair = true});
    ASSERT_OK(server);
    ASSERT_EQ((*server)->engine.open_workflows(), 2u);
    ASSERT_EQ((*server)->state->report().cut_at, last);
    ASSERT_EQ((*server)->state->report().cut_bytes, size - last);
    server->reset();
    ASSERT_OK(StatusOf({}));
  }
  Write(whole.substr(0, last));
  auto server = Server::Start({.path = path_, .repair = true});
  ASSERT_OK(server);
  EXPECT_EQ((*server)->engine.open_workflows(), 2u);
  EXPECT_EQ((*server)->state->report().cut_bytes, 0u);
}

TEST_F(StateFileTest, ALastRecordWithAWrongSumIsTornToo) {
  Record(3);
  std::string bytes = Bytes();
  bytes.back() ^= 1;
  Write(bytes);
  EXPECT_THAT(StatusOf({}), StatusIs(StatusCode::kDataLoss, HasSubstr("torn")));
  EXPECT_OK(StatusOf({.repair = true}));
}

TEST_F(StateFileTest, DamageInTheMiddleIsAlwaysAnError) {
  Record(3);
  const std::string whole = Bytes();
  const auto frames = Frames(whole);
  // A bit of a payload, of its length, of its sum, of the header's payload.
  for (const std::size_t at : {frames[1] + 20, frames[1], frames[2] + 5, frames[0] + 14}) {
    SCOPED_TRACE(at);
    std::string bytes = whole;
    bytes[at] ^= 4;
    Write(bytes);
    EXPECT_THAT(StatusOf({}), StatusIs(StatusCode::kDataLoss, HasSubstr("damaged")));
    EXPECT_THAT(StatusOf({.repair = true}), StatusIs(StatusCode::kDataLoss, HasSubstr("damaged")));
    EXPECT_EQ(Bytes(), bytes);
  }
  EXPECT_OK(StatusOf({.reset = true}));
}

TEST_F(StateFileTest, AFileThatWasHardlyBegunIsTornAtItsStart) {
  Record(0);
  const std::string whole = Bytes();
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{20}, std::size_t{25}, whole.size() - 1}) {
    SCOPED_TRACE(size);
    Write(whole.substr(0, size));
    EXPECT_THAT(StatusOf({}), StatusIs(StatusCode::kDataLoss, HasSubstr("offset 0")));
    EXPECT_OK(StatusOf({.repair = true}));
    EXPECT_EQ(Bytes().substr(0, whole.size()), whole);
  }
  Write("");
  EXPECT_OK(StatusOf({}));
}

TEST_F(StateFileTest, LeavesOtherFilesAlone) {
  const std::string text = "root:x:0:0:root:/root:/bin/bash\n";
  Write(text);
  for (const StateFileOptions& options :
       {StateFileOptions{}, StateFileOptions{.path = {}, .reset = true},
        StateFileOptions{.path = {}, .repair = true}}) {
    EXPECT_THAT(StatusOf(options),
                StatusIs(StatusCode::kFailedPrecondition, HasSubstr("no state file")));
  }
  EXPECT_EQ(Bytes(), text);
  EXPECT_THAT(Server::Start({.path = "/nowhere/state"}).status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("/nowhere/state")));
}

TEST_F(StateFileTest, OneServerAtATime) {
  auto first = Server::Start({.path = path_});
  ASSERT_OK(first);
  for (const bool reset : {false, true}) {
    EXPECT_THAT(StatusOf({.reset = reset}),
                StatusIs(StatusCode::kUnavailable, HasSubstr("another server uses it")));
  }
  first->reset();
  EXPECT_OK(StatusOf({}));
}

TEST_F(StateFileTest, RefusesOtherOptionsByName) {
  Record(1);
  EngineOptions options;
  options.seed = 7;
  EXPECT_THAT(StatusOf({}, options), StatusIs(StatusCode::kFailedPrecondition,
                                              HasSubstr("seed '1', this server has '7'")));
  options = {};
  options.namespaces = {"default", "orders"};
  EXPECT_THAT(StatusOf({}, options), StatusIs(StatusCode::kFailedPrecondition,
                                              HasSubstr("namespaces 'default', this server has "
                                                        "'default, orders'")));
}

TEST_F(StateFileTest, RefusesAnEngineThatBehavesDifferently) {
  Record(3);
  std::string bytes = Bytes();
  const auto frames = Frames(bytes);
  std::string payload(state::ReadFrame(bytes, frames[2]).payload);
  payload[17] ^= 1;  // of the digest
  bytes.replace(frames[2], frames[3] - frames[2], state::Frame(payload));
  Write(bytes);
  EXPECT_THAT(
      StatusOf({.repair = true}),
      StatusIs(StatusCode::kFailedPrecondition, AllOf(HasSubstr("input 2 (StartWorkflowExecution"),
                                                      HasSubstr("another version of squall"))));
}

TEST_F(StateFileTest, RefusesAnotherFormat) {
  state::Header header = state::HeaderOf({});
  header.format = 99;
  Write(std::string(state::kMark) + state::Frame(state::Encode(header)));
  EXPECT_THAT(StatusOf({}),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("it is in format 99")));
}

TEST_F(StateFileTest, TimeThatPassedMeanwhileCountsThoughSteadyTimeBeganAnew) {
  const WallTime died = ManualClock().WallNow() + 1h;
  {
    auto server = Server::Start({.path = path_});
    ASSERT_OK(server);
    (*server)->clock.Advance(1h);  // steady time 1 h
    (*server)->StartWorkflow("soon", 30min);
    (*server)->StartWorkflow("late", 3h);
  }
  Server server;
  auto file = StateFile::Open({.path = path_}, {});
  ASSERT_OK(file);
  server.state = *std::move(file);
  ASSERT_OK(server.state->Replay(server.engine));
  ManualClock rebooted(died + 2h);  // steady time 0
  ServerTime time(rebooted, TimeMode::kReal);
  time.Continue(*server.state->last(), server.state->offset());
  EXPECT_EQ(time.Now().wall, died + 2h);
  EXPECT_EQ(time.Now().steady, server.state->last()->steady + 2h);
  int started = 0;
  Engine& engine = server.engine;
  engine.Restart(time.Now(), true);
  const auto next = engine.NextDeadline();
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(*next - time.Now().steady, 1h);  // of the three hours; "soon" has begun
  for (int i = 0; i < 2; ++i) {
    ws::PollWorkflowTaskQueueRequest poll;
    poll.set_namespace_("default");
    poll.mutable_task_queue()->set_name("q");
    engine.Call(time.Now(), 100 + static_cast<std::uint64_t>(i),
                {.service = std::string(kWorkflowService),
                 .method = "PollWorkflowTaskQueue",
                 .metadata = {},
                 .message = poll.SerializeAsString()});
    started += static_cast<int>(engine.TakeResponses().size());
  }
  EXPECT_EQ(started, 1);
}

TEST(ServerTime, ACalendarSetBackIsNoTimeAtAll) {
  ManualClock clock;
  ServerTime time(clock, TimeMode::kReal);
  const Moment last{SteadyTime(5h), clock.WallNow() + 1h};
  time.Continue(last, Duration::zero());
  EXPECT_EQ(time.Now().steady, last.steady);
  clock.Advance(10min);
  EXPECT_EQ(time.Now().steady, last.steady + 10min);
}

TEST(ServerTime, SkippedTimeStaysSkipped) {
  ManualClock clock;
  ServerTime time(clock, TimeMode::kSkipping);
  time.MoveAhead(100h);
  const Moment last = time.Now();
  ManualClock later(clock.WallNow() + 1h);
  ServerTime next(later, TimeMode::kSkipping);
  next.Continue(last, time.offset());
  EXPECT_EQ(next.Now().wall, last.wall + 1h);
  EXPECT_EQ(next.Now().steady, last.steady + 1h);
}

TEST(ServerTime, ManualTimeGoesOnWhereItStood) {
  ManualClock clock;
  ServerTime time(clock, TimeMode::kManual);
  const Moment started = time.Now();
  clock.Advance(1h);
  EXPECT_EQ(time.Now().wall, started.wall);
  time.MoveAhead(2h);
  const Moment last = time.Now();
  EXPECT_EQ(last.steady, started.steady + 2h);
  ServerTime next(clock, TimeMode::kManual);
  next.Continue(last, time.offset());
  EXPECT_EQ(next.Now().wall, last.wall);
  EXPECT_EQ(next.Now().steady, last.steady);
}

TEST_F(StateFileTest, AFullDiskEndsRecordingAndLeavesAWholeFile) {
  auto server = Server::Start({.path = path_});
  ASSERT_OK(server);
  (*server)->StartWorkflow("kept");
  const auto size = std::filesystem::file_size(path_);
  struct rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  struct rlimit limit = before;
  limit.rlim_cur = size + 10;
  const auto signal = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  (*server)->StartWorkflow("lost");
  EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, signal);
  EXPECT_THAT((*server)->state->status(),
              StatusIs(StatusCode::kUnavailable, HasSubstr("cannot write it: File too large")));
  (*server)->StartWorkflow("lost too");
  EXPECT_EQ(std::filesystem::file_size(path_), size);
  server->reset();
  server = Server::Start({.path = path_});
  ASSERT_OK(server);
  EXPECT_EQ((*server)->engine.open_workflows(), 1u);
}

}  // namespace
}  // namespace squall::fakes
