#pragma once
// The drawing board of the tracks: lanes by name, items in them, and rows for what overlaps.
//
// Each track folds the kinds of event that it knows into items. A unit is one thing that may last,
// with all its items in one row; units of a lane that do not overlap share rows. Single-threaded.

#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/journal/event.h"
#include "reports/timeline.h"

namespace squall::reports {

inline constexpr std::size_t kNoUnit = std::numeric_limits<std::size_t>::max();

// What it is ("process exited"), then its own fields that are not empty, in the journal's order.
std::vector<Fact> FactsOf(const journal::Event& event);
// `later` over `facts`: new values replace, new keys follow.
void MergeFacts(std::vector<Fact>* facts, std::vector<Fact> later);

inline Duration At(const journal::Event& event) { return event.time.time_since_epoch(); }

// "CANCELLED (1)"; a number that is none of gRPC's as it is.
std::string StatusCodeText(int code);

class TimelineBuilder {
 public:
  explicit TimelineBuilder(std::size_t most_items) : most_items_(most_items) {}

  // The lane of this group and name, new where there is none. A note that is not empty replaces an
  // empty one.
  std::size_t LaneFor(LaneGroup group, const std::string& name, std::string_view note = "");

  // A thing in `lane` that begins now; Put and Extend with it move its end.
  std::size_t NewUnit(std::size_t lane, Duration begin);
  void Extend(std::size_t unit, Duration until);

  // In a fixed row of its lane.
  void Put(Item item);
  // In the unit's row.
  void Put(std::size_t unit, Item item);
  // As Put, but left out and counted when there are too many items already.
  void PutIfRoom(Item item);
  void PutIfRoom(std::size_t unit, Item item);

  void Shaded(Shade shade) { timeline_.shades.push_back(std::move(shade)); }
  Timeline& timeline() { return timeline_; }

  // Gives rows to units, orders lanes and items. `end` is the end of the picture.
  Timeline Finish(Duration end);

 private:
  struct Unit {
    std::size_t lane = 0;
    Duration begin{}, end{};
    int row = 0;
  };
  bool HasRoom();
  void Push(std::size_t unit, Item item);
  void GiveRows();
  void OrderLanes();

  const std::size_t most_items_;
  Timeline timeline_;
  std::map<std::pair<LaneGroup, std::string>, std::size_t> lanes_;
  std::vector<Unit> units_;
  std::vector<std::size_t> unit_of_;  // of each item
};

}  // namespace squall::reports
