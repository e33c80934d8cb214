#include "base/util/executor.h"
#include "base/util/rng.h"
#include "base/util/text.h"
#include "core/connection.h"
#include "core/runtime.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/faults_seen/clients.h"

namespace squall::seen {
namespace {

class CoreClient final : public Client {
 public:
  explicit CoreClient(const Target& target) {
    // Never freed: at the end of the program core's thread-local data are gone already.
    static const auto* const runtime = new std::shared_ptr<core::Runtime>([] {
      core::RuntimeOptions options;
      options.worker_threads = 1;
      auto made = core::Runtime::Create(std::move(options));
      SQUALL_CHECK(made.ok(), "a runtime of core");
      return *made;
    }());
    runtime_ = *runtime;
    options_.target_url = (target.tls ? "https://" : "http://") + target.address;
    options_.identity = "seen";
    // Dead connections are to be found while a test waits.
    options_.keep_alive = core::KeepAlive{std::chrono::seconds(1), std::chrono::seconds(2)};
    if (!target.tls) return;
    options_.tls.emplace();
    options_.tls->ca_pem = target.ca_pem;
    if (target.by_name) options_.tls->server_name = "localhost";
    if (!target.identity) return;
    options_.tls->certificate_pem = target.identity->certificate_chain_pem;
    options_.tls->key_pem = target.identity->private_key_pem;
  }

  std::string Call(std::size_t input_bytes, Duration deadline) override {
    const SteadyTime until = real_.Now() + deadline;
    if (connection_ == nullptr) {
      auto result = std::make_shared<std::optional<StatusOr<std::shared_ptr<core::Connection>>>>();
      core::CallHandle attempt =
          core::Connection::Connect(runtime_, options_, executor_,
                                    [result](StatusOr<std::shared_ptr<core::Connection>> given) {
                                      *result = std::move(given);
                                    });
      if (!RunUntil([&] { return result->has_value(); }, until)) {
        // The attempt must not outlive the executor.
        attempt.Cancel();
        RunUntil([&] { return result->has_value(); },
                 real_.Now() + Scaled(std::chrono::seconds(10)));
        return "no answer to connect within the limit";
      }
      if (!(*result)->ok()) return Text((*result)->status());
      connection_ = ***result;
    }
    core::RpcCall call;
    call.method = "GetSystemInfo";
    if (input_bytes > 0) {
      temporal::api::workflowservice::v1::StartWorkflowExecutionRequest request;
      request.set_namespace_("default");
      request.set_workflow_id("w-" + Rng(SeedFromSystem()).Hex(12));
      request.set_request_id("r");
      request.mutable_workflow_type()->set_name("Ping");
      request.mutable_task_queue()->set_name("q");
      request.mutable_input()->add_payloads()->set_data(Incompressible(input_bytes));
      call.method = "StartWorkflowExecution";
      call.request = request.SerializeAsString();
    }
    call.timeout = deadline;
    auto result = std::make_shared<std::optional<StatusOr<std::string>>>();
    connection_->Call(call, [result](StatusOr<std::string> given) { *result = std::move(given); });
    if (!RunUntil([&] { return result->has_value(); }, until + std::chrono::seconds(2))) {
      return "no answer within the limit";
    }
    return (*result)->ok() ? "OK" : Text((*result)->status());
  }

 private:
  static std::string Text(const Status& status) {
    return fmt::format("{}: {}", CodeName(static_cast<int>(status.code())), Message(status));
  }

  bool RunUntil(const std::function<bool()>& done, SteadyTime until) {
    for (;;) {
      executor_.RunReady();
      if (done()) return true;
      const Duration left = until - real_.Now();
      if (left <= Duration::zero()) return false;
      executor_.WaitForPost(std::min<Duration>(left, std::chrono::milliseconds(50)));
    }
  }

  RealClock real_;
  ManualClock clock_;
  ManualExecutor executor_{clock_};
  core::ConnectionOptions options_;
  std::shared_ptr<core::Runtime> runtime_;
  std::shared_ptr<core::Connection> connection_;
};

}  // namespace

std::unique_ptr<Client> MakeCoreClient(const Target& target) {
  return std::make_unique<CoreClient>(target);
}

}  // namespace squall::seen
