#pragma once
// The folds from events to items, each for some kinds of event. Observe takes every event of such a
// kind in order; Finish ends what is still open.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/journal/event.h"
#include "reports/timeline_builder.h"

namespace squall::reports {

// process, worker, log: one lane for each process, its life above, what its worker tells below; its
// lines of output in a lane of their own.
class ProcessTrack {
 public:
  explicit ProcessTrack(TimelineBuilder& board) : board_(board) {}
  void Observe(const journal::Event& event, const journal::ProcessEvent& process);
  void Observe(const journal::Event& event, const journal::WorkerEvent& worker);
  void Observe(const journal::Event& event, const journal::LogEvent& log);
  void Finish(Duration end);

 private:
  struct Life {
    Duration begin{};
    std::optional<Duration> ready, paused;
    std::vector<Fact> facts;
    std::uint64_t sequence = 0;
  };
  void End(const std::string& name, Duration at, bool open, Tone tone);

  TimelineBuilder& board_;
  std::map<std::string, Life> alive_;
  std::vector<std::pair<Item, Duration>> waits_;  // announced: their end may lie beyond the journal
};

// connection: one lane for each link. In its first row every attempt, so that a back-off is seen;
// below, the connections that came of them.
class ConnectionTrack {
 public:
  explicit ConnectionTrack(TimelineBuilder& board) : board_(board) {}
  void Observe(const journal::Event& event, const journal::ConnectionEvent& connection);
  void Finish(Duration end);

 private:
  struct Life {
    std::size_t lane = 0;
    Duration begin{};
    std::optional<Duration> accepted, established;
    bool ended = false;
    std::vector<Fact> facts;
    std::uint64_t sequence = 0;
    std::uint64_t number = 0;
  };
  // The unit of its bars; kNoUnit where it lasted no time.
  std::size_t Draw(const Life& life, Duration until, Look attempt, Tone tone, bool open);

  TimelineBuilder& board_;
  std::map<std::pair<std::string, std::uint64_t>, Life> lives_;
};

// rpc, poller: a lane for each method, and one for each task queue with its pollers.
class CallTrack {
 public:
  explicit CallTrack(TimelineBuilder& board) : board_(board) {}
  void Observe(const journal::Event& event, const journal::RpcEvent& rpc);
  void Observe(const journal::Event& event, const journal::PollerEvent& poller);
  void Finish(Duration end);

 private:
  struct Begun {
    std::size_t lane = 0;
    Duration begin{};
    std::string label;
    std::vector<Fact> facts;
    std::uint64_t sequence = 0;
  };
  TimelineBuilder& board_;
  std::map<std::pair<std::string, std::uint64_t>, Begun> calls_;
  std::map<std::pair<std::size_t, std::string>, Begun> pollers_;
};

// workflow, activity: a lane for each workflow, its own life above, its activities below with an
// item for each attempt.
class WorkTrack {
 public:
  WorkTrack(TimelineBuilder& board, std::size_t most_lanes)
      : board_(board), most_lanes_(most_lanes) {}
  void Observe(const journal::Event& event, const journal::WorkflowEvent& workflow);
  void Observe(const journal::Event& event, const journal::ActivityEvent& activity);
  void Finish(Duration end);

 private:
  struct Life {
    std::size_t unit = kNoUnit;
    Duration begin{};
    std::optional<Duration> accepted;
    std::vector<Fact> facts;
    std::uint64_t sequence = 0;
    bool over = false;
  };
  struct Activity {
    std::size_t unit = kNoUnit;
    Duration since{};  // of what goes on now
    enum class Phase { kScheduled, kRunning, kBetween, kClosed } phase = Phase::kScheduled;
    int attempt = 0;
    std::vector<Fact> facts;
    std::string label;
    std::uint64_t sequence = 0;
  };
  std::size_t LaneOf(const std::string& workflow_id);
  void Draw(const Life& life, Duration until, Tone tone, bool open);
  void Draw(const Activity& activity, Duration until, Tone tone, bool open);

  TimelineBuilder& board_;
  const std::size_t most_lanes_;
  std::map<std::string, std::size_t> lanes_;
  std::map<std::string, Life> lives_;
  std::map<std::pair<std::string, std::string>, Activity> activities_;
};

}  // namespace squall::reports
