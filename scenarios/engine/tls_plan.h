#pragma once
// How a worker or client of a scenario uses TLS, made concrete: which material, right or
// deliberately wrong.

#include <string>

#include "scenarios/format/scenario.h"

namespace squall::scenarios {

// Names of wire's catalogue; empty: none.
struct TlsPlan {
  bool on = false;
  std::string ca;        // "ca", "wrong_ca", "" = the system's roots
  std::string identity;  // what the client presents
  std::string server_name;
};

TlsPlan PlanTls(const Topology& topology, const ConnectSpec& connect);

}  // namespace squall::scenarios
