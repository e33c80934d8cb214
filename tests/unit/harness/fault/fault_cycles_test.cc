// Every fault of the catalogue is injected and healed again and again under load, and leaves
// nothing behind: no descriptor, thread, process, firewall rule, queue, interface, mount. A few
// times here, and `make prove-fault-cycles` does it a thousand times. The parameters are those of
// its example.
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/fault/availability.h"
#include "harness/fault/fault.h"
#include "harness/net/name_server.h"
#include "harness/process/guardian.h"
#include "harness/process/private_network.h"
#include "harness/process/private_wire.h"
#include "harness/target/grpc_link.h"
#include "scenarios/format/fault_page.h"
#include "scenarios/format/loader.h"
#include "tests/unit/harness/fault/private_names_suite.h"
#include "tests/unit/harness/target/target_fixture.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using scenarios::FaultDefinition;
using scenarios::FaultTarget;

// A thousand cycles of everything are too much to be kept.
class Tally final : public journal::Sink {
 public:
  explicit Tally(AsioExecutor& executor) : executor_(executor) {}
  // From several threads.
  void Append(std::string_view, journal::Payload payload) override {
    if (const auto* fault = std::get_if<journal::FaultEvent>(&payload)) {
      if (fault->what == "hit") ++hits;
      if (fault->what == "failed") ++failures;
    }
    executor_.Post([] {});
  }
  std::atomic<std::uint64_t> hits = 0, failures = 0;

 private:
  AsioExecutor& executor_;
};

class FaultCycles : public InPrivateNames<TargetTest>, public FaultTargets {
 protected:
  void SetUp() override {
    journal_.SetObserver(nullptr);
    auto server = MakeServer(executor_, tally_, {.name = "temporal"});
    ASSERT_OK(server);
    server_ = *std::move(server);
    ASSERT_OK(Start(*server_));
    const StatusOr<HostPort> upstream = ParseHostPort(server_->address());
    ASSERT_OK(upstream);
    auto frames = MakeGrpcLink(
        executor_, tally_,
        {.link = "wire", .upstream = *upstream, .certificates = &Certificates(), .identity = ""});
    ASSERT_OK(frames);
    frames_ = *std::move(frames);
    auto proxy = TcpProxy::Create(executor_, tally_,
                                  {.link = "wire", .upstream = {"127.0.0.1", frames_->port()}});
    ASSERT_OK(proxy);
    proxy_ = *std::move(proxy);
    if (MayMakeNamespaces() && InPrivateNetwork()) {
      auto wire = PrivateWire::Create();
      ASSERT_OK(wire);
      wire_ = *std::move(wire);
    }
    auto names = NameServer::Create(
        executor_, {"127.0.0.1", static_cast<std::uint16_t>(InPrivateNetwork() ? kNamesPort : 0)});
    ASSERT_OK(names);
    names_ = *std::move(names);
    auto worker = WorkerUnderTest::Create(
        executor_, tally_,
        {.name = "w",
         .kind = WorkerKind::kCommand,
         .command = {"sleep", "infinity"},
         .ready_word = "",
         .stop_grace = 2s,
         .work_directory = folder_.path()});
    ASSERT_OK(worker);
    worker_ = *std::move(worker);
    client_ = std::make_unique<TemporalClient>(
        executor_, tally_, TemporalClientOptions{.name = "c", .address = proxy_->address()});
  }

  // One call after the other through the link.
  void Load() {
    if (!loaded_) return;
    client_->GetSystemInfo({.deadline = Scaled(2s)}, [this](const StatusOr<SystemInfo>& info) {
      ++answers_;
      served_ += info.ok();
      // Whoever is refused asks at once again, but not within the refusal.
      if (!info.ok()) client_->ResetBackoff();
      if (info.ok()) return Load();
      executor_.After(1ms, [this] { Load(); });
    });
  }

