#include "fakes/engine/replay.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "fakes/engine/core.h"

namespace squall::fakes::engine {
namespace {

// What clients ask for often; any other read is kept like a change, which only costs space.
constexpr std::array<std::string_view, 9> kReads = {"Check",
                                                    "CountWorkflowExecutions",
                                                    "DescribeNamespace",
                                                    "DescribeWorkflowExecution",
                                                    "GetClusterInfo",
                                                    "GetSystemInfo",
                                                    "GetWorkflowExecutionHistory",
                                                    "GetWorkflowExecutionHistoryReverse",
                                                    "ListWorkflowExecutions"};

// FNV-1a over 64-bit words, which spread well enough for a comparison.
class Digest {
 public:
  void Add(std::uint64_t word) {
    for (int shift = 0; shift < 64; shift += 8) AddByte(static_cast<std::uint8_t>(word >> shift));
  }
  void Add(std::string_view text) {
    Add(text.size());
    for (const char c : text) AddByte(static_cast<std::uint8_t>(c));
  }
  std::uint64_t value() const { return value_; }

 private:
  void AddByte(std::uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001b3; }
  std::uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace

bool OnlyReads(const RpcRequest& request) {
  return std::find(kReads.begin(), kReads.end(), request.method) != kReads.end();
}

std::uint64_t StateDigest(const Core& core) {
  Digest digest;
  Rng drawn = core.rng;  // a copy: looking must not change what is drawn next
  digest.Add(drawn.Next());
  digest.Add(static_cast<std::uint64_t>(core.next_task_id));
  digest.Add(core.timers.size());
  if (const auto next = core.timers.NextDeadline()) {
    digest.Add(static_cast<std::uint64_t>(next->time_since_epoch().count()));
  }
  for (const auto& [name, ns] : core.namespaces.by_name()) {
    digest.Add(name);
    digest.Add(ns->id);
    digest.Add(ns->open_runs);
    digest.Add(ns->executions.size());
    digest.Add(ns->by_visibility.size());
  }
  return digest.value();
}

}  // namespace squall::fakes::engine
