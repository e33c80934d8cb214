#include "harness/runner/result.h"

#include <nlohmann/json.hpp>

#include "scenarios/checks/judge.h"

namespace squall::harness {
namespace {

using nlohmann::json;
using scenarios::CheckResult;
using scenarios::Outcome;

}  // namespace

std::string ResultToJson(const SubjectResult& result) {
  json checks = json::array();
  for (const CheckResult& check : result.checks) {
    checks.push_back({{"check", check.check},
                      {"outcome", OutcomeName(check.outcome)},
                      {"expected", check.expected},
                      {"happened", check.happened}});
  }
  const json out = {{"scenario", result.scenario},
                    {"title", result.title},
                    {"file", result.file},
                    {"subject", result.subject},
                    {"world", result.world},
                    {"repetition", result.repetition},
                    {"seed", result.seed},
                    {"skipped", result.skipped},
                    {"expected_failures", result.expected_failures},
                    {"verdict", OutcomeName(result.verdict)},
                    {"caught", result.caught},
                    {"explanation", result.explanation},
                    {"checks", checks},
                    {"flaky", result.flaky},
                    {"timed_out", result.timed_out},
                    {"aborted", result.aborted},
                    {"leaks", result.leaks},
                    {"took_ns", result.took.count()},
                    {"began_ns", result.began.time_since_epoch().count()},
                    {"versions", result.versions},
                    {"work_directory", result.work_directory},
                    {"repeat_command", result.repeat_command}};
  // Texts may hold a subject's output: bytes that are not UTF-8 are replaced rather than refused.
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

StatusOr<SubjectResult> ResultFromJson(std::string_view text) {
  const json in = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!in.is_object()) return Status(StatusCode::kInvalidArgument, "not a JSON object");
  try {
    SubjectResult result;
    const auto get = [&in](const char* key, auto& out) { in.at(key).get_to(out); };
    get("scenario", result.scenario);
    get("title", result.title);
    get("file", result.file);
    get("subject", result.subject);
    get("world", result.world);
    get("repetition", result.repetition);
    get("seed", result.seed);
    get("skipped", result.skipped);
    get("expected_failures", result.expected_failures);
    get("caught", result.caught);
    get("explanation", result.explanation);
    get("flaky", result.flaky);
    get("timed_out", result.timed_out);
    get("aborted", result.aborted);
    get("leaks", result.leaks);
    get("versions", result.versions);
    get("work_directory", result.work_directory);
    get("repeat_command", result.repeat_command);
    result.took = Duration(in.at("took_ns").get<std::int64_t>());
    result.began = WallTime(Duration(in.at("began_ns").get<std::int64_t>()));
    result.verdict =
        scenarios::OutcomeFromName(in.at("verdict").get<std::string>()).value_or(Outcome::kUnknown);
    for (const json& check : in.at("checks")) {
      result.checks.push_back({check.at("check").get<std::string>(),
                               scenarios::OutcomeFromName(check.at("outcome").get<std::string>())
                                   .value_or(Outcome::kUnknown),
                               check.at("expected").get<std::string>(),
                               check.at("happened").get<std::string>()});
    }
    return result;
  } catch (const json::exception& error) {
    return MakeStatus(StatusCode::kInvalidArgument, "{}", error.what());
  }
}

SubjectConclusion ConcludeSubject(std::span<const CheckResult> results,
                                  const scenarios::Expectation& expectation) {
  // Whatever else failed: when the infrastructure did, it may have been the cause.
  for (const CheckResult& result : results) {
    if (result.check != scenarios::kInfrastructureCheck) continue;
    return {Outcome::kUnknown, false,
            fmt::format("infrastructure: {}: {}", result.expected, result.happened)};
  }
  const scenarios::SubjectJudgement judgement = scenarios::JudgeSubject(results, expectation);
  return {judgement.verdict, judgement.caught, judgement.explanation};
}

}  // namespace squall::harness
