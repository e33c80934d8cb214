#pragma once
// One name, as the machine's resolver finds it.

#include <string>
#include <vector>

#include "harness/doctor/probe.h"

namespace squall::doctor {

struct NameAnswer {
  std::vector<Endpoint> endpoints;  // empty: none was found
  bool no_such_name = false;        // rather than no answer
  // What was found: addresses by family, and as what name; or why nothing was, and what was tried.
  std::string text;
};

// Blocks, serving the loop.
NameAnswer LookUp(const Probe& probe, const std::string& host, std::uint16_t port);

}  // namespace squall::doctor
