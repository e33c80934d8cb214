#include "reports/summary.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace squall::reports {
namespace {

using journal::CheckResult;
using journal::Outcome;
using journal::OutcomeName;
using nlohmann::json;

json ToJson(const SubjectReport& s) {
  json checks = json::array();
  for (const CheckResult& check : s.checks) {
    checks.push_back({{"check", check.check},
                      {"outcome", OutcomeName(check.outcome)},
                      {"expected", check.expected},
                      {"happened", check.happened}});
  }
  return {{"scenario", s.scenario},
          {"title", s.title},
          {"file", s.file},
          {"subject", s.subject},
          {"world", s.world},
          {"repetition", s.repetition},
          {"seed", s.seed},
          {"status", StatusWordText(StatusOf(s))},
          {"skipped", s.skipped},
          {"expected_failures", s.expected_failures},
          {"verdict", OutcomeName(s.verdict)},
          {"caught", s.caught},
          {"explanation", s.explanation},
          {"checks", checks},
          {"flaky", s.flaky},
          {"timed_out", s.timed_out},
          {"aborted", s.aborted},
          {"leaks", s.leaks},
          {"took_ns", s.took.count()},
          {"began", FormatWall(s.began)},
          {"began_ns", s.began.time_since_epoch().count()},
          {"versions", s.versions},
          {"work_directory", s.work_directory},
          {"repeat_command", s.repeat_command},
          {"last_lines", s.last_lines}};
}

Outcome OutcomeFrom(const std::string& name) {
  if (const auto outcome = journal::OutcomeFromName(name)) return *outcome;
  throw json::other_error::create(600, fmt::format("no verdict '{}'", name), nullptr);
}

// Throws what nlohmann throws; the callers below are the fence.
SubjectReport SubjectFrom(const json& in) {
  SubjectReport s;
  const auto get = [&in](const char* key, auto& out) { in.at(key).get_to(out); };
  get("scenario", s.scenario);
  get("title", s.title);
  get("file", s.file);
  get("subject", s.subject);
  get("world", s.world);
  get("repetition", s.repetition);
  get("seed", s.seed);
  get("skipped", s.skipped);
  get("expected_failures", s.expected_failures);
  s.verdict = OutcomeFrom(in.at("verdict").get<std::string>());
  get("caught", s.caught);
  get("explanation", s.explanation);
  for (const json& check : in.at("checks")) {
    s.checks.push_back(
        {check.at("check").get<std::string>(), OutcomeFrom(check.at("outcome").get<std::string>()),
         check.at("expected").get<std::string>(), check.at("happened").get<std::string>()});
  }
  get("flaky", s.flaky);
  get("timed_out", s.timed_out);
  get("aborted", s.aborted);
  get("leaks", s.leaks);
  s.took = Duration(in.at("took_ns").get<std::int64_t>());
  s.began = WallTime(Duration(in.at("began_ns").get<std::int64_t>()));
  get("versions", s.versions);
  get("work_directory", s.work_directory);
  get("repeat_command", s.repeat_command);
  get("last_lines", s.last_lines);
  return s;
}

// Output of programs under test may be any bytes; they are replaced, not refused.
std::string Dump(const json& out) {
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string SubjectJson(const SubjectReport& subject) { return Dump(ToJson(subject)); }

StatusOr<SubjectReport> SubjectFromJson(std::string_view text) {
  try {
    return SubjectFrom(json::parse(text));
  } catch (const json::exception& e) {
    return MakeStatus(StatusCode::kInvalidArgument, "not a subject's result: {}", e.what());
  }
}

std::string SummaryJson(const RunReport& run) {
  const Counts counts = CountOf(run.subjects);
  json subjects = json::array();
  for (const SubjectReport& subject : run.subjects) subjects.push_back(ToJson(subject));
  return Dump({{"schema", "squall-summary"},
               {"version", kSummaryVersion},
               {"squall", run.version},
               {"worlds", run.worlds},
               {"jobs", run.jobs},
               {"seed", run.seed},
               {"planned", run.planned},
               {"began", FormatWall(run.began)},
               {"began_ns", run.began.time_since_epoch().count()},
               {"took_ns", run.took.count()},
               {"aborted", run.aborted},
               {"directory", run.directory},
               {"versions", VersionsOf(run.subjects)},
               {"counts",
                {{"ran", counts.ran},
                 {"passed", counts.passed},
                 {"caught", counts.caught},
                 {"failed", counts.failed},
                 {"missed", counts.missed},
                 {"unknown", counts.unknown},
                 {"skipped", counts.skipped},
                 {"flaky", counts.flaky},
                 {"leaky", counts.leaky}}},
               {"subjects", subjects}});
}

StatusOr<RunReport> SummaryFromJson(std::string_view text) {
  try {
    const json in = json::parse(text);
    if (in.at("schema").get<std::string>() != "squall-summary" ||
        in.at("version").get<int>() != kSummaryVersion) {
      return MakeStatus(StatusCode::kInvalidArgument, "not a summary of version {}",
                        kSummaryVersion);
    }
    RunReport run;
    in.at("squall").get_to(run.version);
    in.at("worlds").get_to(run.worlds);
    in.at("jobs").get_to(run.jobs);
    in.at("seed").get_to(run.seed);
    in.at("planned").get_to(run.planned);
    run.began = WallTime(Duration(in.at("began_ns").get<std::int64_t>()));
    run.took = Duration(in.at("took_ns").get<std::int64_t>());
    in.at("aborted").get_to(run.aborted);
    in.at("directory").get_to(run.directory);
    for (const json& subject : in.at("subjects")) run.subjects.push_back(SubjectFrom(subject));
    return run;
  } catch (const json::exception& e) {
    return MakeStatus(StatusCode::kInvalidArgument, "not a summary: {}", e.what());
  }
}

}  // namespace squall::reports
