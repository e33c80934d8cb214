#include "sim/run/library.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <map>

#include "base/util/clock.h"
#include "scenarios/checks/registry.h"
#include "scenarios/format/loader.h"
#include "sim/run/child.h"

namespace squall::sim {

int RunLibrary(const std::string& path, int jobs, const SeedRunOptions& options) {
  const auto library = scenarios::LoadLibrary(path, scenarios::Checks());
  if (!library.ok()) {
    std::printf("%s\n", std::string(Message(library.status())).c_str());
    return 2;
  }
  const RealClock clock;
  const SteadyTime begun = clock.Now();
  Children children(jobs, kRunLimitMs);
  // By label, so that the order is the library's whoever ends first.
  std::map<std::string, SeedReport> reports;
  std::vector<std::string> order;
  for (const scenarios::LibraryEntry& entry : *library) {
    if (!entry.scenario.ok()) {
      std::printf("%s\n", std::string(Message(entry.scenario.status())).c_str());
      return 2;
    }
    for (const scenarios::Subject& subject : entry.scenario->subjects) {
      const std::string label = entry.scenario->id + "/" + subject.name;
      order.push_back(label);
      SeedRunOptions one = options;
      one.scenario_file = entry.path;
      one.subject = subject.name;
      children.Fork([one] { return ToText(RunSeed(one)); },
                    [&reports, label, seed = one.run.seed](const ChildResult& result) {
                      reports[label] = ReportOf(seed, result);
                    });
    }
  }
  children.Wait();
  int passed = 0, skipped = 0, bad = 0;
  double virtual_seconds = 0;
  for (const std::string& label : order) {
    const SeedReport& report = reports[label];
    virtual_seconds += static_cast<double>(report.virtual_ns) / 1e9;
    const bool good = report.verdict == "pass";
    if (good) {
      ++passed;
    } else if (report.verdict == "skipped") {
      ++skipped;
    } else {
      ++bad;
    }
    std::printf("%-34s %-8s %s\n", label.c_str(),
                good && report.caught ? "caught" : report.verdict.c_str(),
                report.explanation.c_str());
  }
  const double real = std::chrono::duration<double>(clock.Now() - begun).count();
  std::printf(
      "%d as expected, %d skipped, %d not as expected, in %.1f s (%.0f s of virtual time)\n",
      passed, skipped, bad, real, virtual_seconds);
  return bad == 0 ? 0 : 1;
}

}  // namespace squall::sim
