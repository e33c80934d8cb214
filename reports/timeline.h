#pragma once
// One subject's journal as a picture on one clock: lanes, and in them bars and marks. A pure
// function of events; the page (reports/html.h) only draws what stands here.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/event.h"
#include "base/journal/verdict.h"
#include "base/util/clock.h"

namespace squall::reports {

// What a lane shows; lanes stand in this order.
enum class LaneGroup {
  kChecks,
  kSteps,
  kFaults,
  kProcesses,
  kConnections,
  kCalls,
  kPollers,
  kWorkflows,
  kLogs,
};
// "checks", "steps", ...
std::string_view LaneGroupName(LaneGroup group);

// kQuiet: background. kPlain: as it goes. kGood: a goal reached. kWarn: done on purpose, or worth a
// look. kBad: failed.
enum class Tone { kQuiet, kPlain, kGood, kWarn, kBad };

// How an item is drawn. The first four are bars: they last. The others are marks: they happen.
enum class Look {
  kBar,      // in force
  kPending,  // begun, not yet in force: a process before it is ready, a call not yet accepted
  kPaused,   // stopped and not running
  kWaiting,  // until the next attempt
  kDot,
  kRing,
  kCross,
  kTick,
  kDiamond,
  kFlag,
};
constexpr bool IsBar(Look look) { return look <= Look::kWaiting; }

// What an event says besides: the journal's own field names; durations are written out.
struct Fact {
  std::string key, value;
  bool operator==(const Fact&) const = default;
};

struct Item {
  std::size_t lane = 0;
  int row = 0;              // in the lane, from the top
  Duration begin{}, end{};  // since the journal was opened; equal for marks
  Look look = Look::kDot;
  Tone tone = Tone::kPlain;
  bool open = false;  // its end was not seen
  std::string label;  // short: it is written into the bar
  std::vector<Fact> facts;
  std::uint64_t sequence = 0;  // of the event that began it: its line in the journal
};

struct Lane {
  LaneGroup group = LaneGroup::kSteps;
  std::string name;
  std::string note;  // what kind of thing it is: "server", "worker"
  int rows = 1;
};

// A fault in force: shaded over all lanes.
struct Shade {
  Duration begin{}, end{};
  bool open = false;  // never healed
  std::string label;
};

// A check that did not pass.
struct Violation {
  Duration at{};
  bool placed = false;  // false: `at` is when it was judged, not where it broke
  journal::Outcome outcome = journal::Outcome::kFail;
  std::string check, expected, happened;
};

struct Timeline {
  std::string scenario, subject, world;
  std::map<std::string, std::string> versions;
  WallTime origin{};  // calendar time of 0
  Duration end{};     // of the last event
  std::optional<Duration> judging, finished;
  std::vector<Lane> lanes;  // in the order of their groups, then of appearance
  std::vector<Item> items;  // ordered by begin
  std::vector<Shade> shades;
  std::vector<Violation> violations;  // ordered by time
  std::size_t events = 0;             // of the journal
  std::size_t left_out = 0;           // items for which there was no room
};

struct TimelineOptions {
  // Where checks broke, by name; from the fold over the journal that judged them.
  std::map<std::string, SteadyTime> broke_at;
  // Beyond these, lines of output, calls and polls are counted only.
  std::size_t most_items = 250'000;
  // Workflows with a lane of their own; the others share one.
  std::size_t most_workflow_lanes = 40;
};

Timeline TimelineOf(std::span<const journal::Event> events, const TimelineOptions& options = {});

}  // namespace squall::reports
