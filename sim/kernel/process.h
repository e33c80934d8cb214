#pragma once
// A simulated process: some of the program's threads, with an identity, an environment and an
// output of their own.
//
// A thread belongs to the process of the thread that started it. Process 0 is the world itself: the
// step machine, the servers and the network. A process that is dead or stopped keeps its threads,
// which are never chosen again: what SIGKILL and SIGSTOP do, in the middle of whatever they were
// at.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace squall::sim {

struct Process {
  int id = 0;  // what getpid tells
  std::string name = "world";
  std::string host = "sim";
  std::map<std::string, std::string> environment;

  // Its calendar: so much off (nanoseconds) at the moment `wall_since`, and running so fast from
  // then on. Durations are everybody's.
  std::int64_t wall_offset = 0, wall_since = 0;
  double wall_rate = 1;

  bool dead = false;
  bool stopped = false;
  int exit_code = 0;        // once dead, when it ended by itself
  int killed_by = 0;        // once dead, when a signal ended it
  std::deque<int> signals;  // sent, and not yet taken by sigwait

  // Whole lines of standard output and error. Called with the baton, on the writer's thread.
  std::function<void(bool is_error, std::string_view line)> on_line;
  // It has ended, by itself or by a signal. Called with the baton, on any thread.
  std::function<void(Process&)> on_end;

  std::string unfinished[2];  // what stands after the last line break, of output and error

  bool frozen() const { return dead || stopped; }
};

// Takes bytes that a process writes to its standard output (fd 1) or error (fd 2).
void WriteOutput(Process& process, int fd, std::string_view bytes);

}  // namespace squall::sim
