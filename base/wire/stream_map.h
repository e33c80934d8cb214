#pragma once
// What is kept for each stream of a connection, found by the stream's number, and objects that are
// used again when their stream is over: a connection that has been busy for a while allocates
// nothing for another call.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace squall::wire {

// Values by stream number. Open addressing: numbers of one side count up by two, so that nearly all
// of them find their own place.
template <typename Value>
class StreamMap {
 public:
  // Null when there is none. Valid until the next Add or Remove: values that must stay where they
  // are stand behind a pointer.
  Value* Find(std::int32_t id) {
    const std::size_t at = Place(id);
    return at == kNone ? nullptr : &places_[at].value;
  }
  const Value* Find(std::int32_t id) const {
    const std::size_t at = Place(id);
    return at == kNone ? nullptr : &places_[at].value;
  }

  // Instead of what was there. Numbers are above zero.
  Value& Add(std::int32_t id, Value value) {
    if (Value* known = Find(id)) return *known = std::move(value);
    if (2 * (size_ + 1) > places_.size()) Grow();
    ++size_;
    return Put({id, std::move(value)});
  }

  // What was there; a Value{} when there was nothing.
  Value Remove(std::int32_t id) {
    std::size_t gap = Place(id);
    if (gap == kNone) return Value{};
    Value removed = std::exchange(places_[gap].value, Value{});
    places_[gap].id = 0;
    --size_;
    // Whatever was put further back because of it moves up: nothing is searched for behind a gap.
    for (std::size_t at = Next(gap); places_[at].id != 0; at = Next(at)) {
      const std::size_t wants = Home(places_[at].id);
      const bool reaches = gap <= at ? wants <= gap || wants > at : wants <= gap && wants > at;
      if (!reaches) continue;
      std::swap(places_[gap], places_[at]);
      gap = at;
    }
    return removed;
  }

  std::size_t size() const { return size_; }
  // In an order that nothing may depend on: for sums.
  void ForEach(const auto& look) const {
    for (const Entry& entry : places_) {
      if (entry.id != 0) look(entry.id, entry.value);
    }
  }

 private:
  struct Entry {
    std::int32_t id = 0;  // 0: free
    Value value{};
  };
  static constexpr std::size_t kNone = SIZE_MAX;

  std::size_t Home(std::int32_t id) const {
    return static_cast<std::uint32_t>(id) / 2 & (places_.size() - 1);
  }
  std::size_t Next(std::size_t at) const { return (at + 1) & (places_.size() - 1); }

  std::size_t Place(std::int32_t id) const {
    if (size_ == 0 || id <= 0) return kNone;
    for (std::size_t at = Home(id); places_[at].id != 0; at = Next(at)) {
      if (places_[at].id == id) return at;
    }
    return kNone;
  }

  Value& Put(Entry entry) {
    std::size_t at = Home(entry.id);
    while (places_[at].id != 0) at = Next(at);
    places_[at] = std::move(entry);
    return places_[at].value;
  }

  void Grow() {
    std::vector<Entry> old(places_.empty() ? 16 : 2 * places_.size());
    old.swap(places_);
    for (Entry& entry : old) {
      if (entry.id != 0) Put(std::move(entry));
    }
  }

  std::vector<Entry> places_;  // a power of two of them, at most half in use
  std::size_t size_ = 0;
};

// Objects that wait to be used again. T::Recycle() makes one as good as new, but for room that it
// keeps.
template <typename T>
class Spares {
 public:
  std::unique_ptr<T> Take() {
    if (spare_.empty()) return std::make_unique<T>();
    std::unique_ptr<T> taken = std::move(spare_.back());
    spare_.pop_back();
    return taken;
  }
  void Keep(std::unique_ptr<T> used) {
    if (used == nullptr || spare_.size() >= kMost) return;
    used->Recycle();
    spare_.push_back(std::move(used));
  }

 private:
  static constexpr std::size_t kMost = 128;  // a burst's worth; more is given back
  std::vector<std::unique_ptr<T>> spare_;
};

}  // namespace squall::wire
