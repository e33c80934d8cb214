#pragma once
// Runs in processes of their own: forked from this one before anything of a simulation has begun
// here, or freshly executed.
//
// A forked child starts in milliseconds and has everything that a new process has anew: hash seeds,
// generators, descriptors. A fresh one also gets other addresses. Both end when this process does.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace squall::sim {

// Real time that a run may take before it counts as hanging.
inline constexpr int kRunLimitMs = 120'000;

// Keeps this process on one of the machine's processors: its threads take turns, and hand over
// fastest where they all run. Processes of different numbers share the processors.
void StayOnOneProcessor(std::size_t number);

// Becomes this program anew, with all names of its libraries resolved; returns if it is that
// already. Forked runs would each look up what they call.
void ResolveNamesAtStart();

struct ChildResult {
  std::string text;   // what the child's work returned, or what was said when it failed
  int exit_code = 0;  // 0 when the work returned
  int signal = 0;     // that ended it
  bool timed_out = false;
};

class Children {
 public:
  // `at_once`: how many run side by side. A child that takes longer than `limit_ms` of real time is
  // killed.
  Children(int at_once, int limit_ms);
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  // Forks a child that returns what `work` returns. Waits while too many run.
  void Fork(std::function<std::string()> work, std::function<void(const ChildResult&)> done);
  // Executes this program anew with these arguments; what it writes to its standard output is the
  // result.
  void Execute(std::vector<std::string> arguments, std::function<void(const ChildResult&)> done);
  // Until all have ended.
  void Wait();

 private:
  struct Child;
  void Start(const std::function<void(int output)>& body,
             std::function<void(const ChildResult&)> done);
  // Until one has ended.
  void Reap();

  const std::size_t at_once_;
  const int limit_ms_;
  std::size_t started_ = 0;
  std::vector<Child> children_;
};

}  // namespace squall::sim
