#include "sim/run/determinism.h"

#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <string_view>

#include "sim/run/child.h"

namespace squall::sim {
namespace {

std::vector<std::string> Arguments(const SeedRunOptions& options, std::uint64_t seed) {
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

}  // namespace

int CheckDeterminism(std::uint64_t from, std::uint64_t to, int jobs,
                     const SeedRunOptions& options) {
  Children children(jobs, kRunLimitMs);
  std::uint64_t same = 0, different = 0;
  std::map<std::uint64_t, ChildResult> first;
  std::map<std::uint64_t, int> journals;
  const auto compare = [&](std::uint64_t seed, const ChildResult& result) {
    const auto other = first.extract(seed);
    if (other.empty()) {
      first.emplace(seed, result);
      return;
    }
    const auto a = FromText(other.mapped().text), b = FromText(result.text);
    if (a.ok() && b.ok() && a->SameAs(*b)) {
      ++same;
      return;
    }
    ++different;
    if (!a.ok() || !b.ok()) {
      // Runs that did not end tell why; the same reason twice is the same run.
      if (other.mapped().text == result.text && !result.text.empty()) {
        --different;
        ++same;
        return;
      }
      std::printf("seed %lu: a run did not end: %s | %s\n", seed, other.mapped().text.c_str(),
                  result.text.c_str());
      return;
    }
    const auto [line_a, line_b] = FirstDifference(a->journal, b->journal);
    if (a->journal != b->journal) {
      std::printf("seed %lu differs, first in\n  %.*s\n  %.*s\n", seed,
                  static_cast<int>(line_a.size()), line_a.data(), static_cast<int>(line_b.size()),
                  line_b.data());
    } else {
      std::printf(
          "seed %lu differs in the scheduler's choices only: compare two of --seed %lu --trace "
          "FILE\n",
          seed, seed);
    }
  };
  for (std::uint64_t seed = from; seed <= to; ++seed) {
    SeedRunOptions forked = options;
    forked.run.seed = seed;
    forked.story = true;
    children.Fork([forked] { return ToText(RunSeed(forked)); },
                  [&, seed](const ChildResult& result) { compare(seed, result); });
    children.Execute(Arguments(options, seed),
                     [&, seed](const ChildResult& result) { compare(seed, result); });
  }
  children.Wait();
  std::printf("%lu of %lu seeds are the same in a forked child and in a fresh process\n", same,
              same + different);
  return different == 0 ? 0 : 1;
}

}  // namespace squall::sim
