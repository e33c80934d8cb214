#pragma once
// What an examination found: rows of the table, findings with their evidence, and the verdict that
// follows from them. Plain data; how it is shown is show.h's business.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/clock.h"
#include "harness/doctor/causes.h"

namespace squall::doctor {

enum class State { kOk, kWarn, kFail, kSkipped };
std::string_view StateName(State state);  // "ok", "warn", "fail", "skipped"

// One row of the table.
struct Check {
  Layer layer = Layer::kSettings;
  std::string name;  // "address", "handshake", "GetSystemInfo"; "" for the layer itself
  State state = State::kOk;
  std::string detail;
  Duration took{};
};

enum class Weight {
  kNotice,    // the worker may work nevertheless
  kPossible,  // something is wrong, and this may be why
  kBroken,    // this is why
};

struct Finding {
  std::string cause;  // an id of the catalogue
  Weight weight = Weight::kBroken;
  std::string evidence;  // what was seen, as a sentence
  std::string fix;       // in place of the catalogue's, where more is known
};

// The exit codes of squall-doctor.
enum class Verdict { kHealthy = 0, kBroken = 1, kUnknown = 2, kUsage = 3 };
std::string_view VerdictName(Verdict verdict);  // "healthy", "broken", "unknown", "usage"

struct SettingRow {
  std::string name, value;  // "address"; a secret's value is never here
  std::string source;       // "TEMPORAL_ADDRESS in the environment"
};

// One worker that polls the task queue.
struct PollerRow {
  std::string kind;  // "workflow", "activity"
  std::string identity;
  std::string version;  // "deployment.build"; "" without one
  Duration age{};       // since its last poll came
};

// The task queue as it was seen.
struct QueueFigures {
  std::int64_t workflow_pollers = 0, activity_pollers = 0;  // that polled lately
  std::int64_t backlog = 0;                                 // tasks that wait, about
  std::vector<PollerRow> pollers;                           // those gone silent among them
};

struct Diagnosis {
  std::string target;                 // "localhost:7233"
  std::vector<SettingRow> settings;   // the effective ones
  std::vector<Check> checks;          // in the order of layers
  std::vector<Finding> findings;      // in the order in which they were found
  std::optional<QueueFigures> queue;  // where it could be looked at
  Duration took{};
  // Nothing that was meant to be looked at was left out. Without it nothing is healthy.
  bool complete = false;

  // Broken when a finding says so; healthy when everything was looked at and nothing may be wrong.
  Verdict verdict() const;
  // The finding that counts: the first one that is broken, else the first possible one; null when
  // there is none.
  const Finding* cause() const;

  void Row(Layer layer, std::string name, State state, std::string detail, Duration spent = {});
  void Add(std::string cause, Weight weight, std::string evidence, std::string fix = {});
  bool broken() const;
};

}  // namespace squall::doctor
