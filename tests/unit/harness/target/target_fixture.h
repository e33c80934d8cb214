#pragma once
// A fake server on the test's loop, and calls that are waited for.

#include <optional>
#include <string>
#include <utility>

#include "base/util/rng.h"
#include "base/wire/certificates.h"
#include "harness/target/target.h"
#include "tests/support/harness_loop.h"
#include "tests/support/status_matchers.h"

namespace squall::harness {

class TargetTest : public ::squall::testing::HarnessLoop {
 protected:
  // What `action` calls back with: Wait<Status>([&](auto done) { server->Start(std::move(done));
  // }).
  template <typename T, typename Action>
  T Wait(Action action) {
    const auto result = std::make_shared<std::optional<T>>();
    action([result](T value) { *result = std::move(value); });
    Await([&] { return result->has_value(); }, "an answer", std::chrono::seconds(30));
    if (!result->has_value()) return T(absl::InternalError("no answer"));
    return **std::move(result);
  }
  Status Start(ServerUnderTest& server) {
    return Wait<Status>([&](Done done) { server.Start(std::move(std::move(done))); });
  }
  StatusOr<std::string> StartWorkflow(TemporalClient& client, std::string id,
                                      CallOptions how = {}) {
    return Wait<StatusOr<std::string>>([&](auto done) {
      client.StartWorkflow({.workflow_id = std::move(id),
                            .type = "Ping",
                            .task_queue = "q",
                            .arguments_json = {"1"}},
                           how, done);
    });
  }
  StatusOr<WorkflowDescription> Describe(TemporalClient& client, std::string id) {
    return Wait<StatusOr<WorkflowDescription>>(
        [&](auto done) { client.DescribeWorkflow(std::move(id), {}, done); });
  }
  StatusOr<SystemInfo> Info(TemporalClient& client, CallOptions how = {}) {
    return Wait<StatusOr<SystemInfo>>(
        [&](auto done) { client.GetSystemInfo(how, std::move(done)); });
  }
  std::unique_ptr<ServerUnderTest> MakeServerOf(ServerOptions options) {
    StatusOr<std::unique_ptr<ServerUnderTest>> server =
        MakeServer(executor_, journal_, std::move(options));
    EXPECT_OK(server);
    return server.ok() ? *std::move(server) : nullptr;
  }
  const wire::CertificateSet& Certificates() {
    if (!certificates_) {
      Rng rng(5);
      certificates_ = wire::MintCatalogue(clock_.WallNow(), rng);
    }
    return *certificates_;
  }

  std::optional<wire::CertificateSet> certificates_;
  ::squall::testing::TemporaryFolder folder_;
};

}  // namespace squall::harness
