#include "sim/run/page.h"

#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "base/journal/journal.h"
#include "reports/html.h"
#include "reports/timeline.h"
#include "scenarios/checks/breaking_point.h"
#include "scenarios/engine/secrets.h"
#include "sim/run/swarm.h"

namespace squall::sim {

Status WritePage(const std::string& path, const SeedRunOptions& options, const SeedReport& report) {
  SQUALL_ASSIGN_OR_RETURN(const auto read, ScenarioFor(options));
  const scenarios::Scenario& scenario = *read;
  const scenarios::Subject* subject =
      options.subject.empty() ? &scenario.subjects.front() : scenario.FindSubject(options.subject);
  if (subject == nullptr)
    return MakeStatus(StatusCode::kNotFound, "no subject '{}'", options.subject);
  std::vector<journal::Event> events;
  std::istringstream lines(report.journal);
  for (std::string line; std::getline(lines, line);) {
    SQUALL_ASSIGN_OR_RETURN(journal::Event event, journal::FromJson(line));
    events.push_back(std::move(event));
  }
  if (events.empty())
    return MakeStatus(StatusCode::kNotFound, "{}: {}", report.verdict, report.explanation);

  reports::SubjectReport of_seed;
  of_seed.scenario = scenario.id;
  of_seed.title = scenario.title;
  of_seed.file = scenario.file;
  of_seed.subject = subject->name;
  of_seed.world = scenarios::WorldName(scenarios::WorldKind::kSim);
  of_seed.seed = report.seed;
  of_seed.expected_failures = subject->expect.fail;
  of_seed.verdict = journal::OutcomeFromName(report.verdict).value_or(journal::Outcome::kUnknown);
  of_seed.caught = report.caught;
  of_seed.explanation = report.explanation;
  of_seed.repeat_command = "squall sim " + RepeatOf(options, report.seed);
  of_seed.began = events.front().wall;
  of_seed.took = Duration(report.virtual_ns);
  for (const journal::Event& event : events) {
    const auto* assertion = event.As<journal::AssertionEvent>();
    if (assertion == nullptr) continue;
    of_seed.checks.push_back(
        {assertion->check,
         journal::OutcomeFromName(assertion->what).value_or(journal::Outcome::kUnknown),
         assertion->expected, assertion->happened});
  }
  reports::TimelineOptions timeline;
  if (auto points = scenarios::BreakingPoints(events, subject->checks); points.ok())
    timeline.broke_at = *std::move(points);
  const reports::Redactor redactor(scenarios::SecretsOf(subject->topology));
  reports::TimelineShelf shelf;
  shelf.Add(reports::TimelineKey(of_seed),
            reports::TimelineJson(reports::TimelineOf(events, timeline), redactor), of_seed.good());
  reports::RunReport run;
  run.version = SQUALL_VERSION;
  run.worlds = {of_seed.world};
  run.seed = report.seed;
  run.planned = 1;
  run.began = of_seed.began;
  run.took = of_seed.took;
  run.subjects = {of_seed};
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << reports::HtmlPage(run, shelf, redactor);
  if (!file.flush()) return MakeStatus(StatusCode::kUnavailable, "{}: cannot be written", path);
  return absl::OkStatus();
}

}  // namespace squall::sim
