#include "base/wire/stream_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/util/rng.h"

namespace squall::wire {
namespace {

// Streams that come and go in order, some of which stay for long: what a worker's connection has.
TEST(StreamMap, HoldsWhatAMapHolds) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    StreamMap<std::string> tried;
    std::map<std::int32_t, std::string> model;
    std::int32_t next = 1;
    for (int step = 0; step < 3000; ++step) {
      if (rng.Below(100) < 50) {
        const std::string text = std::to_string(next);
        EXPECT_EQ(tried.Add(next, text), text);
        model[next] = text;
        next += rng.Below(10) == 0 ? 2 + 2 * static_cast<std::int32_t>(rng.Below(40)) : 2;
      } else if (!model.empty()) {
        auto it = model.begin();
        std::advance(it, rng.Below(std::min<std::uint64_t>(model.size(), 40)));
        EXPECT_EQ(tried.Remove(it->first), it->second);
        EXPECT_EQ(tried.Find(it->first), nullptr);
        model.erase(it);
      }
      ASSERT_EQ(tried.size(), model.size());
    }
    std::map<std::int32_t, std::string> seen;
    tried.ForEach([&](std::int32_t id, const std::string& value) { seen[id] = value; });
    EXPECT_EQ(seen, model);
    for (const auto& [id, value] : model) {
      ASSERT_NE(tried.Find(id), nullptr) << "stream " << id << ", seed " << seed;
      EXPECT_EQ(*tried.Find(id), value);
    }
  }
}

TEST(StreamMap, KnowsNothingOfOtherNumbers) {
  StreamMap<int> map;
  EXPECT_EQ(map.Find(1), nullptr);
  EXPECT_EQ(map.Remove(1), 0);
  map.Add(5, 7);
  EXPECT_EQ(map.Find(0), nullptr);
  EXPECT_EQ(map.Find(-1), nullptr);
  EXPECT_EQ(map.Find(37), nullptr) << "the same place in a table of sixteen";
  map.Add(5, 8);
  EXPECT_EQ(*map.Find(5), 8);
  EXPECT_EQ(map.size(), 1u);
}

struct Used {
  std::string room;
  int recycled = 0;
  void Recycle() {
    room.clear();
    ++recycled;
  }
};

TEST(Spares, GivesOutWhatItWasGiven) {
  Spares<Used> spares;
  std::unique_ptr<Used> first = spares.Take();
  first->room.assign(1000, 'x');
  const Used* const at = first.get();
  spares.Keep(std::move(first));
  const std::unique_ptr<Used> again = spares.Take();
  EXPECT_EQ(again.get(), at);
  EXPECT_EQ(again->recycled, 1);
  EXPECT_GE(again->room.capacity(), 1000u);
  EXPECT_EQ(spares.Take()->recycled, 0);
}

}  // namespace
}  // namespace squall::wire
