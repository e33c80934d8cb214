#include "harness/doctor/diagnosis.h"

#include <algorithm>
#include <utility>

#include "base/util/status.h"

namespace squall::doctor {

std::string_view StateName(State state) {
  switch (state) {
    case State::kOk:
      return "ok";
    case State::kWarn:
      return "warn";
    case State::kFail:
      return "fail";
    case State::kSkipped:
      break;
  }
  return "skipped";
}

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHealthy:
      return "healthy";
    case Verdict::kBroken:
      return "broken";
    case Verdict::kUnknown:
      return "unknown";
    case Verdict::kUsage:
      break;
  }
  return "usage";
}

const Finding* Diagnosis::cause() const {
  for (const Weight weight : {Weight::kBroken, Weight::kPossible}) {
    const auto found = std::ranges::find(findings, weight, &Finding::weight);
    if (found != findings.end()) return &*found;
  }
  return nullptr;
}

bool Diagnosis::broken() const {
  return std::ranges::find(findings, Weight::kBroken, &Finding::weight) != findings.end();
}

Verdict Diagnosis::verdict() const {
  if (broken()) return Verdict::kBroken;
  return complete && cause() == nullptr ? Verdict::kHealthy : Verdict::kUnknown;
}

void Diagnosis::Row(Layer layer, std::string name, State state, std::string detail,
                    Duration spent) {
  checks.push_back({layer, std::move(name), state, std::move(detail), spent});
}

void Diagnosis::Add(std::string cause, Weight weight, std::string evidence, std::string fix) {
  SQUALL_CHECK(FindCause(cause) != nullptr, cause);
  findings.push_back({std::move(cause), weight, std::move(evidence), std::move(fix)});
}

}  // namespace squall::doctor
