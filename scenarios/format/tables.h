#pragma once
// The keys of every object of a scenario file: the one place where a key, its type, its default and
// its meaning stand. The loader reads by these tables, the JSON Schema and the reference in
// docs/scenarios.md are made from them.

#include <string>
#include <string_view>
#include <vector>

#include "scenarios/format/check_spec.h"

namespace squall::scenarios {

struct ObjectTable {
  std::string name;  // "worker"
  std::string doc;
  ParamTable keys;
  std::string shorthand;  // the key that a value which is no map stands for; "" = none
};

// scenario, needs, topology, server, ingress, link, connect, worker, restart, client, subject,
// expect, with, and step: the keys that every step has beside its verb.
const std::vector<ObjectTable>& ObjectTables();
const ObjectTable& TableOf(std::string_view name);

// One table per verb of a step: start, stop, kill, ...
const std::vector<ObjectTable>& StepTables();
const ObjectTable* FindStepTable(std::string_view verb);

}  // namespace squall::scenarios
