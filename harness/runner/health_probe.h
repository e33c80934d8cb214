#pragma once
// Asks a process's HTTP health page, as a container platform does, and tells the journal when its
// answer changes.

#include <memory>
#include <string>

#include "base/journal/journal.h"
#include "harness/net/asio_executor.h"
#include "harness/net/port.h"

namespace squall::harness {

// Journal (source "probe:WORKER"): worker.healthy with the status line once it answers 2xx,
// worker.unhealthy with the reason once it was healthy and answers no more. Every `interval`, each
// try bounded by it too. Loop thread only.
class HealthProbe {
 public:
  HealthProbe(AsioExecutor& executor, journal::Sink& journal, std::string worker, HostPort where,
              std::string path, Duration interval = std::chrono::milliseconds(250));
  ~HealthProbe();
  HealthProbe(const HealthProbe&) = delete;
  HealthProbe& operator=(const HealthProbe&) = delete;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace squall::harness
