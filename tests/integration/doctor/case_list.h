#pragma once
// What a file of cases builds its list with.

#include <fmt/format.h>

#include <utility>

#include "tests/integration/doctor/cases.h"

namespace squall::doctor {

class CaseList {
 protected:
  ~CaseList() = default;

  void Add(std::string name, std::string expected, std::function<void(DoctorBed&)> prepare,
           bool silent = false) {
    cases_.push_back({std::move(name), std::move(expected), std::move(prepare), silent});
  }
  // Over every path.
  void AddPaths(const std::string& name, const std::string& expected,
                const std::function<void(DoctorBed&, Path)>& prepare, bool silent = false) {
    for (const Path path : kPaths) {
      Add(
          fmt::format("{}, {}", name, PathName(path)), expected,
          [prepare, path](DoctorBed& bed) { prepare(bed, path); }, silent);
    }
  }

  std::vector<DoctorCase> cases_;
};

}  // namespace squall::doctor
