#include "sim/run/swarm.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "base/util/clock.h"
#include "base/util/rng.h"
#include "sim/run/child.h"
#include "sim/run/determinism.h"
#include "sim/run/test_file.h"
#include "sim/run/warm.h"
#include "sim/swarm/hits.h"
#include "sim/swarm/shrink.h"

namespace squall::sim {
namespace {

// More than these tell nothing new.
constexpr std::size_t kJournalsMax = 20;
// So many seeds are tried for each step of shrinking.
constexpr std::uint64_t kLuck = 3;

void Say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// Of lists of checks, "a, b". A smaller scenario may be judged more strictly.
bool HasAllOf(const std::string& list, const std::string& wanted) {
  for (std::size_t at = 0; at < wanted.size();) {
    const std::size_t end = std::min(wanted.find(", ", at), wanted.size());
    if ((", " + list + ",").find(", " + wanted.substr(at, end - at) + ",") == std::string::npos)
      return false;
    at = end + 2;
  }
  return true;
}

class Campaign {
 public:
  explicit Campaign(const SwarmOptions& options)
      : options_(options), children_(options.jobs, kRunLimitMs) {}

  int Run() {
    WarmForks(options_.run.run.world.transport);
    ReadOnce(options_.run);
    const SteadyTime begun = clock_.Now();
    const auto limit =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options_.minutes * 60));
    for (std::uint64_t seed = options_.from; !options_.to || seed <= *options_.to; ++seed) {
      if (options_.minutes > 0 && clock_.Now() - begun >= limit) break;
      if (options_.stop_at_first && !bad_.empty()) break;
      Start(seed);
    }
    children_.Wait();
    const double real = std::chrono::duration<double>(clock_.Now() - begun).count();
    for (std::size_t i = 0; i < bad_.size(); ++i) {
      if (i > 0 && options_.stop_at_first) break;
      if (!options_.out.empty() && i < kJournalsMax) WriteJournal(bad_[i]);
      if (!options_.shrink.empty()) ShrinkFailure(bad_[i]);
    }
    if (!options_.hits.empty()) WriteHits();
    Say(fmt::format(
        "{} of {} seeds passed in {:.1f} s ({:.1f} a second; {:.0f} s of virtual time, {:.0f} "
        "times real); {} ran twice, {} differed\n",
        passed_, passed_ + bad_.size(), real, static_cast<double>(passed_ + bad_.size()) / real,
        virtual_seconds_, virtual_seconds_ / real, pairs_.same() + pairs_.different(),
        pairs_.different()));
    return bad_.empty() && pairs_.different() == 0 ? 0 : 1;
  }

 private:
  void Start(std::uint64_t seed) {
    SeedRunOptions one = options_.run;
    one.run.seed = seed;
    const bool twice = Rng(seed).Split("twice").Chance(options_.twice);
    one.story = twice;
    children_.Fork([one] { return ToText(RunSeed(one)); },
                   [this, seed, twice](const ChildResult& result) {
                     Count(ReportOf(seed, result));
                     if (twice) Say(pairs_.Take(seed, result));
                   });
    if (twice)
      children_.Execute(
          FreshArguments(options_.run, seed),
          [this, seed](const ChildResult& result) { Say(pairs_.Take(seed, result)); });
  }

  void Count(const SeedReport& report) {
    virtual_seconds_ += static_cast<double>(report.virtual_ns) / 1e9;
    Add(hits_, report.hits);
    Add(core_assertions_, report.core_assertions);
    if (report.verdict == "pass") {
      ++passed_;
      return;
    }
    Say(Line(report) + fmt::format("  commit {}; repeat: squall-sim {} --story\n", Commit(),
                                   RepeatOf(options_.run, report.seed)));
    bad_.push_back(report);
    bad_.back().journal.clear();
  }

  void WriteHits() const {
    std::ofstream file(options_.hits);
    file << ToMarkdown(hits_);
    if (!core_assertions_.empty()) file << "\n" << ToMarkdown(core_assertions_);
  }

  // The same run again, told in full.
  void WriteJournal(const SeedReport& report) {
    SeedRunOptions one = options_.run;
    one.run.seed = report.seed;
    one.story = true;
    std::error_code failed;
    std::filesystem::create_directories(options_.out, failed);
    const std::string path = fmt::format("{}/seed-{}.jsonl", options_.out, report.seed);
    const SeedReport told = RunAlone(one);
    if (told.journal.empty()) return;  // it did not end, and told why
    std::ofstream(path) << told.journal;
    Say(fmt::format("  seed {}: journal in {}\n", report.seed, path));
  }

  // Writes the smallest scenario that still fails in the same checks, or ends in the same way.
  void ShrinkFailure(const SeedReport& report) {
    int runs = 0;
    const SteadyTime begun = clock_.Now();
    const auto fails = [&](Plan& plan) {
      const std::uint64_t first = plan.seed;
      for (std::uint64_t i = 0; i < kLuck; ++i) {
        ++runs;
        plan.seed = first + i;
        SeedRunOptions one = options_.run;
        one.run.seed = plan.seed;
        one.scenario_text = ScenarioOf(plan);
        const SeedReport smaller = RunAlone(one);
        if (smaller.verdict == report.verdict && HasAllOf(smaller.failed, report.failed))
          return true;
      }
      return false;
    };
    const Plan plan = PlanOf(report.seed, PlanOptionsOf(options_.run));
    const Plan small = Shrink(plan, fails);
    const std::string path = fmt::format("{}/seed-{}.yaml", options_.shrink, report.seed);
    std::ofstream(path) << ScenarioOf(small);
    SeedReport told = report;
    told.seed = small.seed;
    std::ofstream(fmt::format("{}/seed_{}_test.cc", options_.shrink, report.seed))
        << TestFileOf(ScenarioOf(small), told, options_.run);
    Say(
        fmt::format("  seed {}: {} faults, {} workflows, {} workers -> {}, {}, {} in {} runs, "
                    "{:.1f} s: --scenario {} --seed {}\n",
                    report.seed, plan.faults.size(), plan.workflows.size(), plan.workers.size(),
                    small.faults.size(), small.workflows.size(), small.workers.size(), runs,
                    std::chrono::duration<double>(clock_.Now() - begun).count(), path, small.seed));
  }

  static SeedReport RunAlone(const SeedRunOptions& options) {
    SeedReport report;
    Children one(1, kRunLimitMs);
    one.Fork([&options] { return ToText(RunSeed(options)); },
             [&](const ChildResult& result) { report = ReportOf(options.run.seed, result); });
    one.Wait();
    return report;
  }

  SwarmOptions options_;
  const RealClock clock_;
  Children children_;
  std::uint64_t passed_ = 0;
  std::vector<SeedReport> bad_;
  Pairs pairs_;  // of those that run twice
  HitTable hits_;
  CoreAssertionTable core_assertions_;
  double virtual_seconds_ = 0;
};

}  // namespace

std::string RepeatOf(const SeedRunOptions& options, std::uint64_t seed) {
  return fmt::format("--seed {}{}{}", seed, options.hazards ? " --hazards" : "",
                     options.run.world.transport == Transport::kCalls ? " --transport calls" : "");
}

int RunSwarm(const SwarmOptions& options) { return Campaign(options).Run(); }

}  // namespace squall::sim
