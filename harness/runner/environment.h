#pragma once
// What a run finds on this machine: programs, versions, requirements, and the server that it was
// given.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/util/status.h"
#include "scenarios/format/fault_catalogue.h"
#include "scenarios/format/scenario.h"

namespace squall::harness {

// Somebody else's server, from --address: the real world runs against it instead of a dev server of
// its own. Nothing is injected into it, it is neither started nor stopped, its namespaces are left
// alone, and task queues and workflow ids are made unique on it.
struct ExternalServer {
  std::string address;  // host:port
  bool tls = false;
  std::string ca_file, certificate_file, key_file, server_name;
  std::string api_key_variable;  // the name of the environment variable that holds the key; never
                                 // the key itself
};

// Why `subject` cannot run in `world` here; nothing when it can. In words for the report.
std::optional<std::string> MissingRequirement(const scenarios::Subject& subject,
                                              scenarios::WorldKind world,
                                              const std::optional<ExternalServer>& external);

// What one of its faults is injected into and needs this for; empty for none.
std::set<std::string> NodesThatNeed(const scenarios::Subject& subject, scenarios::FaultNeed need);
// Whether one of its faults acts in a network namespace of the subject's own.
bool NeedsPrivateNetwork(const scenarios::Subject& subject);

// squall, core, and with `python` the Python SDK: what does not need to be asked of a running
// server.
std::map<std::string, std::string> KnownVersions(bool python);

// The folder of the sources: SQUALL_SOURCE_DIR, or where this program was built from.
std::string SourceDirectory();
// The scenario library: <source>/scenarios/library.
std::string DefaultLibrary();
// Where tools/setup-typescript.sh puts the worker of harness/subjects/typescript and its packages;
// {typescript} in commands.
std::string TypeScriptDirectory();

}  // namespace squall::harness
