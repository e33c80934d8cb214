#pragma once
// Which faults met which phase of a worker's life: what a campaign has really tried.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "base/journal/event.h"

namespace squall::sim {

// How often a kind of fault was put into force in a phase, and how often traffic met it there.
struct HitCount {
  std::uint64_t injected = 0, met = 0;
};
// By fault ("link stall", "server kill") and phase (one of Phases()).
using HitTable = std::map<std::pair<std::string, std::string>, HitCount>;

// starting, idle, working, reconnecting, stopping, down: of each worker that the fault concerns.
std::span<const std::string_view> Phases();

HitTable HitsOf(std::span<const journal::Event> events);
void Add(HitTable& sum, const HitTable& more);
// A Markdown table: a row for each fault, a column for each phase, "injected / met" in it.
std::string ToMarkdown(const HitTable& table);

}  // namespace squall::sim