  // What this process holds, and what the kernel holds for it.
  std::string Holdings() {
    const auto count = [](const char* path) {
      return std::distance(std::filesystem::directory_iterator(path), {});
    };
    const auto lines = [](const char* path) {
      std::ifstream file(path);
      std::size_t number = 0;
      for (std::string line; std::getline(file, line);) ++number;
      return number;
    };
    // gRPC has a few threads more or less as it likes.
    threads_ = count("/proc/self/task");
    of_grpc_ = SocketsOfGrpc();
    descriptors_ = count("/proc/self/fd") - of_grpc_;
    std::string held =
        fmt::format("{} processes, {} interfaces, {} mounts", FindDescendants().size(),
                    lines("/proc/self/net/dev"), lines("/proc/self/mountinfo"));
    if (!MayMakeNamespaces() || !InPrivateNetwork()) return held;
    for (const auto& argv : {std::vector<std::string>{"nft", "list", "ruleset"},
                             std::vector<std::string>{"tc", "qdisc", "show", "dev", "lo"}}) {
      if (FindProgram(argv.at(0)).ok()) held += "; " + OutputOf(argv);
    }
    return held;
  }
  // gRPC (1.51) keeps some sockets of channels that are long gone when bytes were corrupted in
  // their handshakes. They are the client's, which shows whether the link serves, and not what is
  // proven here: what the epoll sets watch that no listener of ours is in.
  static std::int64_t SocketsOfGrpc() {
    std::int64_t sockets = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      if (std::filesystem::read_symlink(entry.path(), gone) != "anon_inode:[eventpoll]") continue;
      std::ifstream info("/proc/self/fdinfo/" + entry.path().filename().string());
      std::int64_t watched = 0;
      bool listens = false;
      for (std::string word; info >> word;) {
        if (word != "tfd:") continue;
        int fd = -1, accepts = 0;
        socklen_t size = sizeof accepts;
        info >> fd;
        if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) != 0) continue;
        ++watched;
        listens = listens || accepts != 0;
      }
      if (!listens) sockets += watched;
    }
    return sockets;
  }
  std::string OutputOf(std::vector<std::string> argv) {
    std::string output;
    ChildOptions options;
    options.name = argv.at(0);
    options.argv = std::move(argv);
    options.on_line = [&](Stream, std::string_view line) { output += std::string(line) + "\n"; };
    ChildProcess tool(executor_, nobody_, std::move(options));
    tool.Start([](const Status&) {});
    Await([&] { return !tool.alive(); }, "the end of a tool");
    return output;
  }
  void Calm() {
    loaded_ = false;
    client_ = std::make_unique<TemporalClient>(
        executor_, tally_, TemporalClientOptions{.name = "c", .address = proxy_->address()});
    EXPECT_OK(Info(*client_, {.deadline = Scaled(10s), .wait_for_ready = true}));
    EXPECT_OK(Info(server_->client(), {.deadline = Scaled(10s), .wait_for_ready = true}));
  }

  void StartWorker() {
    if (!worker_->process().alive()) worker_->Start(nullptr);
    ASSERT_TRUE(worker_->process().alive());
  }

  void Cycle(const FaultDefinition& fault, const scenarios::Params& params) {
    const std::string target = fault.target == FaultTarget::kLink     ? "wire"
                               : fault.target == FaultTarget::kServer ? "temporal"
                                                                      : "w";
    StartWorker();
    auto handle = FaultHandle::Create(executor_, tally_, *this, {"f", fault.name, target, params});
    ASSERT_OK(handle);
    const std::uint64_t hits = tally_.hits, answers = answers_;
    ASSERT_OK(Wait<Status>([&](Done done) { (*handle)->Inject(std::move(done)); }));
    // Something meets it, or has had the time for it: not everything lets itself be noticed.
    bool over = false;
    const TimerId timer = executor_.After(20ms, [&] { over = true; });
    Await([&] { return over || tally_.hits > hits || answers_ > answers + 2; }, "traffic");
    executor_.Cancel(timer);
    ASSERT_OK(Wait<Status>([&](Done done) { (*handle)->Heal(std::move(done)); }));
    // Connections that the fault has left behind are not waited for; where packets were lost, the
    // client's end does not know that the other has gone.
    proxy_->DropConnections();
    client_->Reconnect();
    const std::uint64_t served = served_;
    Await([&] { return served_ > served; }, "service");
  }

  TcpProxy* Link(std::string_view name) override { return name == "wire" ? proxy_.get() : nullptr; }
  GrpcProxy* Frames(std::string_view name) override {
    return name == "wire" ? frames_.get() : nullptr;
  }
  WorkerUnderTest* Worker(std::string_view name) override {
    return name == "w" ? worker_.get() : nullptr;
  }
  ServerUnderTest* Server(std::string_view name) override {
    return name == "temporal" ? server_.get() : nullptr;
  }
  std::vector<std::string> Names() override { return {"wire", "w", "temporal"}; }
  PrivateWire* Wire(std::string_view) override { return wire_.get(); }
  NameServer* NamesOf(std::string_view) override { return names_.get(); }

  Tally tally_{executor_};
  journal::NullSink nobody_;
  std::unique_ptr<ServerUnderTest> server_;
  std::unique_ptr<PrivateWire> wire_;
  std::unique_ptr<NameServer> names_;
  std::unique_ptr<GrpcProxy> frames_;
  std::unique_ptr<TcpProxy> proxy_;
  std::unique_ptr<WorkerUnderTest> worker_;
  std::unique_ptr<TemporalClient> client_;
  bool loaded_ = false;
  std::int64_t descriptors_ = 0, of_grpc_ = 0, threads_ = 0;  // when Holdings looked last
  std::uint64_t served_ = 0, answers_ = 0;
};

