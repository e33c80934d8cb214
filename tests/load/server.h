#pragma once
// squall-server as a process of its own, under load: started and ready, watched through /proc.

#include <optional>
#include <string>
#include <vector>

#include "base/journal/journal.h"
#include "harness/net/asio_executor.h"
#include "harness/process/process.h"

namespace squall::load {

// Stopped by the destructor. Loop thread only.
class Server {
 public:
  // Serves when this returns. `arguments` come behind the port.
  static StatusOr<std::unique_ptr<Server>> Start(harness::AsioExecutor& executor,
                                                 std::vector<std::string> arguments = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const { return port_; }
  double private_mib() const;
  double resident_mib() const;
  double cpu_ms() const;
  // Open descriptors: sockets and some others.
  int descriptors() const;
  // OK while it runs.
  Status alive() const;

 private:
  explicit Server(harness::AsioExecutor& executor) : executor_(executor) {}

  harness::AsioExecutor& executor_;
  journal::NullSink journal_;
  std::optional<harness::ChildProcess> process_;
  int port_ = 0;
};

}  // namespace squall::load
