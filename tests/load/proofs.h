#pragma once
// The proofs of issue 4, "Load". Each starts a squall-server of its own, prints the rows of a
// Markdown table (what, figure) as it goes, and fails when something is lost, wrong or not flat.

#include <cstddef>

#include "base/util/status.h"
#include "harness/net/asio_executor.h"

namespace squall::load {

inline double Millis(Duration d) { return static_cast<double>(d.count()) / 1e6; }

struct PollSettings {
  std::size_t connections = 2000;
  std::size_t polls = 10000;  // in all; a multiple of `connections`
  std::size_t queues = 500;   // `connections` is an even multiple of it
  // How long they are held before something happens, for the server's time while it only holds.
  Duration held = std::chrono::seconds(10);
};
// Polls that are held: released by work, taken away by the end of connections and of streams. Each
// task must come to exactly one poll that is still there.
Status ProvePolls(harness::AsioExecutor& executor, const PollSettings& settings);

struct WorkflowSettings {
  std::size_t workflows = 100000;
  std::size_t connections = 20;
  std::size_t calls = 400;  // in progress at once
};
// Workflows that are open at once: started, described, listed, counted, signalled; then half are
// completed by a worker, half terminated; then all are deleted.
Status ProveWorkflows(harness::AsioExecutor& executor, const WorkflowSettings& settings);

struct SoakSettings {
  Duration duration = std::chrono::hours(1);
  double per_second = 100;  // workflows begun
  Duration sample = std::chrono::seconds(5);
};
// Workflows of several kinds begin at a steady rate, end and are deleted; connections come and go.
// The server's private memory at the end is what it was behind the warm-up.
Status ProveSoak(harness::AsioExecutor& executor, const SoakSettings& settings);

}  // namespace squall::load
