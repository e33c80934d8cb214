#include "harness/runner/plan.h"

#include <algorithm>

#include "base/util/rng.h"
#include "base/util/text.h"

namespace squall::harness {
namespace {

using scenarios::Scenario;
using scenarios::Subject;
using scenarios::WorldKind;

bool Fits(const std::string& pattern, const Scenario& scenario, const Subject& subject) {
  return GlobMatches(pattern, scenario.id) || GlobMatches(pattern, scenario.name) ||
         GlobMatches(pattern, scenario.id + "/" + subject.name);
}

void Seed(Job* job, std::uint64_t run_seed) {
  job->run_seed = run_seed;
  // The label without the repetition: a repetition differs by its run seed, so that --seed alone
  // repeats it.
  const std::string name =
      fmt::format("{}/{}@{}", job->scenario->id, job->subject->name, WorldName(job->world));
  job->seed = job->scenario->seed ? *job->scenario->seed : Rng(run_seed).Split(name).Next() >> 1;
}

}  // namespace

std::string Job::Label() const {
  std::string label = fmt::format("{}/{}@{}", scenario->id, subject->name, WorldName(world));
  if (repetition > 1) label += fmt::format("#{}", repetition);
  return label;
}

bool GlobMatches(std::string_view pattern, std::string_view text) {
  // Two pointers with one point to return to: linear in practice, and no recursion.
  std::size_t p = 0, t = 0, star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

StatusOr<std::vector<Job>> MakePlan(const std::vector<Scenario>& scenarios,
                                    const Selection& selection, std::uint64_t seed) {
  std::vector<bool> used(selection.patterns.size(), false);
  std::vector<std::string> names;
  std::vector<Job> all;
  for (const Scenario& scenario : scenarios) {
    names.push_back(scenario.id);
    names.push_back(scenario.name);
    const bool tagged =
        selection.tags.empty() ||
        std::any_of(selection.tags.begin(), selection.tags.end(), [&](const std::string& tag) {
          return std::find(scenario.tags.begin(), scenario.tags.end(), tag) != scenario.tags.end();
        });
    for (const Subject& subject : scenario.subjects) {
      bool chosen = selection.patterns.empty();
      for (std::size_t i = 0; i < selection.patterns.size(); ++i) {
        if (!Fits(selection.patterns[i], scenario, subject)) continue;
        chosen = true;
        used[i] = true;
      }
      if (!chosen || !tagged) continue;
      for (const WorldKind world : selection.worlds)
        all.push_back({&scenario, &subject, world, 1, 0, 0});
    }
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (used[i]) continue;
    return MakeStatus(StatusCode::kNotFound, "no scenario fits '{}'{}",
                      EscapeControl(selection.patterns[i]),
                      DidYouMean(selection.patterns[i], names));
  }
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (static_cast<int>(i % static_cast<std::size_t>(selection.shards)) == selection.shard - 1)
      jobs.push_back(all[i]);
  }
  for (Job& job : jobs) Seed(&job, seed);
  return jobs;
}

std::vector<Job> Repetition(const std::vector<Job>& plan, int repetition, std::uint64_t seed) {
  std::vector<Job> jobs = plan;
  const std::uint64_t run_seed =
      repetition == 1 ? seed
                      : Rng(seed).Split(fmt::format("repetition {}", repetition)).Next() >> 1;
  for (Job& job : jobs) {
    job.repetition = repetition;
    Seed(&job, run_seed);
  }
  return jobs;
}

}  // namespace squall::harness
