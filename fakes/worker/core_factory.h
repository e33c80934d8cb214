#pragma once
// The HostFactory of real processes: connections and workers of the production core.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/worker.h"
#include "core/worker/registry.h"
#include "fakes/worker/host.h"

namespace squall::fakes {

struct CoreFactoryOptions {
  core::ConnectionOptions connection;
  core::WorkerOptions worker;  // namespace, task queue, pollers, cache, graceful_shutdown_period
  int activity_threads = 4;    // for blocking activities
};

class CoreFactory final : public HostFactory {
 public:
  // `registry` and `executor` must outlive the factory and what it makes. Destroy it on the
  // executor's thread.
  CoreFactory(std::shared_ptr<core::Runtime> runtime, const core::Registry& registry,
              Executor& executor, CoreFactoryOptions options);

  std::function<void()> Connect(
      std::function<void(StatusOr<std::shared_ptr<HostConnection>>)> callback) override;
  void MakeWorker(std::shared_ptr<HostConnection> connection,
                  core::WorkerRunner::Listener& listener, std::weak_ptr<void> alive,
                  std::function<void(StatusOr<std::unique_ptr<HostWorker>>)> callback) override;

 private:
  const std::shared_ptr<core::Runtime> runtime_;
  const core::Registry& registry_;
  Executor& executor_;
  const CoreFactoryOptions options_;
  std::map<std::uint64_t, std::unique_ptr<core::Worker>> validating_;
  std::uint64_t last_validation_ = 0;
};

}  // namespace squall::fakes
