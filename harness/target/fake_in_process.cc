// The fake server in this process: the same behaviour towards scenarios as a process, down to its
// events.
#include <signal.h>

#include <future>
#include <thread>
#include <utility>

#include "base/journal/words.h"
#include "fakes/frontend/fault_names.h"
#include "fakes/server/fake_server.h"
#include "harness/target/server_base.h"

namespace squall::harness {
namespace {

// Between GOAWAY and the end of a graceful stop: time for answers to what is under way.
constexpr Duration kDrain = std::chrono::milliseconds(100);

class FakeInProcess final : public ServerBase {
 public:
  FakeInProcess(AsioExecutor& executor, journal::Sink& journal, ServerOptions options,
                PortLease lease)
      : ServerBase(executor, journal, std::move(options)),
        lease_(std::move(lease)),
        names_(journal_, name()) {}

  ~FakeInProcess() override {
    Thaw();
    executor_.Cancel(drain_timer_);
  }

  std::string address() const override { return "127.0.0.1:" + std::to_string(lease_.port()); }
  bool running() const override { return running_; }
  bool paused() const override { return freezer_.joinable(); }
  std::int64_t pid() const override { return 0; }
  fakes::FakeServer* fake() override { return server_.get(); }

  void Start(Done done) override { Begin(true, std::move(done)); }
  void StartAgain(bool keep_data, Done done) override { Begin(keep_data, std::move(done)); }

  void Stop(Intent intent, Done done) override {
    GiveUpStart();
    if (!running_) return Later(std::move(done), absl::OkStatus());
    Thaw();
    Tell("signalled", 0, Reason(intent), "", SIGTERM);
    server_->Drain();
    drain_timer_ = executor_.After(kDrain, [this, intent, done = std::move(done)] {
      drain_timer_ = 0;
      const Status status = running_ ? End(intent, std::nullopt) : absl::OkStatus();
      if (done) done(status);
    });
  }

  void Kill(Intent intent, Done done) override {
    GiveUpStart();
    if (!running_) return Later(std::move(done), absl::OkStatus());
    Thaw();
    Tell("signalled", 0, Reason(intent), "", SIGKILL);
    Later(std::move(done), End(intent, SIGKILL));
  }

  Status Pause(Intent) override {
    if (!running_)
      return MakeStatus(StatusCode::kFailedPrecondition, "server {} does not run", name());
    if (paused()) return absl::OkStatus();
    // The server's thread stands still in the middle of its work, as under SIGSTOP: the kernel goes
    // on accepting for it, and nothing is answered.
    std::promise<void> frozen;
    std::future<void> is_frozen = frozen.get_future();
    freezer_ = std::thread([this, thaw = thaw_.get_future(), frozen = std::move(frozen)]() mutable {
      server_->WithEngine([&](fakes::Engine&, Moment) {
        frozen.set_value();
        thaw.wait();
      });
    });
    is_frozen.wait();
    Tell("paused", 0);
    return absl::OkStatus();
  }

  Status Resume(Intent) override {
    if (!paused()) return absl::OkStatus();
    Thaw();
    Tell("resumed", 0);
    return absl::OkStatus();
  }

  Status Misbehave(std::string_view fault, wire::Rule rule) override {
    names_.Name(rule.id, fault);
    if (paused() || !server_) {
      waiting_rules_.push_back(std::move(rule));
      return absl::OkStatus();
    }
    return server_->SetRules({std::move(rule)}).status();
  }

  Status Behave(std::string_view fault_id) override {
    std::erase_if(waiting_rules_, [&](const wire::Rule& rule) { return rule.id == fault_id; });
    if (paused()) {
      waiting_lifts_.emplace_back(fault_id);
    } else if (server_) {
      server_->LiftRule(fault_id);
    }
    return absl::OkStatus();
  }

 protected:
  std::string VersionFor(const std::string& server_version) const override {
    return "fake " + server_version;
  }

