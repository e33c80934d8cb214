#include "reports/timeline_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "base/util/status.h"

namespace squall::reports {
namespace {

// More than can be told apart by eye; what does not fit lies over the row that is free first.
constexpr std::size_t kMostRows = 14;

struct FactWriter {
  std::vector<Fact>& out;
  void Add(std::string_view name, std::string value) {
    if (!value.empty()) out.push_back({std::string(name), std::move(value)});
  }
  void operator()(const char* name, const std::string& v) { Add(name, v); }
  void operator()(const char* name, std::uint64_t v) {
    if (v != 0) Add(name, std::to_string(v));
  }
  void operator()(const char* name, std::int64_t v) {
    if (v != 0) Add(name, std::to_string(v));
  }
  void operator()(const char* name, int v) {
    if (v != 0) Add(name, std::to_string(v));
  }
  void operator()(const char* name, Duration v) {
    std::string_view key = name;
    if (key.ends_with("_ns")) key.remove_suffix(3);
    if (v != Duration::zero()) Add(key, FormatDuration(v));
  }
  void operator()(const char* name, const std::optional<int>& v) {
    if (!v) return;
    Add(name, std::string_view(name) == "code" ? StatusCodeText(*v) : std::to_string(*v));
  }
  void operator()(const char* name, const std::vector<std::string>& v) {
    Add(name, fmt::format("{}", fmt::join(v, ", ")));
  }
  void operator()(const char* name, const std::map<std::string, std::string>& v) {
    std::vector<std::string> parts;
    for (const auto& [key, value] : v) parts.push_back(fmt::format("{} {}", key, value));
    Add(name, fmt::format("{}", fmt::join(parts, ", ")));
  }
};

}  // namespace

std::string StatusCodeText(int code) {
  const std::string_view name = CodeName(code);
  if (CodeFromName(name) != code) return std::to_string(code);  // no code of gRPC's
  return fmt::format("{} ({})", name, code);
}

std::vector<Fact> FactsOf(const journal::Event& event) {
  std::vector<Fact> facts;
  facts.push_back({"event", fmt::format("{} {}", event.kind(), event.what())});
  // Visit takes the fields by reference; a copy keeps the event const.
  std::visit([&facts](auto payload) { payload.Visit(FactWriter{facts}); }, event.payload);
  if (!event.source.empty()) facts.push_back({"source", event.source});
  return facts;
}

void MergeFacts(std::vector<Fact>* facts, std::vector<Fact> later) {
  for (Fact& fact : later) {
    const auto it = std::find_if(facts->begin(), facts->end(),
                                 [&](const Fact& have) { return have.key == fact.key; });
    if (it == facts->end()) {
      facts->push_back(std::move(fact));
    } else {
      it->value = std::move(fact.value);
    }
  }
}

std::size_t TimelineBuilder::LaneFor(LaneGroup group, const std::string& name,
                                     std::string_view note) {
  const auto [it, added] = lanes_.try_emplace({group, name}, timeline_.lanes.size());
  if (added) timeline_.lanes.push_back({.group = group, .name = name, .note = {}, .rows = 1});
  Lane& lane = timeline_.lanes[it->second];
  if (lane.note.empty()) lane.note = note;
  return it->second;
}

std::size_t TimelineBuilder::NewUnit(std::size_t lane, Duration begin) {
  units_.push_back({.lane = lane, .begin = begin, .end = begin, .row = 0});
  return units_.size() - 1;
}

void TimelineBuilder::Extend(std::size_t unit, Duration until) {
  units_[unit].end = std::max(units_[unit].end, until);
}

void TimelineBuilder::Put(Item item) { Push(kNoUnit, std::move(item)); }

void TimelineBuilder::Put(std::size_t unit, Item item) {
  item.lane = units_[unit].lane;
  Extend(unit, item.end);
  Push(unit, std::move(item));
}

void TimelineBuilder::PutIfRoom(Item item) {
  if (HasRoom()) Push(kNoUnit, std::move(item));
}

void TimelineBuilder::PutIfRoom(std::size_t unit, Item item) {
  if (HasRoom()) Put(unit, std::move(item));
}

bool TimelineBuilder::HasRoom() {
  if (timeline_.items.size() < most_items_) return true;
  ++timeline_.left_out;
  return false;
}

void TimelineBuilder::Push(std::size_t unit, Item item) {
  timeline_.items.push_back(std::move(item));
  unit_of_.push_back(unit);
}

Timeline TimelineBuilder::Finish(Duration end) {
  timeline_.end = end;
  GiveRows();
  OrderLanes();
  std::stable_sort(timeline_.items.begin(), timeline_.items.end(),
                   [](const Item& a, const Item& b) { return a.begin < b.begin; });
  std::stable_sort(timeline_.violations.begin(), timeline_.violations.end(),
                   [](const Violation& a, const Violation& b) { return a.at < b.at; });
  return std::move(timeline_);
}

// First fit in the order of their begin, below the fixed rows of their lane.
void TimelineBuilder::GiveRows() {
  std::vector<int> fixed(timeline_.lanes.size(), 0);
  for (std::size_t i = 0; i < unit_of_.size(); ++i) {
    const Item& item = timeline_.items[i];
    if (unit_of_[i] == kNoUnit) fixed[item.lane] = std::max(fixed[item.lane], item.row + 1);
  }
  std::vector<std::size_t> order(units_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
    return units_[a].begin < units_[b].begin;
  });
  std::vector<std::vector<Duration>> busy(timeline_.lanes.size());  // until when, by row
  for (const std::size_t index : order) {
    Unit& unit = units_[index];
    std::vector<Duration>& rows = busy[unit.lane];
    auto row = std::find_if(rows.begin(), rows.end(),
                            [&unit](Duration until) { return until < unit.begin; });
    if (row == rows.end()) {
      if (rows.size() < kMostRows) {
        row = rows.insert(rows.end(), Duration::zero());
      } else {
        row = std::min_element(rows.begin(), rows.end());
      }
    }
    *row = std::max(*row, unit.end);
    unit.row = fixed[unit.lane] + static_cast<int>(row - rows.begin());
  }
  for (std::size_t i = 0; i < unit_of_.size(); ++i) {
    if (unit_of_[i] != kNoUnit) timeline_.items[i].row = units_[unit_of_[i]].row;
  }
  for (std::size_t i = 0; i < timeline_.lanes.size(); ++i) {
    timeline_.lanes[i].rows = std::max(1, fixed[i] + static_cast<int>(busy[i].size()));
  }
}

void TimelineBuilder::OrderLanes() {
  std::vector<std::size_t> order(timeline_.lanes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
    return timeline_.lanes[a].group < timeline_.lanes[b].group;
  });
  std::vector<std::size_t> moved(order.size());
  std::vector<Lane> lanes;
  lanes.reserve(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    moved[order[i]] = i;
    lanes.push_back(std::move(timeline_.lanes[order[i]]));
  }
  timeline_.lanes = std::move(lanes);
  for (Item& item : timeline_.items) item.lane = moved[item.lane];
}

}  // namespace squall::reports