// gRPC keeps a connection or two, each of some descriptors on its way through the link, for as long
// as it likes. A leak shows itself all the same: it grows with the cycles.
constexpr std::int64_t kThreadsMore = 4, kDescriptorsMore = 8;
constexpr int kFewCycles = 2;

// The parameters of a fault's example, without pauses that only an onlooker needs.
scenarios::Params ExampleParams(const FaultDefinition& fault) {
  const scenarios::CheckTable checks = {
      {.name = "workflow_completed",
       .doc = "d",
       .params = {{.name = "workflow", .type = scenarios::ParamType::kText},
                  {.name = "result", .type = scenarios::ParamType::kJson}}}};
  const auto scenario = scenarios::LoadScenario(FaultExample(fault), fault.name, checks);
  EXPECT_OK(scenario);
  if (!scenario.ok()) return {};
  for (const scenarios::Step& step : scenario->subjects.at(0).steps) {
    const auto* inject = std::get_if<scenarios::InjectStep>(&step.action);
    if (inject == nullptr || inject->fault != fault.name) continue;
    scenarios::Params params = inject->params;
    if (params.Has("down_for")) params.Set("down_for", Duration::zero());
    return params;
  }
  ADD_FAILURE() << fault.name << " is not in its example";
  return {};
}

TEST_F(FaultCycles, LeaveNothingBehind) {
  const char* wanted = std::getenv("SQUALL_PROOF_CYCLES");
  const char* only = std::getenv("SQUALL_PROOF_FAULTS");
  const int cycles = wanted == nullptr ? kFewCycles : std::atoi(wanted);
  int proven = 0;
  for (const FaultDefinition& fault : scenarios::FaultCatalogue()) {
    const std::string key = scenarios::FaultKey(fault);
    if (only != nullptr && key.find(only) == std::string::npos) continue;
    const FaultSurroundings around{.server = ServerKind::kFakeInProcess,
                                   .worker = WorkerKind::kCommand};
    if (const auto reason = WhyUnavailable(fault, around)) {
      fmt::print("{}: left out: {}\n", key, *reason);
      continue;
    }
    const scenarios::Params params = ExampleParams(fault);
    std::string before;
    std::int64_t descriptors_before = 0, threads_before = 0;
    // The first one makes what is made once.
    for (const int count : {1, cycles}) {
      const SteadyTime begin = clock_.Now();
      loaded_ = true;
      Load();
      for (int i = 0; i < count && !HasFailure(); ++i) Cycle(fault, params);
      ASSERT_FALSE(HasFailure()) << key;
      Calm();
      StartWorker();
      if (before.empty()) {
        Settle();
        before = Holdings();
        descriptors_before = descriptors_;
        threads_before = threads_;
        continue;
      }
      // Closing takes a moment, in the server's thread and in the kernel.
      const SteadyTime end = clock_.Now() + Scaled(5s);
      std::string after = Holdings();
      while ((after != before || descriptors_ > descriptors_before + kDescriptorsMore) &&
             clock_.Now() < end) {
        bool over = false;
        executor_.After(10ms, [&] { over = true; });
        executor_.RunUntil([&] { return over; }, Scaled(1s));
        after = Holdings();
      }
      EXPECT_EQ(after, before) << key;
      EXPECT_LE(descriptors_, descriptors_before + kDescriptorsMore)
          << key << "; open connections: " << proxy_->counters().open << " of the TCP proxy, "
          << frames_->counters().open << " of the frame-aware one";
      EXPECT_LE(threads_, threads_before + kThreadsMore) << key;
      fmt::print("{}: {} cycles, {}, {} hits, gRPC holds {} sockets\n", key, count,
                 FormatDuration(clock_.Now() - begin), tally_.hits.load(), of_grpc_);
    }
    ++proven;
  }
  EXPECT_EQ(tally_.failures, 0u);
  EXPECT_GT(proven, 0);
  RecordProperty("faults", proven);
  RecordProperty("cycles", cycles);
}

}  // namespace
}  // namespace squall::harness