 private:
  static std::string_view Reason(Intent intent) {
    return intent == Intent::kAsked ? "asked" : "injected";
  }

  void Begin(bool keep_data, Done done) {
    if (StartWaits([this, keep_data, done] { Begin(keep_data, done); }, done)) return;
    if (running_)
      return Later(std::move(done),
                   MakeStatus(StatusCode::kFailedPrecondition, "server {} runs already", name()));
    Tell("starting", 0, "",
         server_ && !keep_data ? std::string(journal::kWithoutItsData) : std::string());
    const Status status = server_ ? server_->Resume(keep_data) : Create();
    if (!status.ok()) {
      Tell("start_failed", 0, "", std::string(Message(status)));
      return Later(std::move(done), Annotate(status, "start server " + name()));
    }
    running_ = true;
    FreshClient();
    SetVersion(VersionFor(fakes::EngineOptions().server_version));
    Tell("ready", 0);
    Later(std::move(done), absl::OkStatus());
  }

  Status Create() {
    fakes::FakeServerOptions fake;
    fake.name = name();
    fake.port = lease_.port();
    fake.engine.name = name();
    fake.engine.seed = options_.seed;
    fake.engine.namespaces = options_.namespaces;
    fake.frontend.api_keys = options_.api_keys;
    fake.journal = &names_;
    fake.rules = std::exchange(waiting_rules_, {});
    fake.clock = &executor_.clock();
    if (!options_.tls_identity.empty()) {
      const wire::TlsIdentity* identity = options_.certificates == nullptr
                                              ? nullptr
                                              : options_.certificates->Find(options_.tls_identity);
      if (identity == nullptr)
        return MakeStatus(StatusCode::kInvalidArgument, "no certificate '{}'",
                          options_.tls_identity);
      fake.tls.emplace();
      fake.tls->identity = *identity;
      if (options_.require_client_certificate) {
        fake.tls->client_ca_pem = options_.certificates->ca_pem;
        fake.tls->require_client_certificate = true;
      }
    }
    SQUALL_ASSIGN_OR_RETURN(server_, fakes::FakeServer::Start(std::move(fake)));
    return absl::OkStatus();
  }

  Status End(Intent intent, std::optional<int> signal) {
    executor_.Cancel(std::exchange(drain_timer_, 0));
    const Status status = server_->Suspend();
    running_ = false;
    journal_.Append(
        source_, journal::ProcessEvent{.what = "exited",
                                       .process = name(),
                                       .role = "server",
                                       .exit_code = signal ? std::nullopt : std::optional<int>(0),
                                       .signal = signal,
                                       .reason = std::string(Reason(intent))});
    return status;
  }

  void Thaw() {
    if (!freezer_.joinable()) return;
    thaw_.set_value();
    freezer_.join();
    thaw_ = std::promise<void>();
    // What came while it stood still, in its order.
    for (const std::string& id : std::exchange(waiting_lifts_, {})) server_->LiftRule(id);
    for (wire::Rule& rule : std::exchange(waiting_rules_, {})) {
      [[maybe_unused]] const auto taken = server_->SetRules({std::move(rule)});
    }
  }

  PortLease lease_;
  fakes::FaultNames names_;  // before the server, which writes to it
  // Of a server that stands still, or that has not been started yet.
  std::vector<wire::Rule> waiting_rules_;
  std::vector<std::string> waiting_lifts_;
  std::unique_ptr<fakes::FakeServer> server_;
  bool running_ = false;
  std::promise<void> thaw_;
  std::thread freezer_;
  TimerId drain_timer_ = 0;
};

}  // namespace

std::unique_ptr<ServerUnderTest> MakeFakeInProcess(AsioExecutor& executor, journal::Sink& journal,
                                                   ServerOptions options, PortLease lease) {
  return std::make_unique<FakeInProcess>(executor, journal, std::move(options), std::move(lease));
}

}  // namespace squall::harness
