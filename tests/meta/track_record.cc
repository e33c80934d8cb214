#include "tests/meta/track_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>

namespace squall::scenarios {
namespace {

constexpr WorldKind kWorlds[] = {WorldKind::kFake, WorldKind::kReal};

constexpr const char* kTrackHead = R"(
Made from the library by `make track-record`, which runs everything in both worlds; a test compares the rows with the library.
*caught*: exactly the checks named failed. *passes*: nothing failed. The time is that of the subject from its first start to its
verdict, several at once. A world that a subject is not for is empty.
)";

std::string OutcomeKey(std::string_view id, std::string_view subject, std::string_view world) {
  return fmt::format("{}/{}/{}", id, subject, world);
}

double SecondsOf(Duration took) { return std::chrono::duration<double>(took).count(); }

bool RunsIn(const Subject& subject, WorldKind world) {
  const std::vector<WorldKind>& worlds = subject.needs.worlds;
  return std::find(worlds.begin(), worlds.end(), world) != worlds.end();
}

std::string InBackquotes(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "`" : ", `") + word + "`";
  return text;
}

}  // namespace

std::vector<std::string> CellsOf(std::string_view line) {
  std::vector<std::string> cells;
  if (!line.starts_with("| ") || !line.ends_with(" |")) return cells;
  line.remove_prefix(2);
  while (!line.empty()) {
    const std::size_t end = line.find(" |");
    if (end == std::string_view::npos) break;
    std::string_view cell = line.substr(0, end);
    while (cell.starts_with(' ')) cell.remove_prefix(1);
    while (cell.ends_with(' ')) cell.remove_suffix(1);
    cells.emplace_back(cell);
    line.remove_prefix(std::min(line.size(), end + 3));
  }
  return cells;
}

std::vector<std::string> ProgramsOf(const Subject& subject) {
  std::set<std::string> programs;
  for (const WorkerSpec& worker : subject.topology.workers) {
    switch (worker.kind) {
      case WorkerSpec::Kind::kCore:
      case WorkerSpec::Kind::kHost:
        programs.insert("core");
        continue;
      case WorkerSpec::Kind::kPython:
        programs.insert("python");
        continue;
      case WorkerSpec::Kind::kCommand:
        break;
    }
    std::vector<std::string> words = worker.command;
    words.insert(words.end(), worker.args.begin(), worker.args.end());
    for (const std::string& word : words) {
      for (const auto& [part, program] :
           {std::pair{"{bin}/squall-worker", "core"}, std::pair{"{bin}/squall-host", "core"},
            std::pair{"{bin}/squall-service", "service"},
            std::pair{"container_platform", "platform"}, std::pair{"{typescript}", "typescript"},
            std::pair{"subjects/python", "python"}}) {
        if (word.find(part) != std::string::npos) programs.insert(program);
      }
    }
  }
  return {programs.begin(), programs.end()};
}

Outcomes OutcomesOf(const reports::RunReport& run, std::string_view commit) {
  Outcomes outcomes;
  std::size_t good = 0;
  for (const reports::SubjectReport& subject : run.subjects) {
    using reports::StatusWord;
    const StatusWord word = reports::StatusOf(subject);
    good += subject.good() ? 1 : 0;
    outcomes.cells[OutcomeKey(subject.scenario, subject.subject, subject.world)] =
        word == StatusWord::kSkip ? "skipped"
        : word == StatusWord::kCaught || word == StatusWord::kPass
            ? fmt::format("{} in {:.1f} s", word == StatusWord::kPass ? "passes" : "caught",
                          SecondsOf(subject.took))
            : std::string(reports::StatusWordText(word));
  }
  outcomes.measured =
      fmt::format("Measured on {} at {}: {} of {} as they should be in {:.0f} s, with `--jobs {}`.",
                  FormatWall(run.began).substr(0, std::string_view("2026-11-22").size()), commit,
                  good, run.subjects.size(), SecondsOf(run.took), run.jobs);
  return outcomes;
}

Outcomes OutcomesIn(std::string_view track_record) {
  Outcomes outcomes;
  std::istringstream lines{std::string(track_record)};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Measured on ")) outcomes.measured = line;
    const std::vector<std::string> cells = CellsOf(line);
    if (cells.size() != 6 || cells[0] == "id") continue;
    outcomes.cells[OutcomeKey(cells[0], cells[1], "fake")] = cells[4];
    outcomes.cells[OutcomeKey(cells[0], cells[1], "real")] = cells[5];
  }
  return outcomes;
}

std::string TrackRecord(const std::vector<Scenario>& library, const Outcomes& outcomes) {
  std::string text = std::string(kTrackRecordHeading) + kTrackHead;
  if (!outcomes.measured.empty()) text += "\n" + outcomes.measured + "\n";
  text += "\n| id | subject | must be caught by | programs | fake world | real world |\n";
  text += "|---|---|---|---|---|---|\n";
  for (const Scenario& scenario : library) {
    for (const Subject& subject : scenario.subjects) {
      text += fmt::format("| {} | {} | {} | {} |", scenario.id, subject.name,
                          InBackquotes(subject.expect.fail), fmt::join(ProgramsOf(subject), ", "));
      for (const WorldKind world : kWorlds) {
        const auto cell =
            outcomes.cells.find(OutcomeKey(scenario.id, subject.name, WorldName(world)));
        text += fmt::format(" {} |", !RunsIn(subject, world) ? ""
                                     : cell == outcomes.cells.end() || cell->second.empty()
                                         ? kNotMeasured
                                         : std::string_view(cell->second));
      }
      text += '\n';
    }
  }
  return text;
}

bool Plausible(const Subject& subject, std::string_view cell) {
  if (cell == kNotMeasured || cell == "skipped") return true;
  const std::string_view word = subject.expect.pass() ? "passes in " : "caught in ";
  return cell.starts_with(word) && cell.ends_with(" s");
}

}  // namespace squall::scenarios
