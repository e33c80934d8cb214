#pragma once
// A link with a server behind it, a worker that is a shell, and a server that was given by its
// address.

#include <signal.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/fault/fault.h"
#include "tests/unit/harness/target/target_fixture.h"

namespace squall::harness {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

class FaultTest : public TargetTest, public FaultTargets {
 protected:
  void SetUp() override {
    server_ = MakeServerOf({.name = "temporal"});
    ASSERT_OK(Start(*server_));
    external_ = MakeServerOf(
        {.name = "production", .kind = ServerKind::kAddress, .address = server_->address()});
    const StatusOr<HostPort> upstream = ParseHostPort(server_->address());
    ASSERT_OK(upstream);
    auto proxy =
        TcpProxy::Create(executor_, journal_, {.link = "c->temporal", .upstream = *upstream});
    ASSERT_OK(proxy);
    proxy_ = *std::move(proxy);
    auto worker = WorkerUnderTest::Create(executor_, journal_,
                                          {.name = "w",
                                           .kind = WorkerKind::kCommand,
                                           .command = {"sh", "-c", kWorker},
                                           .ready_word = "",
                                           .stop_grace = 2s,
                                           .work_directory = folder_.path()});
    ASSERT_OK(worker);
    worker_ = *std::move(worker);
    ASSERT_OK(Wait<Status>([&](Done done) { worker_->Start(std::move(done)); }));
    AwaitUp(1);
    client_ = std::make_unique<TemporalClient>(
        executor_, journal_, TemporalClientOptions{.name = "c", .address = proxy_->address()});
    ASSERT_OK(Info(*client_));
  }

  // Says "up" at its start, what it can do at SIGUSR1, and ends with 7 when it is asked to.
  static constexpr const char* kWorker =
      "trap 'exit 7' INT TERM; "
      "trap '(: </dev/null) && echo can-open || echo cannot-open; "
      "(head -c 64000000 /dev/zero | tail -c 64000000 >/dev/null) && echo has-memory || "
      "echo no-memory' USR1; "
      "echo up queue=$TEMPORAL_TASK_QUEUE; while :; do sleep 1000 & wait; done";

  std::size_t Said(std::string_view text) const {
    std::size_t count = 0;
    for (const auto& event : Events<journal::LogEvent>()) count += event.line.starts_with(text);
    return count;
  }
  void AwaitUp(std::size_t times) {
    Await([&] { return Said("up") == times; }, fmt::format("start {} of the worker", times));
  }
  // The next of two answers to SIGUSR1.
  bool Can(std::string_view yes, std::string_view no) {
    const std::size_t before = Said(yes) + Said(no), able = Said(yes);
    EXPECT_OK(worker_->Signal(SIGUSR1, Intent::kAsked));
    Await([&] { return Said(yes) + Said(no) > before; }, std::string(yes));
    return Said(yes) > able;
  }

  TcpProxy* Link(std::string_view name) override {
    return name == "c->temporal" ? proxy_.get() : nullptr;
  }
  WorkerUnderTest* Worker(std::string_view name) override {
    return name == "w" ? worker_.get() : nullptr;
  }
  ServerUnderTest* Server(std::string_view name) override {
    return name == "temporal" ? server_.get() : name == "production" ? external_.get() : nullptr;
  }
  std::vector<std::string> Names() override {
    return {"c->temporal", "w", "temporal", "production"};
  }

  StatusOr<std::unique_ptr<FaultHandle>> Create(std::string fault, std::string target,
                                                scenarios::Params parameters = {},
                                                std::string id = "f") {
    return FaultHandle::Create(
        executor_, journal_, *this,
        {std::move(id), std::move(fault), std::move(target), std::move(parameters)});
  }
  std::unique_ptr<FaultHandle> Injected(const std::string& fault, std::string target,
                                        scenarios::Params parameters = {}, std::string id = "f") {
    auto handle = Create(fault, std::move(target), std::move(parameters), std::move(id));
    EXPECT_OK(handle);
    if (!handle.ok()) return nullptr;
    EXPECT_OK(Wait<Status>([&](Done done) { (*handle)->Inject(std::move(done)); })) << fault;
    return *std::move(handle);
  }
  Status Heal(FaultHandle& handle) {
    return Wait<Status>([&](Done done) { handle.Heal(std::move(done)); });
  }
  std::vector<std::string> Words() const {
    std::vector<std::string> words;
    for (const auto& event : Events<journal::FaultEvent>()) words.push_back(event.what);
    return words;
  }
  // Through the link.
  Status Call(Duration deadline = 10s) {
    return Info(*client_, {.deadline = Scaled(deadline)}).status();
  }
  void AwaitService() {
    Status last;
    for (int i = 0; i < 20; ++i) {
      // One call may still meet the connection that the fault broke.
      client_->ResetBackoff();
      last = Info(*client_, {.deadline = Scaled(10s), .wait_for_ready = true}).status();
      if (last.ok()) return;
    }
    ADD_FAILURE() << last;
  }

  std::unique_ptr<ServerUnderTest> server_, external_;
  std::unique_ptr<TcpProxy> proxy_;
  std::unique_ptr<WorkerUnderTest> worker_;
  std::unique_ptr<TemporalClient> client_;
};

}  // namespace squall::harness
