#include "sim/run/determinism.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

#include "sim/run/warm.h"

namespace squall::sim {
namespace {

// The first line in which two texts differ, of each.
std::pair<std::string_view, std::string_view> FirstDifference(std::string_view a,
                                                              std::string_view b) {
  for (;;) {
    const std::string_view line_a = a.substr(0, a.find('\n')), line_b = b.substr(0, b.find('\n'));
    if (line_a != line_b || a.empty() || b.empty()) return {line_a, line_b};
    a.remove_prefix(std::min(a.size(), line_a.size() + 1));
    b.remove_prefix(std::min(b.size(), line_b.size() + 1));
  }
}

// "" when two runs of a seed are the same.
std::string DifferenceOf(std::uint64_t seed, const ChildResult& one, const ChildResult& other) {
  const auto a = FromText(one.text), b = FromText(other.text);
  if (a.ok() && b.ok() && a->SameAs(*b)) return "";
  if (!a.ok() || !b.ok()) {
    // Runs that did not end tell why; the same reason twice is the same run.
    if (one.text == other.text && !one.text.empty()) return "";
    return fmt::format("seed {}: a run did not end: {} | {}\n", seed, one.text, other.text);
  }
  if (a->journal == b->journal)
    return fmt::format(
        "seed {0} differs in the scheduler's choices only: compare two of --seed {0} --trace "
        "FILE\n",
        seed);
  const auto [line_a, line_b] = FirstDifference(a->journal, b->journal);
  return fmt::format("seed {} differs, first in\n  {}\n  {}\n", seed, line_a, line_b);
}

}  // namespace

std::vector<std::string> FreshArguments(const SeedRunOptions& options, std::uint64_t seed) {
  std::vector<std::string> arguments = {
      "--seed",
      std::to_string(seed),
      "--report",
      "--threads",
      std::to_string(options.run.world.core_threads),
      "--transport",
      options.run.world.transport == Transport::kCalls ? "calls" : "sockets"};
  if (!options.scenario_file.empty())
    arguments.insert(arguments.end(), {"--scenario", options.scenario_file});
  if (options.hazards) arguments.push_back("--hazards");
  if (!options.subject.empty()) arguments.insert(arguments.end(), {"--subject", options.subject});
  if (!options.run.leak.empty()) arguments.insert(arguments.end(), {"--plant", options.run.leak});
  return arguments;
}

std::string Pairs::Take(std::uint64_t seed, const ChildResult& result) {
  const auto other = first_.extract(seed);
  if (other.empty()) {
    first_.emplace(seed, result);
    return "";
  }
  std::string difference = DifferenceOf(seed, other.mapped(), result);
  ++(difference.empty() ? same_ : different_);
  return difference;
}

int CheckDeterminism(std::uint64_t from, std::uint64_t to, int jobs, SeedRunOptions options) {
  WarmForks(options.run.world.transport);
  ReadOnce(options);
  Children children(jobs, kRunLimitMs);
  Pairs pairs;
  const auto take = [&pairs](std::uint64_t seed, const ChildResult& result) {
    std::fputs(pairs.Take(seed, result).c_str(), stdout);
  };
  for (std::uint64_t seed = from; seed <= to; ++seed) {
    SeedRunOptions forked = options;
    forked.run.seed = seed;
    forked.story = true;
    children.Fork([forked] { return ToText(RunSeed(forked)); },
                  [take, seed](const ChildResult& result) { take(seed, result); });
    children.Execute(FreshArguments(options, seed),
                     [take, seed](const ChildResult& result) { take(seed, result); });
  }
  children.Wait();
  std::printf("%lu of %lu seeds are the same in a forked child and in a fresh process\n",
              pairs.same(), pairs.same() + pairs.different());
  return pairs.different() == 0 ? 0 : 1;
}

}  // namespace squall::sim
