#pragma once
// One examination, from the settings up to the task queue; it stops where the cause is found.
//
// It never changes the target: no workflow is started, no task of anybody's is taken or answered.

#include <string>
#include <vector>

#include "harness/doctor/deep.h"
#include "harness/doctor/diagnosis.h"
#include "harness/doctor/expectations.h"
#include "harness/doctor/probe.h"
#include "harness/doctor/settings.h"
#include "harness/net/asio_executor.h"

namespace squall::doctor {

// How far to look: the order of a deployment's checks (incident I4).
enum class Stage {
  kConfig,       // settings only: nothing connects
  kComponent,    // up to permission and namespace
  kIntegration,  // all: the task queue must have pollers
  kAll,          // all, where a task queue without pollers is only told
};

struct ExamineOptions {
  Stage stage = Stage::kAll;
  std::set<Setting> required;
  bool expect_pollers = false;
  bool deep = false;         // a minute and more
  DeepOptions deep_options;  // its tag is set from the one below
  std::string canary;        // the type of the canary workflow, or "own"; "": none
  Duration canary_limit = std::chrono::seconds(10);
  std::vector<std::uint16_t> other_ports = {7233, 443, 8443, 80};
  std::string system_authorities_pem;
  double patience = 1;  // multiplies all limits
  std::string tag;      // of the doctor's own queue; unique
  Sdk sdk;
  Expectations expectations;
};

// Blocks, serving the loop.
Diagnosis Examine(harness::AsioExecutor& executor, const Sources& sources,
                  const ExamineOptions& options);

}  // namespace squall::doctor
