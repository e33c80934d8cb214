#pragma once
// Labelled cases for the doctor: each makes a target and settings that are wrong in one thing, and
// says which.

#include <functional>
#include <string>
#include <vector>

#include "tests/integration/doctor/bed.h"

namespace squall::doctor {

struct DoctorCase {
  std::string name;
  std::string expected;  // an id of the catalogue, "could not tell: " and one, or "healthy"
  std::function<void(DoctorBed&)> prepare;
  bool silent = false;  // the target says nothing: seconds instead of milliseconds
  // What is expected is told beside a verdict of healthy.
  bool notice = false;
};

// Settings alone: nothing connects.
std::vector<DoctorCase> SettingsCases();
// One fault each, over every path where it applies.
std::vector<DoctorCase> TargetCases();
// Proxies on the way, and what the deployment counts on beyond the connection.
std::vector<DoctorCase> WayCases();
// Those of the above that a real server can play, over every path.
std::vector<DoctorCase> RealCases(const RealServer& real);
// Drawn from the seed: which fault, over which path, with which values, and beside what harmless
// disturbances.
std::vector<DoctorCase> DrawnCases(std::uint64_t seed, std::size_t count);

}  // namespace squall::doctor
