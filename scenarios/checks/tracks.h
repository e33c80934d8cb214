#pragma once
// What several checkers follow: the lives of a process, what is disturbed at the moment, and who
// polls.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/event.h"
#include "base/util/clock.h"
#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {

// "3.20s" of a journal time, for "at 3.20s".
std::string At(SteadyTime time);
// "w", "w and x", "w, x and 3 more".
std::string Listed(const std::vector<std::string>& names, std::size_t shown = 4);
// "3 workflows", "1 workflow".
std::string Counted(std::size_t n, std::string_view noun);

// The lives of one process, from its process events.
class ProcessTrack {
 public:
  struct Life {
    SteadyTime started;
    std::optional<SteadyTime> ready, ended;
    std::int64_t pid = 0;
    std::optional<int> exit_code, signal;
    std::string reason;  // asked, injected, unexpected
    std::string detail;  // last lines
    bool start_failed = false;

    // "exited with code 1 after 0.31s, which nobody had asked for".
    std::string DescribeEnd() const;
    // The same, with its last lines of output below.
    std::string DescribeEndFully() const;
  };

  explicit ProcessTrack(std::string process) : process_(std::move(process)) {}

  // True when the event was about this process.
  bool Observe(const journal::Event& event);

  const std::string& process() const { return process_; }
  const std::vector<Life>& lives() const { return lives_; }
  // The life that goes on now; null when none does.
  const Life* current() const;
  bool up() const { return current() != nullptr; }
  bool paused() const { return paused_; }

 private:
  std::string process_;
  std::vector<Life> lives_;
  bool paused_ = false;
};

// What keeps the system from being well at the moment: faults in force, and servers or ingresses
// that are down or paused. Liveness may be asked for only while it is calm.
class Disturbances {
 public:
  void Observe(const journal::Event& event);

  // Nothing is in force or down, and a server has been ready.
  bool calm() const { return in_force_.empty() && servers_down_.empty() && server_seen_; }
  // The last time at which something was restored: a fault healed (or was over at once), a server
  // ready again, resumed, or ready for the first time after a worker had been started.
  std::optional<SteadyTime> restored() const { return restored_; }
  // When that restoration began: what is seen from then on may be its effect, though the event that
  // ends it comes later.
  std::optional<SteadyTime> restoring_since() const { return restoring_since_; }
  // "refuse on w->temporal was healed", for messages.
  const std::string& restored_by() const { return restored_by_; }

 private:
  const FaultDefinition* Definition(const journal::FaultEvent& fault) const;
  void Restored(SteadyTime began, SteadyTime ended, std::string by);

  struct Fault {
    std::string fault, target;
    SteadyTime healing;
  };
  struct Server {
    SteadyTime starting;
    bool was_up = false;
    bool late = false;  // workers were started before it
  };
  std::map<std::string, Fault> in_force_;
  std::map<std::string, Server> servers_;
  std::set<std::string> servers_down_;
  std::set<std::string> workers_;
  bool server_seen_ = false;
  std::optional<SteadyTime> restored_, restoring_since_;
  std::string restored_by_;
};

// Evidence that a worker, or anybody, polls a task queue. A worker's polls are known by its queue;
// where another worker shares the queue, by an identity that carries the worker's name or process
// id.
class PollWatch {
 public:
  // Either may be empty: without a queue the worker's own lines tell it, and until then every queue
  // that no other worker claims counts; without a worker everybody counts. `fresh`: how old a
  // poller in DescribeTaskQueue may be to count as polling (a parked long poll was last seen when
  // it arrived).
  PollWatch(std::string worker, std::string queue, Duration fresh)
      : worker_(std::move(worker)), queue_(std::move(queue)), fresh_(fresh) {}

  struct Evidence {
    SteadyTime since;  // when the poll began
    std::string what;  // "poll of queue q arrived"
  };
  // What this event shows, if it shows something.
  std::optional<Evidence> Observe(const journal::Event& event);

  // Whether the server holds a poll now; only servers that are ours tell.
  bool held() const { return !held_.empty(); }
  const std::string& queue() const { return queue_; }

 private:
  bool Ours(std::string_view queue, std::string_view identity) const;

  std::string worker_, queue_;
  Duration fresh_;
  std::set<std::int64_t> pids_;
  std::map<std::string, std::string> others_;  // worker -> queue
  std::set<std::string> held_;
};

}  // namespace squall::scenarios
