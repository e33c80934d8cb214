// Adapter to nlohmann's JSON, whose exceptions end here.
#include "sim/run/seed_run.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "scenarios/checks/registry.h"
#include "scenarios/format/loader.h"
#include "sim/kernel/escape.h"
#include "sim/swarm/plan.h"

namespace squall::sim {
namespace {

SeedReport Broken(std::uint64_t seed, const Status& status) {
  SeedReport report;
  report.seed = seed;
  report.verdict = status.code() == StatusCode::kUnimplemented ? "skipped" : "unknown";
  report.explanation = std::string(Message(status));
  return report;
}

bool OnlyUnmetFaults(const std::vector<scenarios::CheckResult>& checks) {
  return std::all_of(checks.begin(), checks.end(), [](const scenarios::CheckResult& check) {
    return check.outcome == scenarios::Outcome::kPass || check.check == "oracle:fault_hit";
  });
}

}  // namespace

PlanOptions PlanOptionsOf(const SeedRunOptions& options) {
  return {.bytes = options.run.world.transport == Transport::kSockets, .hazards = options.hazards};
}

StatusOr<std::shared_ptr<const scenarios::Scenario>> ScenarioFor(const SeedRunOptions& options) {
  if (options.scenario != nullptr) return options.scenario;
  const std::uint64_t seed = options.run.seed;
  StatusOr<scenarios::Scenario> loaded =
      options.scenario_file.empty()
          ? scenarios::LoadScenario(!options.scenario_text.empty()
                                        ? options.scenario_text
                                        : ScenarioOf(PlanOf(seed, PlanOptionsOf(options))),
                                    fmt::format("seed-{}.yaml", seed), scenarios::Checks())
          : scenarios::LoadScenarioFile(options.scenario_file, scenarios::Checks());
  if (!loaded.ok()) return loaded.status();
  return std::make_shared<const scenarios::Scenario>(*std::move(loaded));
}

void ReadOnce(SeedRunOptions& options) {
  if (options.scenario_file.empty()) return;
  if (auto read = ScenarioFor(options); read.ok()) options.scenario = *std::move(read);
}

SeedReport RunSeed(const SeedRunOptions& options) {
  const std::uint64_t seed = options.run.seed;
  const bool of_swarm = options.scenario_file.empty();
  const auto loaded = ScenarioFor(options);
  if (!loaded.ok()) return Broken(seed, loaded.status());
  const std::shared_ptr<const scenarios::Scenario>& scenario = *loaded;
  const scenarios::Subject* subject = options.subject.empty()
                                          ? &scenario->subjects.front()
                                          : scenario->FindSubject(options.subject);
  if (subject == nullptr)
    return Broken(seed, MakeStatus(StatusCode::kNotFound, "no subject '{}'", options.subject));
  RunOptions run = options.run;
  run.story = options.story;
  const StatusOr<RunResult> result = RunSubject(*scenario, *subject, run);
  if (!result.ok()) return Broken(seed, result.status());
  SeedReport report;
  report.seed = seed;
  report.verdict = scenarios::OutcomeName(result->verdict);
  report.explanation = result->explanation;
  report.caught = result->caught;
  // The swarm draws faults without knowing whether traffic will meet them.
  if (options.scenario_file.empty() && result->verdict == scenarios::Outcome::kUnknown &&
      OnlyUnmetFaults(result->checks)) {
    report.verdict = "pass";
    report.explanation.clear();
  }
  for (const scenarios::CheckResult& check : result->checks) {
    if (check.outcome != scenarios::Outcome::kFail) continue;
    report.failed += (report.failed.empty() ? "" : ", ") + check.check;
    // What happened, instead of the names once more.
    if (of_swarm) report.explanation = check.expected + ": " + check.happened;
  }
  report.journal_digest = result->journal_digest;
  report.schedule_digest = result->schedule_digest;
  report.choices = result->choices;
  report.virtual_ns = result->virtual_ns;
  report.hits = result->hits;
  report.core_assertions = result->core_assertions;
  for (const std::string& line : result->journal) report.journal += line + "\n";
  report.trace = result->trace;
  report.dump = result->dump;
  return report;
}

std::string Line(const SeedReport& report) {
  return fmt::format(
      "seed {}: {}{}{} ({:.1f} s of virtual time, {} choices, journal {:016x})\n", report.seed,
      report.verdict, report.failed.empty() ? "" : " [" + report.failed + "]",
      report.explanation.empty() ? "" : ": " + report.explanation,
      static_cast<double>(report.virtual_ns) / 1e9, report.choices, report.journal_digest);
}

std::string ToText(const SeedReport& report) {
  nlohmann::json json = {{"seed", report.seed},
                         {"verdict", report.verdict},
                         {"explanation", report.explanation},
                         {"failed", report.failed},
                         {"caught", report.caught},
                         {"journal_digest", report.journal_digest},
                         {"schedule_digest", report.schedule_digest},
                         {"choices", report.choices},
                         {"virtual_ns", report.virtual_ns},
                         {"journal", report.journal},
                         {"trace", report.trace}};
  json["hits"] = nlohmann::json::array();
  for (const auto& [place, count] : report.hits)
    json["hits"].push_back({place.first, place.second, count.injected, count.met});
  json["core_assertions"] = nlohmann::json::array();
  for (const auto& [says, of] : report.core_assertions)
    json["core_assertions"].push_back({says, of.kind, of.held, of.failed, of.details});
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

StatusOr<SeedReport> FromText(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    SeedReport report;
    json.at("seed").get_to(report.seed);
    json.at("verdict").get_to(report.verdict);
    json.at("explanation").get_to(report.explanation);
    json.at("failed").get_to(report.failed);
    json.at("caught").get_to(report.caught);
    json.at("journal_digest").get_to(report.journal_digest);
    json.at("schedule_digest").get_to(report.schedule_digest);
    json.at("choices").get_to(report.choices);
    json.at("virtual_ns").get_to(report.virtual_ns);
    json.at("journal").get_to(report.journal);
    json.at("trace").get_to(report.trace);
    for (const auto& hit : json.at("hits"))
      report.hits[{hit.at(0), hit.at(1)}] = {hit.at(2), hit.at(3)};
    for (const auto& of : json.at("core_assertions"))
      report.core_assertions[of.at(0)] = {of.at(1), of.at(2), of.at(3), of.at(4)};
    return report;
  } catch (const nlohmann::json::exception& error) {
    return MakeStatus(StatusCode::kInternal, "a run's report cannot be read: {}", error.what());
  }
}

SeedReport ReportOf(std::uint64_t seed, const ChildResult& result) {
  if (result.exit_code == 0 && result.signal == 0 && !result.timed_out) {
    if (auto report = FromText(result.text); report.ok()) return *std::move(report);
  }
  SeedReport report;
  report.seed = seed;
  report.verdict = result.exit_code == kExitStuck    ? "stuck"
                   : result.exit_code == kExitEscape ? "escape"
                                                     : "died";
  report.explanation = result.timed_out     ? "no end in real time"
                       : result.signal != 0 ? fmt::format("killed by signal {}", result.signal)
                                            : result.text;
  return report;
}

}  // namespace squall::sim
